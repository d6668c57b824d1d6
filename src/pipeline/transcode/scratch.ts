import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { EdgeError } from '../../base/errors.js';
import { makeOwnFolder } from '../../base/own-files.js';

/** Name of a worker's folder; that of the socket beside it ends with `.alive`. */
const FOLDER = /^worker-[0-9a-f]{12}$/;
const SOCKET = /^worker-[0-9a-f]{12}\.alive$/;
/** Longest path of a socket. */
const SOCKET_PATH_MAX = 107;
/** Milliseconds after which a socket that nobody listens at is left behind, and not about to be listened at. */
const SOCKET_AGE = 60_000;

/**
 * The folder in which a worker makes films. It listens at a socket beside it for as long as it lives, by which others
 * on the machine, in whatever containers, know that the folder is in use; those of workers that died are removed.
 */
export class Scratch {
  readonly folder: string;
  readonly #server: Server;

  private constructor(folder: string, server: Server) {
    this.folder = folder;
    this.#server = server;
  }

  /**
   * Takes a folder below `root`, which is made, and removes what dead workers have left there.
   * @throws EdgeError `bad_config` when that can't be done
   */
  static async open(root: string): Promise<Scratch> {
    const folder = join(root, `worker-${randomBytes(6).toString('hex')}`);
    const socket = socketOf(folder);
    if (Buffer.byteLength(socket) > SOCKET_PATH_MAX) {
      throw new EdgeError('bad_config', `transcode.scratch: expected a shorter path than ${root}`);
    }
    try {
      makeOwnFolder(root);
      await sweep(root);
      const server = createServer(connection => connection.destroy());
      server.listen(socket);
      await once(server, 'listening');
      server.unref();
      // After the socket: a folder that has none is left behind.
      await mkdir(folder, { mode: 0o700 });
      return new Scratch(folder, server);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw new EdgeError(
        'bad_config',
        `transcode.scratch: expected a folder that can be written, ${root} is none (${code ?? message})`,
        { cause },
      );
    }
  }

  /** Removes the folder. */
  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    // The system removes the socket.
    await new Promise(resolve => this.#server.close(resolve));
  }
}

async function sweep(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const path = join(root, name);
    if (FOLDER.test(name) && !(await isListenedAt(socketOf(path)))) await rm(path, { recursive: true, force: true });
    if (!SOCKET.test(name) || (await isListenedAt(path))) continue;
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > SOCKET_AGE) await rm(path, { force: true });
  }
}

function socketOf(folder: string): string {
  return `${folder}.alive`;
}

function isListenedAt(socket: string): Promise<boolean> {
  return new Promise(resolve => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    // Anything but a socket that nobody has may be in use.
    connection.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK'),
    );
  });
}
