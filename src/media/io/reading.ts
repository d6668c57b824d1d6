import { type ByteSource, READ_MAX } from '../../base/byte-source.js';
import { MeteredSource } from './metered-source.js';

/**
 * A computation that reads: it yields a promise when bytes are not at hand and is resumed with what the promise
 * brought. Written once, it runs to its end without a promise when everything is cached, and waits where it must
 * otherwise.
 * @typeParam T what it comes to
 */
export type Reading<T> = Generator<Promise<unknown>, T, unknown>;

/**
 * Reads exactly `length` bytes from `offset`; `yield*` it. The bytes belong to the caller. Other work gets its turn now
 * and then.
 */
export function* read(source: ByteSource, offset: number, length: number): Reading<Uint8Array> {
  if (source instanceof MeteredSource && source.due) yield* source.breathe();
  const bytes = source.read(offset, length);
  return bytes instanceof Uint8Array ? bytes : ((yield bytes) as Uint8Array);
}

/**
 * Looks at exactly `length` bytes from `offset`, which are the caller's only until anything else is read or waited for;
 * `yield*` it. Other work gets its turn now and then.
 */
export function* look(source: ByteSource, offset: number, length: number): Reading<Uint8Array> {
  if (source instanceof MeteredSource && source.due) yield* source.breathe();
  const bytes = source.lend?.(offset, length) ?? source.read(offset, length);
  return bytes instanceof Uint8Array ? bytes : ((yield bytes) as Uint8Array);
}

/**
 * Reads `[offset, offset+length)`, which may be more than one read gives, into one buffer; `yield*` it. The caller
 * bounds `length`.
 */
export function* readAll(source: ByteSource, offset: number, length: number): Reading<Uint8Array> {
  if (length <= READ_MAX) return yield* read(source, offset, length);
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; done += READ_MAX) {
    bytes.set(yield* read(source, offset + done, Math.min(READ_MAX, length - done)), done);
  }
  return bytes;
}

/** Waits for `promise` inside a reading; `yield*` it. */
export function* settle<T>(promise: Promise<T>): Reading<T> {
  return (yield promise) as T;
}

/** A value that may be a promise, inside a reading; `yield*` it. */
export function* whenThere<T>(value: T | Promise<T>): Reading<T> {
  return value instanceof Promise ? yield* settle(value) : value;
}

/**
 * Runs a reading: its result at once when it never had to wait, a promise of it otherwise. Throws (or rejects with)
 * what it throws.
 */
export function perform<T>(reading: Reading<T>): T | Promise<T> {
  const step = reading.next();
  return step.done ? step.value : finish(reading, step.value);
}

async function finish<T>(reading: Reading<T>, first: Promise<unknown>): Promise<T> {
  let waiting = first;
  for (;;) {
    let step: IteratorResult<Promise<unknown>, T>;
    try {
      const value = await waiting;
      step = reading.next(value);
    } catch (error) {
      step = reading.throw(error);
    }
    if (step.done) return step.value;
    waiting = step.value;
  }
}
