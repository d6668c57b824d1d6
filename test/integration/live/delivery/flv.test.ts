import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage, request } from 'node:http';
import { get as getSecurely } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSigned } from '../../../support/certificate.js';
import { complaints, MediaFolder } from '../../../support/ffmpeg.js';
import { startEdge } from '../../../support/http-edge.js';
import { type LiveFilm, LiveRig, liveFilm, PacedPublisher } from '../../../support/live-rig.js';
import { until } from '../../../support/until.js';

/* Live streams over a real port: what viewers get is judged by ffmpeg. */

const SAMPLE = fileURLToPath(new URL('../../../../src/samples/keyframes.flv', import.meta.url));

const CORS = { origins: ['*'], methods: ['GET'], headers: [], exposeHeaders: [], maxAge: 1000 };

const rig = new LiveRig({ batch: 20, slow: 60_000, disconnect: 1500, grace: 2000 });
const edge = await startEdge({ live: rig.port, cors: CORS });
/** Patient with those who stand still, but not with those who are late. */
const patient = new LiveRig({ batch: 20, slow: 400, disconnect: 60_000 });
const patientEdge = await startEdge({ live: patient.port });
let film: LiveFilm;
let media: MediaFolder;

before(async () => {
  media = await MediaFolder.make();
  const file = await media.ffmpeg(
    'live.flv',
    ...['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25', '-f', 'lavfi', '-i', 'sine=440:sample_rate=44100'],
    ...['-t', '6', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-b:v', '3M', '-minrate', '3M'],
    ...['-maxrate', '3M', '-bufsize', '1M', '-x264-params', 'nal-hrd=cbr', '-c:a', 'aac'],
  );
  film = liveFilm(file);
});
after(() => media.remove());

const url = (name: string, query = '') => `http://127.0.0.1:${edge.port}/live/${name}.flv${query}`;

/** A viewer that keeps what it gets. */
class TestViewer {
  readonly chunks: Buffer[] = [];
  bytes = 0;
  ended = false;
  broken = false;
  response!: IncomingMessage;

  static async watch(target: string): Promise<TestViewer> {
    const viewer = new TestViewer();
    viewer.response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = target.startsWith('https:')
        ? getSecurely(target, { agent: false, rejectUnauthorized: false }, resolve)
        : get(target, { agent: false }, resolve);
      asked.once('error', reject);
    });
    viewer.response.on('data', (chunk: Buffer) => {
      viewer.chunks.push(chunk);
      viewer.bytes += chunk.length;
    });
    viewer.response.once('end', () => {
      viewer.ended = true;
    });
    viewer.response.once('error', () => {
      viewer.broken = true;
    });
    viewer.response.once('aborted', () => {
      viewer.broken = true;
    });
    return viewer;
  }

  /** What it got up to the last whole tag. */
  whole(): Buffer {
    const bytes = Buffer.concat(this.chunks);
    let end = 13;
    while (end + 15 <= bytes.length && end + 15 + bytes.readUIntBE(end + 1, 3) <= bytes.length) {
      end += 15 + bytes.readUIntBE(end + 1, 3);
    }
    return bytes.subarray(0, end);
  }

  leave(): void {
    this.response.destroy();
  }
}

async function decodes(viewer: TestViewer): Promise<void> {
  assert.equal(await complaints(await media.write(viewer.whole(), 'flv')), '');
}

describe('live streams over HTTP', () => {
  it('are sent to all viewers alike, decode without a word, and end well', async () => {
    const writer = rig.publish('app/one');
    const publisher = new PacedPublisher(writer, film);
    const first = await TestViewer.watch(url('app/one'));
    await until('a second of tags', () => publisher.count > 60);
    const late = await TestViewer.watch(url('app/one'));
    const next = await TestViewer.watch(url('app/one', '?start=live'));
    assert.equal(first.response.headers['content-type'], 'video/x-flv');
    assert.equal(first.response.headers['cache-control'], 'no-store');
    assert.equal(first.response.headers['access-control-allow-origin'], '*');
    await until('two more seconds', () => publisher.count > 200);
    publisher.stop();
    writer.close();
    rig.forget('app/one');
    const all = [first, late, next];
    await until('the end of all', () => all.every(({ ended }) => ended));
    assert.ok(all.every(({ broken }) => !broken));
    for (const viewer of all) await decodes(viewer);
    const tail = (viewer: TestViewer) => viewer.whole().subarray(-20_000);
    assert.ok(tail(first).equals(tail(late)) && tail(first).equals(tail(next)));
    const begins = all.map(viewer => timestamps(viewer.whole())[0]!);
    assert.ok(begins[0]! <= begins[1]! && begins[1]! <= begins[2]!, String(begins));
  });

  it('refuse what is unknown, answer HEAD without a body, and know names with several parts', async () => {
    rig.publish('app/deep/name.v2').setHeaders(film.headers);
    const ask = (method: string, target: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const sent = request(target, { method, agent: false }, response => resolve(response.resume()));
        sent.once('error', reject).end();
      });
    assert.equal((await ask('GET', url('app/none'))).statusCode, 404);
    assert.equal((await ask('HEAD', url('app/none'))).statusCode, 404);
    const odd = ['app%2Fnone', '%2e%2e%2fapp/none', 'app/%00', 'app/n%C3%B6ne', 'app/%ff', `app/${'x'.repeat(300)}`];
    for (const name of odd) {
      const { statusCode } = await ask('GET', url(name));
      assert.ok(statusCode === 404 || statusCode === 400, `${name}: ${statusCode}`);
    }
    assert.equal((await ask('POST', url('app/deep/name.v2'))).statusCode, 405);
    const head = await ask('HEAD', url('app/deep/name.v2'));
    assert.equal(head.statusCode, 200);
    assert.equal(head.headers['content-type'], 'video/x-flv');
    // Without chunks there is no way to send something without a length.
    const old = await new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(edge.port, '127.0.0.1', () =>
        socket.write('GET /live/app/deep/name.v2.flv HTTP/1.0\r\n\r\n'),
      );
      socket
        .on('data', data => (answer += data))
        .once('close', () => resolve(answer))
        .once('error', reject);
    });
    assert.match(old, /^HTTP\/1.1 505 /);
  });

  it('a viewer that pauses loses whole groups, decodes on, and takes nothing from others', async () => {
    const writer = patient.publish('app/slow');
    const publisher = new PacedPublisher(writer, film);
    const target = `http://127.0.0.1:${patientEdge.port}/live/app/slow.flv`;
    const fast = await TestViewer.watch(target);
    const slow = await TestViewer.watch(target);
    await until('bytes', () => slow.bytes > 0);
    slow.response.socket.pause();
    const paused = publisher.count;
    // Seconds that no socket's buffers hold.
    await until('six seconds of tags', () => publisher.count > paused + 400);
    slow.response.socket.resume();
    await until('lost tags', () => patient.viewing.stats.droppedFrames > 0);
    const resumed = publisher.count;
    await until('a second more', () => publisher.count > resumed + 100);
    publisher.stop();
    writer.close();
    patient.forget('app/slow');
    await until('the end', () => fast.ended && (slow.ended || slow.broken));
    await decodes(fast);
    await decodes(slow);
    const gaps = (viewer: TestViewer) => {
      const times = timestamps(viewer.whole());
      return times.filter((time, at) => at > 0 && time - times[at - 1]! > 60).length;
    };
    assert.equal(gaps(fast), 0);
    assert.ok(gaps(slow) > 0);
  });

  it('over TLS: viewers get whole streams, one that pauses loses groups and decodes on', async () => {
    const { cert, key } = selfSigned();
    const folder = media.path;
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await Promise.all([writeFile(tls.cert, cert), writeFile(tls.key, key)]);
    const { port } = await startEdge({ live: patient.port }, { tls });
    const writer = patient.publish('app/secret');
    const publisher = new PacedPublisher(writer, film);
    const { droppedFrames } = patient.viewing.stats;
    const target = `https://127.0.0.1:${port}/live/app/secret.flv`;
    const fast = await TestViewer.watch(target);
    const slow = await TestViewer.watch(target);
    await until('bytes', () => slow.bytes > 0 && fast.bytes > 0);
    slow.response.socket.pause();
    const paused = publisher.count;
    // The front end cuts whoever takes nothing for eight seconds.
    await until('four seconds of tags', () => publisher.count > paused + 420);
    slow.response.socket.resume();
    await until('lost tags', () => patient.viewing.stats.droppedFrames > droppedFrames || slow.broken);
    const resumed = publisher.count;
    await until('a second more', () => publisher.count > resumed + 100);
    publisher.stop();
    writer.close();
    patient.forget('app/secret');
    await until('the end', () => fast.ended && (slow.ended || slow.broken));
    await decodes(fast);
    await decodes(slow);
  });

  it('a viewer that stops reading for good is cut; others stay', async () => {
    const writer = rig.publish('app/stalled');
    const publisher = new PacedPublisher(writer, film);
    const stays = await TestViewer.watch(url('app/stalled'));
    const stalled = await TestViewer.watch(url('app/stalled'));
    // A response that has just begun would have its socket read again.
    await until('bytes', () => stalled.bytes > 0);
    stalled.response.socket.pause();
    await until('the cut', () => rig.viewing.stats.disconnects.stalled > 0);
    assert.ok(!stays.broken && !stays.ended);
    stays.leave();
    stalled.leave();
    await until('nobody', () => rig.viewing.stats.viewers.http === 0);
    publisher.stop();
    writer.close();
    rig.forget('app/stalled');
  });

  it('ends after the grace when the publisher does not come back', async () => {
    const writer = rig.publish('app/gone');
    const publisher = new PacedPublisher(writer, film);
    const viewer = await TestViewer.watch(url('app/gone'));
    // The first bytes may be headers alone, which nothing can be decoded of.
    await until('a picture', () => publisher.count > 60 && viewer.bytes > 100_000);
    publisher.stop();
    writer.setState('waiting');
    await until('the end', () => viewer.ended);
    assert.ok(!viewer.broken);
    await decodes(viewer);
    writer.close();
    rig.forget('app/gone');
  });

  it('serves a stream of sound alone, with a flag for sound alone', async () => {
    const file = await media.ffmpeg('sound.flv', '-i', SAMPLE, '-t', '4', '-vn', '-c:a', 'copy');
    const writer = rig.publish('app/sound');
    const publisher = new PacedPublisher(writer, liveFilm(file));
    const viewer = await TestViewer.watch(url('app/sound'));
    await until('a second', () => publisher.count > 60);
    publisher.stop();
    writer.close();
    rig.forget('app/sound');
    await until('the end', () => viewer.ended);
    assert.equal(viewer.whole()[4], 4);
    await decodes(viewer);
  });
});

function timestamps(bytes: Buffer): number[] {
  const times: number[] = [];
  for (let at = 13; at + 15 <= bytes.length; at += 15 + bytes.readUIntBE(at + 1, 3)) {
    times.push(bytes.readUIntBE(at + 4, 3) + bytes[at + 7]! * 0x1000000);
  }
  return times;
}
