import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgeError } from '../base/errors.js';
import { type Listener, listenersOf, processOf } from './sockets.js';

/** Title of the supervisor's process; workers are called `moovedge worker N`. */
export const PROCESS_TITLE = 'moovedge';

/**
 * Milliseconds that workers whose supervisor has died are given to let go of the port. They do so at once, unless they
 * hang or are stopped: then they answer nobody, and are killed like those of a supervisor that lives.
 */
const ORPHANS_WAIT = 10_000;
/** The same when nobody is seen to hold it, and no orphan was: the holder has ended, or belongs to another user. */
const UNSEEN_WAIT = 1000;
const INTERVAL = 100;

/**
 * Checks that nobody listens where the workers are about to. Workers share the port among each other (SO_REUSEPORT), so
 * without this check two edges would share it too, unnoticed.
 * @param listeners finds those who listen there
 * @throws EdgeError `port` that says who has the port, or why it can't be listened on
 */
export async function requireFreePort(host: string, port: number, listeners = listenersOf): Promise<void> {
  let begun = performance.now();
  let hasKilled = false;
  let wereOrphans = false;
  let wereSeen = false;
  for (;;) {
    const error = await tryListen(host, port);
    if (error === undefined) return;
    if (error.code !== 'EADDRINUSE') throw new EdgeError('port', listenFailure(host, port, error));
    const holders = listeners(host, port);
    const isSeen = holders.length > 0;
    const areOrphans = isSeen && holders.every(isOrphan);
    // Those who are not seen any more are ending, which takes a while on a busy machine.
    if (wereSeen && !isSeen) begun = performance.now();
    wereSeen = isSeen;
    wereOrphans = areOrphans || (wereOrphans && !isSeen);
    const patience = wereOrphans ? ORPHANS_WAIT : isSeen ? 0 : UNSEEN_WAIT;
    if (performance.now() - begun >= patience) {
      if (!areOrphans || hasKilled) throw new EdgeError('port', taken(port, holders));
      hasKilled = true;
      for (const { pid } of holders) kill(pid);
      begun = performance.now();
    }
    await sleep(INTERVAL);
  }
}

/** The supervisor of an edge that listens there; undefined when there is none, or it is another user's. */
export function edgeAt(host: string, port: number): Listener | undefined {
  for (const { parent } of listenersOf(host, port)) {
    const supervisor = processOf(parent);
    if (supervisor?.name === PROCESS_TITLE && supervisor.pid !== process.pid) return supervisor;
  }
  return undefined;
}

/** Why an address can't be listened on, in one line. */
export function listenFailure(host: string, port: number, { code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return taken(port, listenersOf(host, port));
    case 'EACCES':
      return `no permission to listen on port ${port}: ports below 1024 need root or CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `can't listen on ${host}: no network interface of this machine has that address`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `can't listen on ${host}: no such host`;
    default:
      return `can't listen on ${host} port ${port}: ${message}`;
  }
}

function taken(port: number, holders: readonly Listener[]): string {
  const names = [...new Set(holders.map(({ name, pid }) => `${name} (pid ${pid})`))];
  const by = names.length === 0 ? 'another program' : names.join(', ');
  const isEdge = holders.some(({ name }) => name.startsWith(PROCESS_TITLE));
  return `port ${port} is taken by ${by}: stop it, choose another port${isEdge ? ', or start with --take-over' : ''}`;
}

function isOrphan({ name, parent }: Listener): boolean {
  return name.startsWith(`${PROCESS_TITLE} worker`) && processOf(parent)?.name !== PROCESS_TITLE;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, or is another user's: the port tells.
  }
}

function tryListen(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
