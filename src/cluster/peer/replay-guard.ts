import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { makeOwnFolder } from '../../base/own-files.js';
import { TIME_WINDOW } from './signature.js';

/** Milliseconds of the requests whose nonces share a file. */
const PERIOD = 15_000;
/** Bytes of a nonce, and of who took it: its process, and a number that it never uses twice. */
const NONCE = 12;
const RECORD = NONCE + 8;
/** Bytes of a nonce that are remembered: as many as a number holds without a heap of strings. */
const KEY = 6;
/** Bytes that are read at a time. */
const READ = RECORD * 4096;

/** The nonces of one period. */
interface Period {
  readonly file: string;
  readonly descriptor: number;
  readonly seen: Set<number>;
  /** Bytes of the file that have been read. */
  read: number;
}

/**
 * Tells requests that come a second time, whichever of the machine's workers they come to. Workers append each nonce to
 * a file that they share and then read what has been appended: the order in the file, which is the same for all,
 * decides who had it first. A period's file is removed when its requests are too old to be heeded.
 */
export class ReplayGuard {
  readonly #folder: string;
  readonly #periods = new Map<number, Period>();
  readonly #record = Buffer.alloc(RECORD);
  readonly #buffer = Buffer.alloc(READ);
  #count = 0;

  /**
   * @param folder for the files, which all workers name alike; best where no disk is
   * @throws Error of the file system
   */
  constructor(folder: string) {
    makeOwnFolder(folder);
    this.#folder = folder;
    this.#record.writeUInt32LE(process.pid, NONCE);
  }

  /**
   * True for a nonce that has not been seen.
   * @param time of the request, milliseconds since 1970: within `TIME_WINDOW` of `now`
   */
  isFresh(nonce: string, time: number, now: number): boolean {
    const period = this.#period(Math.floor(time / PERIOD), now);
    const record = this.#record;
    record.fill(0, 0, NONCE);
    record.write(nonce, 0, NONCE, 'base64url');
    if (period.seen.has(record.readUIntLE(0, KEY))) return false;
    this.#count = (this.#count + 1) >>> 0;
    record.writeUInt32LE(this.#count, NONCE + 4);
    writeSync(period.descriptor, record);
    return this.#readOn(period);
  }

  close(): void {
    for (const [number, period] of this.#periods) this.#end(number, period);
  }

  /** Reads what has been appended, the own record among it; true when that is the first of its nonce. */
  #readOn(period: Period): boolean {
    const own = this.#record;
    const wanted = own.readUIntLE(0, KEY);
    let isFirst = false;
    for (;;) {
      const bytes = readSync(period.descriptor, this.#buffer, 0, READ, period.read);
      const whole = bytes - (bytes % RECORD);
      for (let at = 0; at < whole; at += RECORD) {
        const key = this.#buffer.readUIntLE(at, KEY);
        if (key === wanted && !period.seen.has(key)) {
          isFirst = this.#buffer.compare(own, NONCE, RECORD, at + NONCE, at + RECORD) === 0;
        }
        period.seen.add(key);
      }
      period.read += whole;
      if (whole < READ) return isFirst;
    }
  }

  #period(number: number, now: number): Period {
    const known = this.#periods.get(number);
    if (known !== undefined) return known;
    for (const [old, period] of this.#periods) {
      if ((old + 1) * PERIOD + TIME_WINDOW < now) this.#end(old, period);
    }
    const file = join(this.#folder, `nonces-${number}`);
    const period = { file, descriptor: openSync(file, 'a+', 0o600), seen: new Set<number>(), read: 0 };
    this.#periods.set(number, period);
    return period;
  }

  #end(number: number, { file, descriptor }: Period): void {
    this.#periods.delete(number);
    closeSync(descriptor);
    // A worker that ends leaves those to the others that are not over yet.
    if ((number + 1) * PERIOD + TIME_WINDOW > Date.now()) return;
    try {
      unlinkSync(file);
    } catch {
      // Another worker was first.
    }
  }
}
