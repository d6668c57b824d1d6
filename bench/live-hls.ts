import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/support/ports.js';
import { RtmpPublisher } from '../test/support/rtmp-publisher.js';
import { until } from '../test/support/until.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { publishTo } from './support/live-stream.js';
import { LoadClient } from './support/load-client.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';

const SAMPLES = fileURLToPath(new URL('../src/samples', import.meta.url));

/** What the players tell at their end. Times in milliseconds. */
interface Told {
  readonly bytes: number;
  readonly requests: number;
  readonly refused: number;
  readonly closed: number;
  readonly tags: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: number;
}

/**
 * Players of one live stream of 600 kb/s by HLS with low latency, each of whom waits for every playlist and gets every
 * part: processor time of an edge with one worker, ingest included, requests, and the age of the newest tag of a part
 * when a player has it. `--players N,…`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, { players: '100,1000' });
  const folder = runFolder(2 ** 28);
  mkdirSync(folder, { recursive: true });
  const client = new LoadClient(folder, 'hls-players');
  const rows = [];
  for (const players of (rest.players ?? '').split(',').map(Number)) {
    const found: (readonly number[])[] = [];
    for (let round = 0; round < rounds; round++) found.push(await measure(client, folder, players, seconds));
    rows.push({
      name: `${players} players`,
      values: COLUMNS.map((_, at) => new Sample(found.map(values => values[at]!))),
    });
  }
  const notes = ['age: from the coming of the newest tag of a part to the part’s coming whole to a player'];
  return { title: 'players of live HLS', tables: [{ title: 'parts of 200 ms', columns: COLUMNS, rows }], notes };
}

const COLUMNS = [
  { title: 'Gb/s', digits: 2 },
  { title: 'requests/s', digits: 0 },
  { title: 'core', digits: 2 },
  { title: 'µs a request', digits: 1 },
  { title: "players' core", digits: 2 },
  { title: 'age p50 ms', digits: 1 },
  { title: 'age p99 ms', digits: 1 },
  { title: 'lost tags', digits: 0 },
  { title: 'refused', digits: 0 },
];

async function measure(client: LoadClient, folder: string, players: number, seconds: number): Promise<number[]> {
  const rtmpPort = await freePort();
  const settings = `live: {rtmp: {host: 127.0.0.1, port: ${rtmpPort}}}`;
  const edge = await startEdge({ origin: SAMPLES, folder, memory: '64MiB', settings });
  try {
    const publisher = await RtmpPublisher.publish(rtmpPort, 'live/name');
    const timer = publishTo(publisher);
    try {
      await until('a segment', async () => (await edge.get('/live/live/name/hls/v1.m3u8')).body.includes('EXTINF'));
      let begun = 0;
      const told = await client.run<Told>([edge.port, '/live/live/name/hls/v1.m3u8', players, seconds], () => {
        begun = edge.cpuSeconds();
      });
      const core = (edge.cpuSeconds() - begun) / seconds;
      const each = told.requests / seconds;
      const gigabits = (told.bytes * 8) / 1e9 / seconds;
      const { cpu, p50, p99, lost, refused, closed } = told;
      return [gigabits, each, core, (core / each) * 1e6, cpu, p50, p99, lost, refused + closed];
    } finally {
      clearInterval(timer);
      publisher.break();
    }
  } finally {
    await edge.stop();
  }
}
