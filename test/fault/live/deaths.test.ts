/** Processes of an edge die while a stream is watched: who is not theirs notices nothing, who waits goes on. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { get, type IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Edge } from '../../support/edge.js';
import { freePorts } from '../../support/ports.js';
import { commandLine, kill } from '../../support/processes.js';
import { until } from '../../support/until.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const NAME = 'demo/test';

let edge: Edge;
let rtmp = 0;
let publisher: ChildProcess;

before(async () => {
  [rtmp = 0] = await freePorts(1);
  const settings = `live: {rtmp: {host: 127.0.0.1, port: ${rtmp}}, grace: 60s}`;
  edge = await Edge.start({ origin: SAMPLES, workers: 2, settings });
  publisher = publish();
  await until('the stream', async () => (await fetch(`${edge.url}/live/${NAME}.flv`, { method: 'HEAD' })).ok);
});
after(async () => {
  publisher.kill('SIGKILL');
  await edge.end();
});

function publish(): ChildProcess {
  const input = ['-stream_loop', '-1', '-i', `${SAMPLES}keyframes.flv`, '-c', 'copy'];
  const target = ['-f', 'flv', `rtmp://127.0.0.1:${rtmp}/${NAME}`];
  return spawn('ffmpeg', ['-nostdin', '-v', 'fatal', '-re', ...input, ...target], { stdio: 'ignore' });
}

class Watcher {
  #bytes = Buffer.alloc(0);
  over = false;
  #response!: IncomingMessage;

  static async open(): Promise<Watcher> {
    const watcher = new Watcher();
    watcher.#response = await new Promise((resolve, reject) => {
      get(`${edge.url}/live/${NAME}.flv`, { agent: false }, resolve).once('error', reject);
    });
    const end = () => {
      watcher.over = true;
    };
    watcher.#response.on('data', (chunk: Buffer) => {
      watcher.#bytes = Buffer.concat([watcher.#bytes, chunk]);
    });
    watcher.#response.once('end', end).once('error', end);
    await until('a tag', () => watcher.times.length > 0 || watcher.over);
    return watcher;
  }

  /** Timestamps of the whole tags that have come. */
  get times(): number[] {
    const times: number[] = [];
    const bytes = this.#bytes;
    for (let at = 13; at + 15 <= bytes.length; ) {
      const end = at + 15 + bytes.readUIntBE(at + 1, 3);
      if (end <= bytes.length) times.push(bytes.readUIntBE(at + 4, 3) + bytes[at + 7]! * 0x1000000);
      at = end;
    }
    return times;
  }

  close(): void {
    this.#response.destroy();
  }
}

/** The longest step from a tag to the next, and the farthest one back, in milliseconds. */
function steps(times: readonly number[]): { readonly gap: number; readonly back: number } {
  const each = times.slice(1).map((time, at) => time - times[at]!);
  return { gap: Math.max(...each), back: -Math.min(...each) };
}

test('a worker is killed: viewers of the others lose nothing', async () => {
  // The kernel spreads connections, so with so many each worker has some.
  const watchers = await Promise.all(Array.from({ length: 24 }, () => Watcher.open()));
  assert.ok(watchers.every(({ over }) => !over));
  const [victim] = edge.workers;
  kill(victim!);
  await until('the death', () => watchers.some(({ over }) => over));
  // The ends of connections are seen one after the other: who has had half a second since then has not ended with it.
  const atDeath = watchers.map(({ times }) => times.at(-1)!);
  await until('all ends', () => watchers.every(({ over, times }, at) => over || times.at(-1)! > atDeath[at]! + 500));
  const left = watchers.filter(({ over }) => !over);
  assert.ok(left.length > 0 && left.length < watchers.length, `${left.length} of ${watchers.length}`);
  const marks = left.map(({ times }) => times.at(-1)!);
  await until('two seconds more', () => left.every(({ times }, at) => times.at(-1)! > marks[at]! + 2000));
  for (const watcher of left) {
    assert.ok(!watcher.over);
    const { gap, back } = steps(watcher.times);
    assert.ok(gap < 150 && back < 100, `a gap of ${gap} ms, ${back} ms back`);
  }
  for (const watcher of watchers) watcher.close();
});

test('the process that takes publishers is killed: viewers wait, and go on with the next publisher', async () => {
  const watchers = await Promise.all(Array.from({ length: 4 }, () => Watcher.open()));
  const ingest = edge.pids.find(pid => commandLine(pid).includes('ingest'));
  assert.ok(ingest !== undefined);
  const before = segmentsOf(await playlist());
  kill(ingest);
  publisher.kill('SIGKILL');
  await until('another one', () => edge.pids.some(pid => pid !== ingest && commandLine(pid).includes('ingest')));
  const marks = watchers.map(({ times }) => times.length);
  publisher = publish();
  await until(
    () => `tags of the next publisher; over: ${watchers.map(({ over }) => over)}`,
    () => {
      // It may be refused until the port is open again.
      if (publisher.exitCode !== null) publisher = publish();
      return watchers.every(({ times }, at) => times.length > marks[at]! + 100);
    },
  );
  for (const watcher of watchers) {
    assert.ok(!watcher.over);
    assert.ok(steps(watcher.times).back < 100, 'time goes on');
    watcher.close();
  }
  // So do the numbers of HLS, in whichever worker.
  let text = '';
  const isBehind = () =>
    text
      .split('#EXT-X-DISCONTINUITY\n')
      .slice(1)
      .some(run => segmentsOf(run).length > 0);
  await until(
    () => `a segment of the next publisher in ${text}`,
    async () => {
      text = await playlist();
      return isBehind();
    },
  );
  const after = segmentsOf(text);
  assert.deepEqual(
    after,
    after.map((_, at) => after[0]! + at),
  );
  // The window may have moved meanwhile, but begins within what there was.
  assert.ok(after[0]! >= before[0]! && after[0]! <= before.at(-1)!, `from ${after[0]}, after ${before.join(' ')}`);
  assert.ok(after.at(-1)! > before.at(-1)!);
});

async function playlist(): Promise<string> {
  const answer = await fetch(`${edge.url}/live/${NAME}/hls/v1.m3u8`, { headers: { connection: 'close' } });
  assert.equal(answer.status, 200);
  return answer.text();
}

/** Numbers of the segments of a playlist. */
function segmentsOf(text: string): number[] {
  return [...text.matchAll(/^v1\/(\d+)\.m4s$/gm)].map(([, number]) => Number(number));
}
