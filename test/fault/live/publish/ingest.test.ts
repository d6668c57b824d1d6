import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ShiftIndex, shiftIndexOf } from '../../../../src/live/shift/shift-index.js';
import { Edge } from '../../../support/edge.js';
import { audio, video } from '../../../support/flv.js';
import { LiveEdge, readRing } from '../../../support/live-edge.js';
import { kill } from '../../../support/processes.js';
import { ReturningHttpViewer, ReturningMessageViewer } from '../../../support/returning-viewers.js';
import { Program } from '../../../support/rtmp-programs.js';
import { RtmpPublisher } from '../../../support/rtmp-publisher.js';
import { until } from '../../../support/until.js';

/** Sends a group of 25 frames with sound. */
function play(publisher: RtmpPublisher, from = 0): void {
  publisher.media(9, from, video('config', 20, 1));
  publisher.media(8, from, audio('config', 2, 1));
  for (let i = 0; i < 25; i++) {
    publisher.media(9, from + i * 40, video(i === 0 ? 'key' : 'inter', 500, i));
    publisher.media(8, from + i * 40, audio('frame', 90, i));
  }
}

/** Publishes, as soon as somebody listens. */
function comeBack(port: number, stream: string): Promise<RtmpPublisher> {
  return until('a publisher that is let in', async () => {
    const publisher = await RtmpPublisher.publish(port, stream).catch(() => undefined);
    return publisher?.isPublishing === true && publisher;
  });
}

/** A ring that is gone on with: the same file, which has all tags, in order of time. */
async function assertGoesOn(live: LiveEdge, ring: string, port = live.rtmpPort): Promise<void> {
  const before = readRing(ring);
  const publisher = await comeBack(port, 'live/cam');
  play(publisher, 9_000_000);
  const { tags, state } = await until('its tags', () => {
    const found = readRing(ring);
    return found.tags.length === before.tags.length + 50 && found;
  });
  const others = live.rings.filter(file => file.endsWith('.ring') && !file.includes(encodeURIComponent(WATCHED)));
  assert.deepEqual(others, [ring]);
  assert.equal(state, 'publishing');
  const times = tags.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok(times.at(-1)! < 600_000, `${times.at(-1)} ms`);
  await publisher.stop();
}

/** A stream that is watched. */
const WATCHED = 'live/watched';

/** Publishes one of the bundled clips again and again. */
function send(live: LiveEdge): Program {
  const clip = fileURLToPath(new URL('../../../../src/samples/keyframes.flv', import.meta.url));
  const input = ['-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  return new Program('ffmpeg', ['-nostdin', '-v', 'fatal', '-re', ...input, '-f', 'flv', live.url(WATCHED)]);
}

/** A player of HLS, which asks for the playlist again and again. */
class HlsPlayer {
  readonly #url: string;
  /** Segments by their names, in the order in which they came. */
  readonly #segments = new Map<string, Buffer>();
  discontinuities = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Looks once; whether so many segments have come, without a gap. */
  async plays(count: number): Promise<boolean> {
    const text = (await this.#get('')).toString();
    const names = [...text.matchAll(/^v1\/\d+\.m4s$/gm)].map(([name]) => name);
    for (const name of names) if (!this.#segments.has(name)) this.#segments.set(name, await this.#get(name));
    const numbers = [...this.#segments.keys()].map(name => Number(/\d+/.exec(name.slice(3))![0]));
    assert.deepEqual(
      numbers,
      numbers.map((_, at) => numbers[0]! + at),
    );
    this.discontinuities = text.split('#EXT-X-DISCONTINUITY\n').length - 1;
    return this.#segments.size >= count;
  }

  /** Whoever answers has the same bytes as who answered before. */
  async assertKept(): Promise<void> {
    for (const [name, bytes] of [...this.#segments].slice(-6)) {
      assert.ok(bytes.length > 500 && bytes.equals(await this.#get(name)), name);
    }
  }

  async #get(name: string): Promise<Buffer> {
    const answer = await fetch(new URL(name, this.#url), { headers: { connection: 'close' } });
    assert.equal(answer.status, 200, name);
    return Buffer.from(await answer.arrayBuffer());
  }
}

/** @param more settings of `live` */
async function startStream(more = ''): Promise<{ live: LiveEdge; ring: string; publisher: RtmpPublisher }> {
  const live = await LiveEdge.start(`grace: 60s, hls: {segment: 1s}${more}`);
  const publisher = await RtmpPublisher.publish(live.rtmpPort, 'live/cam');
  play(publisher);
  const ring = await until('a ring with all tags', () => {
    const file = live.rings.find(name => name.endsWith('.ring'));
    return file !== undefined && readRing(file).tags.length === 50 && file;
  });
  return { live, ring, publisher };
}

describe('ingest', () => {
  it('is replaced when it is killed, and its streams go on', async () => {
    const { live, ring, publisher } = await startStream();
    try {
      for (let round = 0; round < 2; round++) {
        const pid = live.ingestPid!;
        kill(pid);
        await publisher.closed();
        await until('another one', () => live.ingestPid !== undefined && live.ingestPid !== pid);
        await assertGoesOn(live, ring);
      }
    } finally {
      await live.edge.end();
    }
  });

  it('goes on over a reload, and in the edge that takes over, for viewers by every protocol', async () => {
    const folder = mkdtempSync('/dev/shm/moovedge-take-over-');
    after(() => rmSync(folder, { recursive: true }));
    const record = `, record: {path: ${folder}}`;
    const { live, ring, publisher } = await startStream(record);
    const { edge } = live;
    let next: Edge | undefined;
    // Beside it a stream that somebody sends all the while, and others watch.
    let sender = send(live);
    const path = `${edge.url}/live/${WATCHED}`;
    const viewers = [
      new ReturningHttpViewer(new URL(`${path}.flv`)),
      new ReturningMessageViewer(new URL(`${path}.flv`)),
    ];
    const player = new HlsPlayer(`${path}/hls/v1.m3u8`);
    // Who says nothing would be given up meanwhile.
    const alive = setInterval(() => publisher.message(2, 4, 0, Buffer.from([0, 7, 0, 0, 0, 0])), 1000);
    try {
      await until('the stream', async () => (await fetch(`${path}/hls.m3u8`)).status === 200);
      for (const viewer of viewers) viewer.start();
      await until('frames', () => viewers.every(({ last }) => last > 1000));
      await until('segments', () => player.plays(2));
      const settings = LiveEdge.settings(live.rtmpPort, `grace: 60s, hls: {segment: 1s}, buffer: 9s${record}`);
      edge.configure(settings);
      edge.signal('SIGHUP');
      await edge.logged('"reloaded"');
      await until('they come again', () => viewers.every(({ visits }) => visits >= 2));
      const marks = viewers.map(({ last }) => last);
      await until('more frames', () => viewers.every(({ last }, at) => last > marks[at]! + 1000));
      await until('more segments', () => player.plays(3));
      assert.ok(sender.child.exitCode === null && !publisher.isClosed, 'publishers notice nothing of a reload');

      const { port, adminPort, folder: files } = edge;
      const ports = { port, adminPort };
      next = await Edge.start({ origin: files, ports, folder: files, settings, takeOver: true });
      await publisher.closed();
      assert.ok(publisher.statuses.includes('NetConnection.Connect.ReconnectRequest'), 'it was asked to come back');
      await sender.exited;
      // It does not know that request, and is begun again by whoever runs it.
      const before = viewers.map(({ last }) => last);
      await until('frames of the next one', () => {
        if (sender.child.exitCode !== null) sender = send(live);
        return viewers.every(({ last, visits }, at) => visits >= 3 && last > before[at]! + 2000);
      });
      await until('segments of the next one', async () => (await player.plays(6)) && player.discontinuities > 0);
      await player.assertKept();
      // Who goes back gets what the process before has recorded.
      const [file, ...others] = readdirSync(join(folder, 'live')).filter(name => name.startsWith('watched'));
      assert.deepEqual([file?.endsWith('.flv.part'), others], [true, []]);
      const index = ShiftIndex.open(shiftIndexOf(live.rings.find(name => name.endsWith('.ring') && name !== ring)!))!;
      assert.ok(index.count > 2 && index.point(0)!.time === 0, `${index.count} places to begin at`);
      index.close();
      assert.deepEqual(
        viewers.flatMap(({ wrong }) => wrong),
        [],
      );
      await assertGoesOn(live, ring);
      await edge.exited;
    } finally {
      clearInterval(alive);
      for (const viewer of viewers) await viewer.stop();
      sender.child.kill('SIGKILL');
      await next?.end();
    }
  });

  it('goes on in the edge that follows one whose supervisor was killed', async () => {
    const { live, ring, publisher } = await startStream();
    try {
      live.edge.signal('SIGKILL');
      await publisher.closed();
      await live.edge.exited;
      await live.edge.restart();
      await assertGoesOn(live, ring);
    } finally {
      await live.edge.end();
    }
  });

  it('is not hurt by workers that die, nor by publishers of other streams', async () => {
    const { live, ring, publisher } = await startStream();
    try {
      const pid = live.ingestPid;
      for (const worker of live.edge.workers) kill(worker);
      const other = await RtmpPublisher.publish(live.rtmpPort, 'live/other');
      other.write(Buffer.alloc(5000, 0xff));
      await other.closed();
      play(publisher, 1000);
      await until('all tags', () => readRing(ring).tags.length === 100);
      assert.equal(live.ingestPid, pid);
    } finally {
      await live.edge.end();
    }
  });
});
