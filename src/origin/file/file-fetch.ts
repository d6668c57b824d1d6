import { type BigIntStats, close, fstat, read } from 'node:fs';
import { promisify } from 'node:util';
import { EdgeError } from '../../base/errors.js';
import { objectChanged } from '../object-changed.js';
import type { OriginFetch, OriginRequest, OriginSink, Validator } from '../origin.js';
import { countRequest, type OriginObserver, type OriginStats } from '../origin-stats.js';
import { type FileRoot, fileError, relativePath } from './file-path.js';

const statFile: (fd: number, options: { bigint: true }) => Promise<BigIntStats> = promisify(fstat);
const readFile = promisify(read);

/** Bytes of one read. */
const CHUNK = 256 * 1024;
/** Most buffers that are kept for later fetches. */
const SPARE_MAX = 16;

/** What all fetches of one directory share. */
export interface FileContext {
  readonly root: FileRoot;
  readonly stats: Pick<OriginStats, 'requests' | 'responseBytes'>;
  readonly observer: OriginObserver | undefined;
  /** Buffers of `CHUNK` bytes that nobody uses. */
  readonly spare: Buffer[];
  readonly ended: (fetch: FileFetch) => void;
}

/**
 * A strong entity tag out of what changes when a file does: another file (inode), another size, or a write (time of
 * modification, ns).
 */
function validatorOf({ ino, size, mtimeNs, mtimeMs }: BigIntStats): Validator & { etag: string; lastModified: string } {
  const etag = `"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}"`;
  return { etag, lastModified: new Date(Number(mtimeMs)).toUTCString() };
}

/** One fetch from a directory. */
export class FileFetch implements OriginFetch {
  readonly #context: FileContext;
  readonly #request: OriginRequest;
  readonly #sink: OriginSink;
  readonly #began = performance.now();
  readonly #requestTime = Date.now();
  #over = false;
  #paused = false;
  #resumed: () => void = () => {};

  constructor(context: FileContext, request: OriginRequest, sink: OriginSink) {
    this.#context = context;
    this.#request = request;
    this.#sink = sink;
  }

  /** The sink is not called from within. */
  start(): void {
    this.#run().catch((error: unknown) => this.fail(fileError(error)));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#resumed();
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#resumed();
    this.#context.ended(this);
  }

  /** Ends the fetch with an error. */
  fail(error: EdgeError, answer?: Parameters<OriginSink['failed']>[1]): void {
    if (this.#over) return;
    countRequest(this.#context.stats, answer?.status ?? error.code);
    this.cancel();
    this.#sink.failed(error, answer);
  }

  async #run(): Promise<void> {
    const path = relativePath(this.#request.path);
    if (path === undefined) throw new EdgeError('not_found', 'no file can have that name');
    const { fd, stat } = await this.#context.root.open(path);
    try {
      const answered = this.#answer(stat);
      if (answered) await this.#send(fd, stat, answered.start, answered.end);
    } finally {
      close(fd);
    }
  }

  /** Gives the sink its answer; undefined when there is none. */
  #answer(stat: BigIntStats): { start: number; end: number } | undefined {
    if (this.#over) return undefined;
    const { range, condition } = this.#request;
    const validator = validatorOf(stat);
    const size = Number(stat.size);
    const same = condition?.validator.etag === validator.etag;
    if (condition?.kind === 'same' && !same) {
      this.fail(objectChanged());
      return undefined;
    }
    const unchanged = condition?.kind === 'changed' && same;
    if (!unchanged && range && range.start >= size && size > 0) {
      const headers = { 'Content-Range': `bytes */${size}` };
      const error = new EdgeError('range_not_satisfiable', 'the range lies past the end of the file', { headers });
      this.fail(error, { status: 416, fields: {}, size });
      return undefined;
    }
    const [start, end] = unchanged || size === 0 ? [0, 0] : [range?.start ?? 0, Math.min(range?.end ?? size, size)];
    const status = unchanged ? 304 : range && size > 0 ? 206 : 200;
    const { stats, observer } = this.#context;
    countRequest(stats, status);
    observer?.ttfb((performance.now() - this.#began) / 1000);
    this.#sink.answered({
      status,
      offset: start,
      length: end - start,
      size: unchanged ? undefined : size,
      validator,
      fields: { etag: validator.etag, 'last-modified': validator.lastModified },
      requestTime: this.#requestTime,
      responseTime: Date.now(),
    });
    return { start, end };
  }

  async #untilResumed(): Promise<void> {
    while (this.#paused && !this.#over) {
      await new Promise<void>(resolve => {
        this.#resumed = resolve;
      });
    }
  }

  async #send(fd: number, stat: BigIntStats, start: number, end: number): Promise<void> {
    const { spare, stats } = this.#context;
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
    try {
      for (let position = start; position < end; ) {
        await this.#untilResumed();
        if (this.#over) return;
        const { bytesRead } = await readFile(fd, buffer, 0, Math.min(CHUNK, end - position), position);
        // A write sets the time before it changes bytes: what is unchanged after the read was so during it.
        const after = await statFile(fd, { bigint: true });
        if (bytesRead === 0 || after.size !== stat.size || after.mtimeNs !== stat.mtimeNs) throw objectChanged();
        await this.#untilResumed();
        if (this.#over) return;
        position += bytesRead;
        stats.responseBytes += bytesRead;
        this.#sink.bytes(buffer.subarray(0, bytesRead));
      }
    } finally {
      if (spare.length < SPARE_MAX) spare.push(buffer);
    }
    if (this.#over) return;
    this.cancel();
    this.#sink.ended();
  }
}
