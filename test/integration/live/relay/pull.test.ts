import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Edge } from '../../../support/edge.js';
import { complaints, MediaFolder } from '../../../support/ffmpeg.js';
import { LiveEdge } from '../../../support/live-edge.js';
import { MessageViewer } from '../../../support/message-viewer.js';
import { freePorts } from '../../../support/ports.js';
import { commandLine } from '../../../support/processes.js';
import { ffmpegPublishing, Program } from '../../../support/rtmp-programs.js';
import { until } from '../../../support/until.js';

/* Streams that one edge has from publishers, and others pull from it. */

const NAME = 'studio/main';

class TestViewer {
  bytes = Buffer.alloc(0);
  ended = false;
  response!: IncomingMessage;

  static async watch(edge: Edge, name = NAME): Promise<TestViewer> {
    const viewer = new TestViewer();
    viewer.response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${edge.url}/live/${name}.flv`, { agent: false }, resolve).once('error', reject);
    });
    viewer.response.on('data', (chunk: Buffer) => {
      viewer.bytes = Buffer.concat([viewer.bytes, chunk]);
    });
    viewer.response.on('error', () => {});
    viewer.response.once('close', () => {
      viewer.ended = true;
    });
    return viewer;
  }

  /** Whole tags of pictures and sound, as type, timestamp and data. */
  get tags(): string[] {
    const tags = [];
    const { bytes } = this;
    for (let at = 13; at + 15 <= bytes.length; ) {
      const end = at + 11 + bytes.readUIntBE(at + 1, 3);
      if (end + 4 > bytes.length) break;
      if (bytes[at] !== 18 && bytes[at + 12] !== 0) tags.push(bytes.toString('base64', at, end));
      at = end + 4;
    }
    return tags;
  }

  leave(): void {
    this.response.destroy();
  }
}

const statusOf = async (edge: Edge, path: string) => {
  const answer = await fetch(`${edge.url}${path}`);
  await answer.body?.cancel();
  return answer.status;
};

const SAMPLES = fileURLToPath(new URL('../../../../src/samples', import.meta.url));

describe('a stream that another edge has', () => {
  let origin: LiveEdge;
  let edge: Edge;
  let media: MediaFolder;
  let publisher: Program;
  const recordings = mkdtempSync('/dev/shm/moovedge-pulled-');
  /** A server that wants to know who asks, and has nothing. */
  const fields: IncomingHttpHeaders[] = [];
  const asked = createServer((request, response) => {
    fields.push(request.headers);
    response.writeHead(404).end();
  });
  before(async () => {
    media = await MediaFolder.make();
    const [port, adminPort] = await freePorts(2);
    // Each pulls from the other, so that what nobody has would go round.
    origin = await LiveEdge.start(`pull: ['http://127.0.0.1:${port}/live/'], grace: 60s`);
    asked.listen(0, '127.0.0.1');
    await once(asked, 'listening');
    const guarded = `http://us%40er:s3cret@127.0.0.1:${(asked.address() as AddressInfo).port}/live/`;
    const sources = JSON.stringify([guarded, 'http://127.0.0.1:1/live/', `${origin.edge.url}/live/`]);
    const settings = `live: {pull: ${sources}, pullHeaders: {X-Token: t0ken}, hls: {window: 6s}, record: {path: ${recordings}}}`;
    edge = await Edge.start({ origin: SAMPLES, workers: 2, ports: { port: port!, adminPort: adminPort! }, settings });
    publisher = new Program('ffmpeg', ffmpegPublishing({ url: origin.url(NAME), duration: 100 }));
    await until('the stream', async () => (await statusOf(origin.edge, `/live/${NAME}/hls.m3u8`)) === 200);
  });
  after(async () => {
    publisher?.child.kill('SIGKILL');
    asked.close();
    rmSync(recordings, { recursive: true });
    await Promise.all([origin?.edge.end(), edge?.end(), media?.remove()]);
  });

  const upstream = async () => {
    const text = await (await fetch(`${origin.edge.admin}/metrics`)).text();
    return Number(/^moovedge_live_viewers\{.*protocol="http".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };

  it('is pulled once for all, with its timestamps and numbers, and no more when nobody has watched for a while', async () => {
    const viewers = await Promise.all(Array.from({ length: 4 }, () => TestViewer.watch(edge)));
    const message = await MessageViewer.open(edge.port, `/live/${NAME}.flv`);
    const there = await TestViewer.watch(origin.edge);
    await until('frames', () => message.frames.length > 5 && viewers.every(({ tags }) => tags.length > 200));
    assert.equal(await upstream(), 2, 'one link and one viewer');
    const all = new Set(there.tags);
    for (const viewer of viewers) {
      const tags = viewer.tags.slice(0, 150);
      const shared = tags.filter(tag => all.has(tag)).length;
      assert.ok(shared > 100, `${shared} tags are those of the other edge, at their times`);
      assert.equal(await complaints(await media.write(wholeOf(viewer.bytes), 'flv')), '');
    }
    const playlist = async (url: string) => (await fetch(`${url}/live/${NAME}/hls.m3u8`)).text();
    const variant = /^[^#\s]\S+/m.exec(await playlist(edge.url))![0];
    const segments = async (url: string) => {
      const text = await (await fetch(new URL(variant, `${url}/live/${NAME}/hls.m3u8`))).text();
      return new Map([...text.matchAll(/#EXTINF:([\d.]+),[^\n]*\n(\S+)/g)].map(([, length, name]) => [name!, length!]));
    };
    await until('segments that both have, of equal lengths', async () => {
      const [here, other] = await Promise.all([segments(edge.url), segments(origin.edge.url)]);
      const both = [...here].filter(([name]) => other.has(name));
      assert.ok(
        both.every(([name, length]) => other.get(name) === length),
        'one number is one segment',
      );
      return both.length >= 2;
    });
    assert.deepEqual(readdirSync(recordings), [], 'a stream is recorded where it is published, and nowhere else');
    for (const viewer of [...viewers, there]) viewer.leave();
    message.socket.destroy();
    await until('the end of the link', async () => (await upstream()) === 0);
    assert.equal(await statusOf(edge, `/live/${NAME}/hls.m3u8`), 200, 'asked for again it is here again');
  });

  it('is asked for with the credentials that are set, which no log has', async () => {
    const [first] = fields;
    assert.equal(first?.authorization, `Basic ${Buffer.from('us@er:s3cret').toString('base64')}`);
    assert.equal(first['x-token'], 't0ken');
    assert.match(String(first['cdn-loop']), /^moovedge-/);
    assert.doesNotMatch(edge.log, /s3cret|t0ken/);
  });

  it('is 404 where nobody has it, though edges pull from one another', async () => {
    const before = fields.length;
    for (const name of ['studio%2F..%2Fadmin', 'studio/a%20b', 'studio/%E2%80%AE', `studio/${'x'.repeat(300)}`]) {
      assert.equal(await statusOf(edge, `/live/${name}.flv`), 404, name);
    }
    assert.equal(fields.length, before, 'no server is asked for what is no name');
    assert.equal(await statusOf(edge, '/live/studio/none.flv'), 404);
    assert.equal(await statusOf(origin.edge, '/live/studio/none.flv'), 404);
    assert.equal(await statusOf(edge, '/live/studio/none/hls.m3u8'), 404);
    const viewer = await MessageViewer.open(edge.port, '/live/studio/none.flv');
    await until('an answer', () => viewer.head !== '');
    assert.match(viewer.head, /^HTTP\/1.1 404 /);
    viewer.socket.destroy();
  });

  it('goes on for those who watch when the process that pulls it is killed', async () => {
    const viewer = await TestViewer.watch(edge);
    await until('tags', () => viewer.tags.length > 50);
    const pid = edge.pids.find(each => commandLine(each).includes('ingest-main'))!;
    process.kill(pid, 'SIGKILL');
    await until('another process', () =>
      edge.pids.some(each => each !== pid && commandLine(each).includes('ingest-main')),
    );
    const { length } = viewer.tags;
    await until('more tags', () => viewer.tags.length > length + 150);
    assert.ok(!viewer.ended);
    assert.equal(new Set(viewer.tags).size, viewer.tags.length, 'nothing twice');
    assert.equal(await complaints(await media.write(wholeOf(viewer.bytes), 'flv')), '');
    viewer.leave();
  });
});

/** What there is up to the last whole tag. */
function wholeOf(bytes: Buffer): Buffer {
  let end = 13;
  while (end + 15 <= bytes.length && end + 15 + bytes.readUIntBE(end + 1, 3) <= bytes.length) {
    end += 15 + bytes.readUIntBE(end + 1, 3);
  }
  return bytes.subarray(0, end);
}
