import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { after } from 'node:test';
import { connect as secureConnect } from 'node:tls';
import { EdgeError } from '../../src/base/errors.js';
import { certificateFiles } from './certificate.js';
import { type Engine, listening, startEdge } from './http-edge.js';

const BOUNDS = { connections: 10_000, perClient: 0, requests: 0, loopback: true, unsentBytes: 0 };
/** Milliseconds that each request takes of the loop. */
const WORK = 2;

const { cert, files: tls } = certificateFiles();

/** What a busy edge listens with. */
export interface BusyKind {
  readonly engine: Engine;
  readonly secure: boolean;
  readonly http2?: boolean;
}

/** A request for a path. */
export const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** A server whose every request takes the loop for a while, and notes in which of the loop's turns it does. */
export async function busyEdge({ engine, secure, http2 = false }: BusyKind) {
  const edge = await startEdge(
    { bounds: BOUNDS },
    listening(engine, { bounds: BOUNDS, http2, ...(secure && { tls }) }),
  );
  let turn = 0;
  let ended = false;
  const tick = () => {
    turn++;
    if (!ended) setImmediate(tick);
  };
  tick();
  after(() => {
    ended = true;
  });
  const handled: { path: string; turn: number }[] = [];
  const add = (path: string) =>
    edge.content.paths.set(path, () => {
      handled.push({ path, turn });
      for (const end = performance.now() + WORK; performance.now() < end; );
      throw new EdgeError('not_found', 'no such file');
    });
  const open = async (address = '127.0.0.1') => {
    const to = { port: edge.port, host: '127.0.0.1', localAddress: address };
    const socket: Socket = secure ? secureConnect({ ...to, ca: cert, servername: 'localhost' }) : connect(to);
    socket.on('error', () => {}).resume();
    after(() => socket.destroy());
    await once(socket, secure ? 'secureConnect' : 'connect');
    // Node accepts one connection a turn, and so may not have this one yet.
    socket.write(request('/none'));
    await once(socket, 'data');
    return socket;
  };
  /** A session of HTTP/2. @param tcp what it goes over */
  const openSession = async (
    address = '127.0.0.1',
    tcp = connect({ port: edge.port, host: '127.0.0.1', localAddress: address }),
  ) => {
    const socket = secureConnect({ socket: tcp, ca: cert, servername: 'localhost', ALPNProtocols: ['h2'] });
    const session = connectHttp2('https://localhost', { createConnection: () => socket });
    session.on('error', () => {});
    after(() => session.destroy());
    await once(session, 'remoteSettings');
    return session;
  };
  const openAll = (count: number, address?: string) => Promise.all(Array.from({ length: count }, () => open(address)));
  /** How many requests for a path have been handled. */
  const count = (path: string) => handled.filter(each => each.path === path).length;
  /** Resolves within a turn, with its number. */
  const immediate = () => new Promise<number>(resolve => setImmediate(() => resolve(turn)));
  return { ...edge, handled, count, add, open, openAll, openSession, immediate };
}

/** Most requests that were handled in one turn. */
export function mostInATurn(handled: readonly { turn: number }[]): number {
  const counts = new Map<number, number>();
  for (const { turn } of handled) counts.set(turn, (counts.get(turn) ?? 0) + 1);
  return Math.max(...counts.values());
}
