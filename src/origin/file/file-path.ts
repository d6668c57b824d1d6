import { type BigIntStats, close, constants, fstat, open, readlink, realpath, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { EdgeError } from '../../base/errors.js';
import { decodeOctets } from '../../base/percent.js';

const openFile = promisify(open);
const statFile: (fd: number, options: { bigint: true }) => Promise<BigIntStats> = promisify(fstat);
const readLink: (path: string) => Promise<string> = promisify(readlink);
const realPath: (path: string) => Promise<string> = promisify(realpath);

/** Linux: names a file without opening it, so that a device or FIFO is neither touched nor waited for. */
const O_PATH = 0o10000000;

/** A regular file below a root, open for reading; the caller closes it. */
export interface OpenFile {
  readonly fd: number;
  readonly stat: BigIntStats;
}

function notFound(cause?: unknown): EdgeError {
  return new EdgeError('not_found', 'there is no such file', { cause });
}

/**
 * Path below the root that a percent-encoded URL path means, octet for octet; undefined when it can't mean any: broken
 * escapes, dot segments, empty segments, NUL, backslash, or a slash that is escaped.
 */
export function relativePath(path: string): Buffer | undefined {
  if (!path.startsWith('/') || /%(?![0-9A-Fa-f]{2})/.test(path)) return undefined;
  const segments = path.slice(1).split('/').map(decodeOctets);
  const isNone = (segment: string) => segment === '' || segment === '.' || segment === '..' || /[\0/\\]/.test(segment);
  return segments.some(isNone) ? undefined : Buffer.from(segments.join('/'), 'latin1');
}

/** What an error of the file system means to a player. */
export function fileError(cause: unknown): EdgeError {
  if (cause instanceof EdgeError) return cause;
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
    case 'EISDIR':
    case 'ENXIO':
      return notFound(cause);
    case 'EACCES':
    case 'EPERM':
      return new EdgeError('forbidden', 'the edge may not read this file', { cause });
    case 'EMFILE':
    case 'ENFILE':
      return new EdgeError('overloaded', 'too many files are open; come back in a moment', { cause, retryAfter: 1 });
    default:
      return new EdgeError('origin_unavailable', "the file can't be read", { cause });
  }
}

/**
 * Opens files below a directory, and no others. A link inside may lead to another place inside. The check is made on
 * the file that was opened and not on its name, so exchanging a directory for a link meanwhile gains nothing.
 */
export class FileRoot {
  readonly #directory: string;
  #real: string;

  /** @throws EdgeError `bad_config` when the directory is not there or may not be searched */
  constructor(directory: string) {
    this.#directory = resolve(directory);
    try {
      if (directory === '') throw Object.assign(new Error('no name'), { code: 'ENOENT' });
      // The dot makes it an error if this is no directory, or may not be searched.
      statSync(`${this.#directory}/.`);
      this.#real = realpathSync(directory);
      statSync('/proc/self/fd/.');
    } catch (cause) {
      const { code, path } = cause as NodeJS.ErrnoException;
      const found = path?.startsWith('/proc/') ? 'but /proc is not mounted' : `but it can't be read (${code})`;
      throw new EdgeError('bad_config', `expected a directory at ${JSON.stringify(directory)}, ${found}`, { cause });
    }
  }

  /**
   * @param path relative to the directory, as `relativePath` gives it
   * @throws EdgeError `not_found` for what is no regular file below the directory; others as `fileError`
   */
  async open(path: Buffer): Promise<OpenFile> {
    try {
      const place = await openFile(Buffer.concat([Buffer.from(`${this.#directory}/`), path]), O_PATH);
      try {
        const [stat, real] = await Promise.all([statFile(place, { bigint: true }), readLink(`/proc/self/fd/${place}`)]);
        if (!stat.isFile() || !(this.#holds(real) || (await this.#moved(real)))) throw notFound();
        return { fd: await openFile(`/proc/self/fd/${place}`, constants.O_RDONLY | constants.O_NONBLOCK), stat };
      } finally {
        close(place);
      }
    } catch (error) {
      throw fileError(error);
    }
  }

  #holds(real: string): boolean {
    return this.#real === '/' ? real.startsWith('/') : real.startsWith(`${this.#real}/`);
  }

  /** The directory may itself be a link that was turned to another place. */
  async #moved(real: string): Promise<boolean> {
    this.#real = await realPath(this.#directory);
    return this.#holds(real);
  }
}
