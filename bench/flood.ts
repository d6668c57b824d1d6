import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RawConnection } from '../test/support/raw-http.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { CLIENT_CORE, LEASH } from './support/server.js';

const FILM = '/1/film.mp4';
const FLOOD = fileURLToPath(new URL('./support/flood-process.ts', import.meta.url));
/** Most milliseconds that somebody else may wait because of a flood. */
const BOUND = 50;

/**
 * How long one honest player waits for its answers while others pipeline requests without end. The flood runs on
 * another core than the edge, and gives the player's core up when that has something to do.
 * `--floods CONNECTIONS,… --asked N`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { floods: '0,50,500', asked: '300' });
  const folder = runFolder(2 ** 28);
  const origin = await startNoiseOrigin();
  const edge = await startEdge({ origin: origin.url, folder, memory: '64MiB' });
  await edge.get(FILM);
  const rows: Row[] = [];
  for (const connections of rest.floods!.split(',').map(Number)) {
    const found: number[][] = [];
    for (let round = 0; round < rounds; round++) found.push(await waits(edge.port, connections, Number(rest.asked)));
    const sample = (share: number) => new Sample(found.map(times => times[Math.floor(times.length * share)]!));
    rows.push({ name: String(connections), values: [sample(0.5), sample(0.99), sample(1 - 1e-9)] });
  }
  origin.close();
  const columns = ['p50 ms', 'p99 ms', 'most ms'].map(title => ({ title, digits: 1 }));
  const table = { title: 'time to the answer of an honest player, by connections that flood', columns, rows };
  return { title: 'pipelined floods', tables: [table], notes: [`at most ${BOUND} ms are to be waited`] };
}

/** Milliseconds that each of `count` answers took, the shortest first. */
async function waits(port: number, connections: number, count: number): Promise<number[]> {
  const command = [
    'nice',
    '-n',
    '19',
    'taskset',
    '-c',
    String(CLIENT_CORE),
    process.execPath,
    '--import',
    'tsx',
    FLOOD,
  ];
  const args = [...LEASH, ...command, String(port), FILM, String(connections)];
  const flood = connections === 0 ? undefined : spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (flood !== undefined) await once(flood.stdout, 'data');
  const player = await RawConnection.open(port);
  const times: number[] = [];
  try {
    while (times.length < count) {
      const start = performance.now();
      const { status } = await player.send(`GET ${FILM} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3\r\n\r\n`).answer();
      if (status !== 206) throw new Error(`the edge answers ${status}`);
      times.push(performance.now() - start);
    }
  } finally {
    player.socket.destroy();
    if (flood !== undefined) {
      flood.kill();
      await once(flood, 'exit');
    }
  }
  return times.sort((a, b) => a - b);
}
