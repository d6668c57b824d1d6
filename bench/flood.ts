import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as secureConnect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { RawConnection } from '../test/support/raw-http.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { CLIENT_CORE, LEASH, type Server } from './support/server.js';
import { makeTlsFiles } from './support/tls-files.js';

const FILM = '/1/film.mp4';
const QUESTION = `GET ${FILM} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3\r\n\r\n`;
const FLOOD = fileURLToPath(new URL('./support/flood-process.ts', import.meta.url));
/** Most milliseconds that somebody else may wait because of a flood. */
const BOUND = 50;
/** Milliseconds between two requests of the honest player, in which the flood has its core for itself. */
const PAUSE = 10;
const KINDS = 'hits,heads,missing,unknown,misses,methods,connections,malformed,bodies,hits_tls,handshakes_tls';

/**
 * How long one honest player waits for its answers while others flood the edge, on a connection that it keeps and on
 * new ones in turns. The flood runs on another core than the edge, and gives the player's core up when that has
 * something to do. `--floods CONNECTIONS,… --kinds KIND,… --asked N`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { floods: '50,500', kinds: KINDS, asked: '200' });
  const folder = runFolder(2 ** 28);
  const origin = await startNoiseOrigin();
  const plain = await startEdge({ origin: origin.url, folder, memory: '64MiB' });
  const secure = await startEdge({ origin: origin.url, folder, memory: '64MiB', tls: makeTlsFiles(folder) });
  for (const edge of [plain, secure]) (await player(edge)).socket.destroy();
  const rows: Row[] = [];
  const measure = async (name: string, edge: Server, kind: string, connections: number) => {
    const found: number[][] = [];
    for (let round = 0; round < rounds; round++) found.push(await waits(edge, kind, connections, Number(rest.asked)));
    const sample = (share: number) => new Sample(found.map(times => times[Math.floor(times.length * share)]!));
    rows.push({ name, values: [sample(0.5), sample(0.99), sample(1 - 1e-9)] });
  };
  await measure('none', plain, '', 0);
  for (const kind of rest.kinds!.split(',')) {
    for (const connections of rest.floods!.split(',').map(Number))
      await measure(`${kind} ${connections}`, kind.endsWith('_tls') ? secure : plain, kind, connections);
  }
  origin.close();
  const columns = ['p50 ms', 'p99 ms', 'most ms'].map(title => ({ title, digits: 1 }));
  const table = { title: 'time to the answer of an honest player, by the flood and its connections', columns, rows };
  return { title: 'floods', tables: [table], notes: [`at most ${BOUND} ms are to be waited`] };
}

/** Asks on a new connection, and leaves it open when the answer has come. */
async function player({ port, url }: Server): Promise<RawConnection> {
  const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const isSecure = url.startsWith('https:');
  const socket: Socket = isSecure ? secureConnect(to) : connect(to);
  await once(socket, isSecure ? 'secureConnect' : 'connect');
  const connection = RawConnection.over(socket);
  await ask(connection);
  return connection;
}

async function ask(connection: RawConnection): Promise<void> {
  const { status } = await connection.send(QUESTION).answer();
  if (status !== 206) throw new Error(`the edge answers ${status}`);
}

/** Milliseconds that each of `count` answers took, the shortest first. */
async function waits(edge: Server, kind: string, connections: number, count: number): Promise<number[]> {
  const bound = ['nice', '-n', '10', 'taskset', '-c', String(CLIENT_CORE)];
  const program = [process.execPath, '--import', 'tsx', FLOOD, String(edge.port), FILM, String(connections), kind];
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const flood = connections === 0 ? undefined : spawn('setpriv', [...LEASH, ...bound, ...program], { stdio });
  if (flood !== undefined) await once(flood.stdout, 'data');
  const kept = await player(edge);
  const times: number[] = [];
  try {
    while (times.length < count) {
      await sleep(PAUSE);
      const start = performance.now();
      if (times.length % 2 === 0) await ask(kept);
      else (await player(edge)).socket.destroy();
      times.push(performance.now() - start);
    }
  } finally {
    kept.socket.destroy();
    if (flood !== undefined) {
      flood.kill();
      await once(flood, 'exit');
    }
  }
  return times.sort((a, b) => a - b);
}
