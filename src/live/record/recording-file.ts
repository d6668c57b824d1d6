import { mkdirSync, truncateSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '../../base/log.js';
import { UNFINISHED } from '../shift/shift-index.js';

/** Bytes that are written at once. */
const BATCH = 256 * 1024;
/** Milliseconds after which less is. */
const DELAY = 250;
/** Most bytes that wait for the disk; a disk that is slower loses the recording, not the stream. */
const WAITING_MAX = 32 * 1024 * 1024;

/**
 * The file of a recording. It grows under another name, which it loses when it is whole, so that an origin's directory
 * never shows half of one. Nothing waits for the disk.
 */
export class RecordingFile {
  readonly path: string;
  readonly #log: Log;
  #file: FileHandle | undefined;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  /** Bytes that are not on the disk yet, and the last of their writes. */
  #waiting = 0;
  #writes: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  /** It is given up. */
  hasFailed = false;
  /** Bytes of the file. */
  bytes = 0;

  /**
   * @param path of the file when it is whole; its folder is made
   * @param left bytes that another process has left of it, behind which this one goes on; none for a new file
   */
  constructor(path: string, log: Log, left?: number) {
    this.path = path;
    this.#log = log;
    this.bytes = left ?? 0;
    this.#writes = this.#run(async () => {
      if (left === undefined) mkdirSync(dirname(path), { recursive: true });
      else truncateSync(path + UNFINISHED, left);
      this.#file = await open(path + UNFINISHED, left === undefined ? 'wx' : 'a', 0o644);
    });
  }

  /** @param bytes kept until they are written */
  push(bytes: Uint8Array): void {
    if (this.hasFailed) return;
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
    this.bytes += bytes.length;
    if (this.#partBytes >= BATCH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), DELAY);
  }

  /** What has come is written, and the file gets its name. */
  async close(): Promise<void> {
    this.#flush();
    await this.#writes;
    await this.#file?.close();
    if (this.hasFailed || this.#file === undefined) return;
    await this.#run(() => rename(this.path + UNFINISHED, this.path));
    this.#log.info({ file: this.path, bytes: this.bytes }, 'a recording is finished');
  }

  /** Lets go of it, for another process: what is not written yet is lost here, since that one has it from the ring. */
  async leave(): Promise<void> {
    clearTimeout(this.#timer);
    this.#parts = [];
    this.#partBytes = 0;
    await this.#writes;
    await this.#file?.close();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#partBytes === 0) return;
    const batch = Buffer.concat(this.#parts, this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    this.#waiting += batch.length;
    if (this.#waiting > WAITING_MAX) {
      this.#fail(new Error(`the disk is ${this.#waiting} bytes behind`));
      return;
    }
    this.#writes = this.#writes.then(() =>
      this.#run(async () => {
        if (!this.hasFailed) await this.#file!.appendFile(batch);
        this.#waiting -= batch.length;
      }),
    );
  }

  async #run(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.#parts = [];
    this.#partBytes = 0;
    this.#log.error({ file: this.path, error }, 'a recording is given up; the stream goes on');
  }
}
