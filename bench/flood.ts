import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as secureConnect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { RawConnection } from '../test/support/raw-http.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { CLIENT_CORE, LEASH, type Server } from './support/server.js';
import { makeTlsFiles } from './support/tls-files.js';

const FILM = '/1/film.mp4';
const QUESTION = `GET ${FILM} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3\r\n\r\n`;
const FLOOD = fileURLToPath(new URL('./support/flood-process.ts', import.meta.url));
const ORIGIN = fileURLToPath(new URL('./support/noise-process.ts', import.meta.url));
/** Most milliseconds that somebody else may wait because of a flood. */
const BOUND = 50;
const SHARES = [0.5, 0.99, 1 - 1e-9];
/** Milliseconds between two requests of the honest player, in which the flood has its core for itself. */
const PAUSE = 10;
const KINDS = 'hits,heads,missing,unknown,misses,methods,connections,malformed,bodies,hits_tls,handshakes_tls';

/**
 * How long one honest player waits for its answers while others flood the edge, on a connection that it keeps and on
 * new ones in turns. Flood and origin run on another core than the edge, in processes of their own, and give that core
 * up when the player has something to do. `--floods CONNECTIONS,… --kinds KIND,… --asked N`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, against, rest } = benchOptions(args, { floods: '50,500', kinds: KINDS, asked: '200' });
  const folder = runFolder(2 ** 28);
  const origin = await behind(ORIGIN);
  const builds = [{}, ...(against === undefined ? [] : [{ name: 'before', main: join(against, 'dist/cli.js') }])];
  const started = builds.map(async build => {
    const setup = { origin: origin.said, folder, memory: '64MiB', ...build };
    return { plain: await startEdge(setup), secure: await startEdge({ ...setup, tls: makeTlsFiles(folder) }) };
  });
  const edges = await Promise.all(started);
  const rows: Row[] = [];
  const measure = async (kind: string, connections: number) => {
    const asked = Number(rest.asked);
    const found = edges.map((): Wait[][] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { plain, secure }] of edges.entries())
        found[i]!.push(await waits(kind.endsWith('_tls') ? secure : plain, kind, connections, asked));
    }
    for (const [i, { plain }] of edges.entries()) tell(`${kind || 'none'} ${connections} ${plain.name}`, found[i]!);
  };
  const tell = (name: string, found: readonly Wait[][]) => {
    const sample = (what: keyof Wait, share: number) =>
      new Sample(
        found.map(waited => waited.map(each => each[what]).sort((a, b) => a - b)[Math.floor(waited.length * share)]!),
      );
    const values = SHARES.flatMap(share => [sample('time', share), sample('work', share)]);
    rows.push({ name, values });
  };
  await measure('', 0);
  for (const kind of rest.kinds!.split(',')) {
    for (const connections of rest.floods!.split(',').map(Number)) await measure(kind, connections);
  }
  await origin.end();
  const columns = ['p50 ms', '(edge)', 'p99 ms', '(edge)', 'most ms', '(edge)'].map(title => ({ title, digits: 1 }));
  const table = { title: 'time to the answer of an honest player, by the flood and its connections', columns, rows };
  return {
    title: 'floods',
    tables: [table],
    notes: [`at most ${BOUND} ms are to be waited; (edge) is what the edge itself worked meanwhile`],
  };
}

/** What an answer took. */
interface Wait {
  /** Milliseconds. */
  readonly time: number;
  /** Milliseconds of them in which the edge's loop was at work, rather than others on its core. */
  readonly work: number;
}

/** Asks on a new connection, and leaves it open when the answer has come. */
async function player(edge: Server): Promise<RawConnection> {
  const connection = await connected(edge);
  await ask(connection);
  return connection;
}

async function connected({ port, url }: Server): Promise<RawConnection> {
  const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const isSecure = url.startsWith('https:');
  const socket: Socket = isSecure ? secureConnect(to) : connect(to);
  await once(socket, isSecure ? 'secureConnect' : 'connect');
  return RawConnection.over(socket);
}

/** @returns Cache-Status */
async function ask(connection: RawConnection): Promise<string> {
  const { status, fields } = await connection.send(QUESTION).answer();
  if (status !== 206) throw new Error(`the edge answers ${status}`);
  return fields['cache-status'] ?? '';
}

/** Starts a module as a process that comes behind the player on the client's core, and waits for what it says. */
async function behind(module: string, ...args: string[]): Promise<{ readonly said: string; end(): Promise<void> }> {
  const bound = ['nice', '-n', '10', 'taskset', '-c', String(CLIENT_CORE)];
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const child = spawn('setpriv', [...LEASH, ...bound, process.execPath, '--import', 'tsx', module, ...args], { stdio });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const end = async () => {
    child.kill();
    await once(child, 'exit');
  };
  return { said: said.toString().trim(), end };
}

/** What each of `count` answers took. */
async function waits(edge: Server, kind: string, connections: number, count: number): Promise<Wait[]> {
  const flood = connections === 0 ? undefined : await behind(FLOOD, String(edge.port), FILM, String(connections), kind);
  const kept = await connected(edge);
  // While the flood began nobody has asked for the film, and others may have taken its place in memory.
  while (!(await ask(kept)).includes('hit'));
  const found: Wait[] = [];
  const clock = edge.loopClock();
  try {
    while (found.length < count) {
      await sleep(PAUSE);
      const [start, worked] = [performance.now(), clock()];
      if (found.length % 2 === 0) await ask(kept);
      else (await player(edge)).socket.destroy();
      found.push({ time: performance.now() - start, work: clock() - worked });
    }
  } finally {
    kept.socket.destroy();
    await flood?.end();
  }
  return found;
}
