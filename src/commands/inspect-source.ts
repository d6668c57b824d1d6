import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK_SIZE, blockLength } from '../base/block.js';
import type { ByteSource } from '../base/byte-source.js';
import { EdgeError } from '../base/errors.js';

/** Blocks kept, 64 MiB. */
const BLOCKS_MAX = 256;
/** Milliseconds that one fetch may take. */
const FETCH_TIMEOUT = 30_000;

/** Brings one block of an object. */
type Fetch = (offset: number, length: number) => Promise<Uint8Array>;

/** A file or a URL, read in the edge's blocks, so that what it costs is what it would cost the edge. */
export class InspectedSource implements ByteSource {
  /** Blocks that were fetched. */
  fetched = 0;
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #underWay = new Map<number, Promise<Uint8Array>>();

  constructor(
    readonly size: number,
    private readonly fetchBytes: Fetch,
    readonly close: () => Promise<void>,
  ) {}

  /** Whether all that was read is still at hand. */
  get holdsAll(): boolean {
    return this.fetched <= BLOCKS_MAX;
  }

  /** Forgets what was read, as a cold cache would have. */
  forget(): void {
    this.#blocks.clear();
    this.fetched = 0;
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new EdgeError(
        'unplayable',
        `the file points at bytes ${offset} to ${offset + length}, and has ${this.size}`,
      );
    }
    const target = new Uint8Array(length);
    const missing: Promise<void>[] = [];
    for (let number = Math.floor(offset / BLOCK_SIZE); number * BLOCK_SIZE < offset + length; number++) {
      const copy = (block: Uint8Array) => {
        const from = Math.max(0, offset - number * BLOCK_SIZE);
        const at = number * BLOCK_SIZE + from - offset;
        target.set(block.subarray(from, from + length - at), at);
      };
      const block = this.#blocks.get(number);
      if (block) copy(block);
      else missing.push(this.#fetch(number).then(copy));
    }
    return missing.length === 0 ? target : Promise.all(missing).then(() => target);
  }

  #fetch(number: number): Promise<Uint8Array> {
    const known = this.#underWay.get(number);
    if (known) return known;
    const fetching = this.fetchBytes(number * BLOCK_SIZE, blockLength(this.size, number)).then(block => {
      this.fetched++;
      this.#blocks.set(number, block);
      const [oldest] = this.#blocks.keys();
      if (this.#blocks.size > BLOCKS_MAX && oldest !== undefined) this.#blocks.delete(oldest);
      return block;
    });
    const done = () => this.#underWay.delete(number);
    fetching.then(done, done);
    this.#underWay.set(number, fetching);
    return fetching;
  }
}

/**
 * Opens a file, or an `http(s)` URL whose server answers ranges.
 * @throws EdgeError (rejects) `not_found`, `forbidden`, `bad_request` for a directory, `origin_unavailable`,
 *   `origin_protocol`
 */
export function openInspected(target: string): Promise<InspectedSource> {
  return /^https?:\/\//i.test(target) ? openUrl(target) : openFile(target);
}

async function openFile(path: string): Promise<InspectedSource> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      throw new EdgeError('forbidden', `${path} may not be read: permission denied`, { cause: error });
    throw new EdgeError('not_found', `${path} can't be opened: ${code === 'ENOENT' ? 'no such file' : code}`, {
      cause: error,
    });
  }
  const status = await file.stat();
  if (!status.isFile()) {
    await file.close();
    throw new EdgeError('bad_request', `${path} is not a file: give a media file or its URL`);
  }
  const fetchBytes: Fetch = async (offset, length) => {
    const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, offset);
    if (bytesRead !== length) throw new EdgeError('object_changed', `${path} became shorter while it was read`);
    return buffer;
  };
  return new InspectedSource(status.size, fetchBytes, () => file.close());
}

async function openUrl(url: string): Promise<InspectedSource> {
  const range = async (from: number, to: number) => {
    const response = await request(url, `bytes=${from}-${to}`);
    const total = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '');
    if (response.status !== 206 || !total || Number(total[1]) !== from) {
      await response.body?.cancel();
      if (response.status >= 400)
        throw new EdgeError(codeOf(response.status), `${url} answered ${response.status} ${response.statusText}`);
      throw new EdgeError(
        'origin_protocol',
        `${url} answered ${response.status} where 206 was expected: its server ignores Range, so give the file itself`,
      );
    }
    return { bytes: new Uint8Array(await response.arrayBuffer()), size: Number(total[3]) };
  };
  const first = await range(0, BLOCK_SIZE - 1);
  const fetchBytes: Fetch = async (offset, length) => {
    const { bytes, size } = offset === 0 ? first : await range(offset, offset + length - 1);
    if (bytes.length !== length || size !== first.size)
      throw new EdgeError('object_changed', `${url} changed while it was read`);
    return bytes;
  };
  return new InspectedSource(first.size, fetchBytes, async () => {});
}

async function request(url: string, range: string): Promise<Response> {
  try {
    const headers = { Range: range, 'Accept-Encoding': 'identity' };
    return await fetch(url, { headers, signal: AbortSignal.timeout(FETCH_TIMEOUT) });
  } catch (error) {
    const cause =
      (error as Error).cause instanceof Error ? ((error as Error).cause as Error).message : (error as Error).message;
    throw new EdgeError('origin_unavailable', `${url} can't be reached: ${cause}`, { cause: error });
  }
}

function codeOf(status: number) {
  if (status === 404 || status === 410) return 'not_found';
  return status === 401 || status === 403 ? 'forbidden' : 'origin_unavailable';
}
