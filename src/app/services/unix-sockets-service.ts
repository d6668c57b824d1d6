import { closeSync, lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { EdgeError } from '../../base/errors.js';
import { native } from '../../base/native.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import { refuseChange } from './refuse-change.js';

/** A Unix socket that players or proxies connect to. */
interface UnixSocket {
  readonly path: string;
  readonly descriptor: number;
  /** Number of its file, by which it is known from one that took its place. */
  readonly inode: number;
}

/**
 * Unix sockets that the edge listens at. The supervisor has them, so that they outlive workers and a reload refuses
 * nobody; an edge that takes over puts its own in their place at once.
 */
export class UnixSocketsService implements Service<Config> {
  readonly name = 'unixSockets';
  readonly #places: string;
  readonly #sockets: readonly UnixSocket[];

  private constructor(places: string, sockets: readonly UnixSocket[]) {
    this.#places = places;
    this.#sockets = sockets;
  }

  /** @throws EdgeError `port` that says why a socket can't be listened at */
  static async open({ config, takeOver }: ServiceContext<Config, EdgeEvents>): Promise<UnixSocketsService> {
    const sockets: UnixSocket[] = [];
    for (const { unix, mode } of config.listen) {
      if (unix === undefined) continue;
      await requireFree(unix, takeOver);
      try {
        const descriptor = native.openUnixListener(unix, Number.parseInt(mode, 8));
        sockets.push({ path: unix, descriptor, inode: lstatSync(unix).ino });
      } catch (error) {
        throw new EdgeError('port', `can't listen at ${unix}: ${(error as Error).message}`);
      }
    }
    return new UnixSocketsService(placesOf(config), sockets);
  }

  get inherited(): readonly number[] {
    return this.#sockets.map(({ descriptor }) => descriptor);
  }

  accepts(config: Config): void {
    if (placesOf(config) !== this.#places) refuseChange('listen.unix and listen.mode');
  }

  stop(): void {
    for (const { path, descriptor, inode } of this.#sockets) {
      closeSync(descriptor);
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true });
    }
  }
}

function placesOf({ listen }: Config): string {
  return JSON.stringify(listen.flatMap(({ unix, mode }) => (unix === undefined ? [] : [[unix, mode]])));
}

/** A file that a dead edge has left is in nobody's way. @throws EdgeError `port` */
async function requireFree(path: string, takeOver: boolean): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw new EdgeError('port', `can't listen at ${path}: there is a file that is no socket`);
  if (takeOver || !(await isListenedAt(path))) return;
  throw new EdgeError(
    'port',
    `${path} is taken by another program: stop it, choose another path, or start with --take-over`,
  );
}

function isListenedAt(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    // A full queue is somebody's.
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
