import type { MeteredSource } from '../io/metered-source.js';
import { type Reading, read, readAll } from '../io/reading.js';
import { boxBody, fourcc, parseBoxes, u32, u64 } from '../mp4/box/box.js';

/** A fragment that `tfra` points at (ISO/IEC 14496-12 section 8.8.10). */
export interface RandomAccessEntry {
  readonly trackId: number;
  /** Ticks of the track. */
  readonly time: number;
  /** Absolute offset of the `moof`. */
  readonly offset: number;
  /** Whether it is about the first sample of the track in the first run of its track fragment. */
  readonly first: boolean;
}

/** A movie fragment random access box. */
export interface RandomAccess {
  /** Absolute offset of the `mfra` box. */
  readonly at: number;
  /** Of all tracks, by offset. */
  readonly entries: readonly RandomAccessEntry[];
}

/**
 * The presentation time that a `tfra` claims for the first sample of a track in the `moof` at `offset`, in ticks of the
 * track.
 */
export type RandomAccessTimes = (trackId: number, offset: number) => number | undefined;

const MFRA_MAX = 8 * 1024 * 1024;
/** Bytes of memory that an entry takes while points are made of it, and nanoseconds. */
const ENTRY_BYTES = 192;
const ENTRY_WORK = 500;
/** Most entries that are used. */
const ENTRIES_MAX = 128 * 1024;
const MFRO_SIZE = 16;

/**
 * Reads the `mfra` that stands last in the file; `yield*` it.
 * @returns undefined when there is none, or one that is broken or too large: the fragments can still be found by
 *   looking for them
 */
export function* readMfra(source: MeteredSource): Reading<RandomAccess | undefined> {
  if (source.size < MFRO_SIZE + 8) return undefined;
  const mfro = yield* read(source, source.size - MFRO_SIZE, MFRO_SIZE);
  const size = u32(mfro, 12);
  if (fourcc(mfro, 4) !== 'mfro' || size < MFRO_SIZE + 8 || size > Math.min(source.size, MFRA_MAX)) return undefined;
  const at = source.size - size;
  const bytes = yield* readAll(source, at, size);
  if (fourcc(bytes, 4) !== 'mfra' || u32(bytes, 0) !== size) return undefined;
  const entries: RandomAccessEntry[] = [];
  for (const tfra of parseBoxes(bytes, 8, size)) {
    if (tfra.type === 'tfra' && !readTfra(source, bytes.subarray(boxBody(tfra), tfra.end), at, entries))
      return undefined;
  }
  return { at, entries: entries.sort((a, b) => a.offset - b.offset) };
}

/** Whether the numbers of run and sample, behind that of the track fragment, are 1. */
function isFirst(body: Uint8Array, at: number, lengths: number): boolean {
  const run = at + ((lengths >> 4) & 3) + 1;
  const sample = run + ((lengths >> 2) & 3) + 1;
  const number = (from: number, to: number) => body.subarray(from, to).reduce((value, byte) => value * 256 + byte, 0);
  return number(run, sample) === 1 && number(sample, sample + (lengths & 3) + 1) === 1;
}

/** @returns false when the box is broken or too long, or points at something past `limit` */
function readTfra(source: MeteredSource, body: Uint8Array, limit: number, entries: RandomAccessEntry[]): boolean {
  if (body.length < 16) return false;
  const wide = body[0] === 1;
  const [trackId, lengths, count] = [u32(body, 4), body[11]!, u32(body, 12)];
  const numbers = 3 + ((lengths >> 4) & 3) + ((lengths >> 2) & 3) + (lengths & 3);
  const entry = (wide ? 16 : 8) + numbers;
  if (count > (body.length - 16) / entry) return false;
  if (entries.length + count > ENTRIES_MAX) return false;
  source.keep(count * ENTRY_BYTES);
  source.spend(count * ENTRY_WORK);
  for (let i = 0, at = 16; i < count; i++, at += entry) {
    const time = wide ? u64(body, at) : u32(body, at);
    const offset = wide ? u64(body, at + 8) : u32(body, at + 4);
    if (offset >= limit) return false;
    const numbersAt = at + (wide ? 16 : 8);
    entries.push({ trackId, time, offset, first: isFirst(body, numbersAt, lengths) });
  }
  return true;
}

/** What the entries claim of the beginnings of fragments. */
export function timesOf({ entries }: RandomAccess): RandomAccessTimes {
  const times = new Map<string, number>();
  for (const { trackId, offset, time, first } of entries) if (first) times.set(`${trackId} ${offset}`, time);
  return (trackId, offset) => times.get(`${trackId} ${offset}`);
}
