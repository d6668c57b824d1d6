import { close, closeSync, fstatSync, openSync, write, writeSync } from 'node:fs';
import { EdgeError } from '../base/errors.js';
import { pause } from '../base/pause.js';

/** Bytes of lines that wait for a slow target; more are dropped, so that neither memory nor players suffer. */
const WAITING_MAX = 16 * 1024 * 1024;
/**
 * Bytes of one write, unless a single line is longer. Writes of at most 4096 bytes to a pipe are never mixed with other
 * processes' (POSIX PIPE_BUF). What is appended to a file never is, and a busy event loop makes one write in each turn.
 */
const WRITE_MAX = 4096;
const FILE_WRITE_MAX = 256 * 1024;
/** Milliseconds that lines may wait for others before they are written. */
const LATEST = 1000;
/** Milliseconds until a target that is full for the moment is tried again. */
const RETRY = 100;
/** Tries of a write that must not wait for the event loop, `RETRY` apart. */
const FLUSH_TRIES = 3;
/** Of files that are made: addresses of players are for the owner and its group. */
const FILE_MODE = 0o640;

/** Where a `LineSink` writes: a file by its name, or an open descriptor. */
export type LineTarget = string | { readonly fd: number };

/**
 * Whole lines to a file or descriptor, appended, and written off the event loop. Several processes may append to one
 * target. A target that fails or is slow costs lines, which are counted, and nothing else: neither time, nor memory
 * without end, nor the process.
 */
export class LineSink {
  /** Lines lost because the target failed or was slow. */
  dropped = 0;
  readonly #file: string | undefined;
  readonly #buffer: number;
  #fd: number;
  #writeMax: number;
  /** Lines that wait, put together into writes. */
  #writes: { lines: string; bytes: number }[] = [];
  /** Bytes of `#writes`. */
  #waiting = 0;
  #isWriting = false;
  #isClosed = false;
  /** A descriptor that is closed when the write under way has ended. */
  #retired: number | undefined;
  /** Set while `#writeNext` is due. */
  #due: { clear(): void } | undefined;

  /**
   * @param target a file (made when missing) or a descriptor
   * @param options `buffer`: bytes gathered before a write, which then is at most a second late; 0 writes in the same
   *   turn of the event loop
   * @throws EdgeError `bad_config` when the file can't be written
   */
  constructor(target: LineTarget, { buffer = 0 }: { buffer?: number } = {}) {
    this.#buffer = buffer;
    this.#file = typeof target === 'string' ? target : undefined;
    try {
      this.#fd = typeof target === 'string' ? openSync(target, 'a', FILE_MODE) : target.fd;
    } catch (error) {
      throw new EdgeError('bad_config', `log: can't write ${this.#file}: ${(error as Error).message}`);
    }
    this.#writeMax = writeMax(this.#fd);
  }

  /** @param line ends with a line feed */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#isClosed || this.#waiting + bytes > WAITING_MAX) {
      this.dropped++;
      return;
    }
    const last = this.#writes.at(-1);
    if (last !== undefined && last.bytes + bytes <= this.#writeMax) {
      last.lines += line;
      last.bytes += bytes;
    } else {
      this.#writes.push({ lines: line, bytes });
    }
    this.#waiting += bytes;
    if (this.#isWriting) return;
    if (this.#waiting < this.#buffer) {
      this.#due ??= later(() => this.#writeNext());
    } else if (this.#buffer > 0) {
      this.#writeNext();
    } else {
      // Not before the end of this turn of the event loop, so that `flush` right after `write` keeps lines in order.
      this.#due ??= soon(() => this.#writeNext());
    }
  }

  /** Opens the file again by its name, after somebody has renamed it. When that fails, the old one is written on. */
  reopen(): void {
    if (this.#file === undefined || this.#isClosed) return;
    try {
      const next = openSync(this.#file, 'a', FILE_MODE);
      this.#retire(this.#fd);
      this.#fd = next;
      this.#writeMax = writeMax(next);
    } catch {
      this.dropped++;
    }
  }

  /** Writes what waits, synchronously, as far as the target takes it within a moment; the rest is dropped. */
  flush(): void {
    let bytes = Buffer.from(this.#writes.map(({ lines }) => lines).join(''));
    this.#writes = [];
    this.#waiting = 0;
    for (let tries = 0; bytes.length > 0 && tries < FLUSH_TRIES; ) {
      try {
        bytes = bytes.subarray(writeSync(this.#fd, bytes));
      } catch (error) {
        tries = isFullForNow(error) ? tries + 1 : FLUSH_TRIES;
        if (tries < FLUSH_TRIES) pause(RETRY);
      }
    }
    this.#drop(bytes);
  }

  /** Writes what waits and closes the file. */
  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    if (this.#file !== undefined) this.#retire(this.#fd);
  }

  #writeNext(): void {
    this.#due?.clear();
    this.#due = undefined;
    const next = this.#writes.shift();
    if (next === undefined) return;
    this.#waiting -= next.bytes;
    this.#isWriting = true;
    this.#writeBytes(Buffer.from(next.lines));
  }

  #writeBytes(bytes: Buffer): void {
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      const rest = bytes.subarray(written ?? 0);
      if (this.#retired !== undefined) {
        close(this.#retired, () => {});
        this.#retired = undefined;
      }
      if (isFullForNow(error) && !this.#isClosed) {
        setTimeout(() => this.#writeBytes(rest), RETRY).unref();
        return;
      }
      if (error === null && rest.length > 0 && !this.#isClosed) {
        this.#writeBytes(rest);
        return;
      }
      this.#drop(rest);
      this.#isWriting = false;
      this.#writeNext();
    });
  }

  #drop(rest: Buffer): void {
    for (const byte of rest) if (byte === 0x0a) this.dropped++;
  }

  /** Closes a descriptor, after the write under way. */
  #retire(fd: number): void {
    if (!this.#isWriting) closeSync(fd);
    else if (this.#retired === undefined) this.#retired = fd;
    else close(fd, () => {});
  }
}

function writeMax(fd: number): number {
  try {
    return fstatSync(fd).isFile() ? FILE_WRITE_MAX : WRITE_MAX;
  } catch {
    return WRITE_MAX;
  }
}

function later(run: () => void) {
  const timer = setTimeout(run, LATEST).unref();
  return { clear: () => clearTimeout(timer) };
}

function soon(run: () => void) {
  const immediate = setImmediate(run);
  return { clear: () => clearImmediate(immediate) };
}

/** True for a pipe or terminal that takes nothing at the moment. */
function isFullForNow(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'EAGAIN';
}
