import { native } from '../../../base/native.js';
import type { Reading } from '../../io/reading.js';
import { u32 } from '../box/box.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { markBefore, marks, readEntries, STRIDE, streamTable, type Table } from './table.js';
import type { TableBytes } from './table-bytes.js';
import { type TableCut, tableBody } from './table-cut.js';

/**
 * `stsc`, sample to chunk (ISO/IEC 14496-12 section 8.7.4): runs of chunks with the same number of samples. An entry is
 * first chunk (from 1), samples per chunk, sample description. Column 0: samples before the first chunk of the entry at
 * the mark.
 */

const ENTRY = 12;

/** A compiled `stsc`. */
export interface ChunkSums {
  readonly table: Table;
  /** Samples that the chunks have room for. */
  readonly samples: number;
  /** Most samples of one chunk. */
  readonly largest: number;
  /** The chunk that was asked for. */
  readonly probe: Chunk | undefined;
}

/** One chunk of a track. */
export interface Chunk {
  /** Number, from 1. */
  readonly number: number;
  /** The entry that tells of it, that entry's first chunk, and the chunk just past that entry's last. */
  readonly entry: number;
  readonly entryFirst: number;
  readonly entryEnd: number;
  /** First sample, from 0. */
  readonly first: number;
  /** Samples, as the table says; the last chunk may have fewer. */
  readonly samples: number;
  /** Sample description index. */
  readonly description: number;
}

/**
 * What entries come to, in the order of native/tables.h: the entry under way and the one before the last, four numbers
 * each; most samples of a chunk; number of the entry with the chunk that is sought, the chunk after its last, and its
 * four numbers.
 */
const [FIRST, CLOSED, LARGEST, FOUND, FOUND_END, FOUND_RUN, SUMS] = [0, 4, 8, 9, 10, 11, 15] as const;

/** What is wrong with entries, by the numbers of native/tables.h. */
const FAULTS: Readonly<Record<number, (chunk: number, chunks: number) => string>> = {
  1: () => 'the chunks of box "stsc" are not in order',
  2: (chunk, chunks) => `box "stsc" speaks of chunk ${chunk} where there are ${chunks}`,
  3: () => 'box "stsc" has chunks without samples',
};

/** An entry among the sums: its first chunk, samples per chunk, description; samples before it. */
function runAt(sums: Float64Array, at: number) {
  return { first: sums[at]!, perChunk: sums[at + 1]!, description: sums[at + 2]!, samples: sums[at + 3]! };
}

/**
 * Compiles `stsc`.
 * @param chunks number of chunks of the track
 * @param probe number of a chunk that is to be found on the way
 * @throws EdgeError `unplayable` when the entries are not in order
 */
export function* compileChunks(scan: Scan, table: Table, chunks: number, probe: number): Reading<ChunkSums> {
  const before = new Float64Array(marks(table.count));
  const rules = Float64Array.of(table.count, chunks, probe);
  const sums = new Float64Array(SUMS);
  sums[FIRST] = 1;
  sums[FOUND] = -1;
  const inline = yield* streamTable(scan, table, (bytes, from) => {
    const fault = native.sumChunks(bytes, from, STRIDE, rules, sums, before);
    if (fault !== 0) throw broken(FAULTS[fault]!(sums[FIRST]!, chunks));
  });
  let open = runAt(sums, FIRST);
  const largest = sums[LARGEST]!;
  let found: Chunk | undefined;
  if (sums[FOUND]! >= 0) {
    const { samples, ...run } = runAt(sums, FOUND_RUN);
    found = chunkIn(probe, { ...run, entry: sums[FOUND]!, end: sums[FOUND_END]!, before: samples });
  }
  let { count } = table;
  if (count > 0 && open.perChunk === 0) {
    if (count === 1) throw broken('box "stsc" has chunks without samples');
    // A last entry that says nothing is not meant, and the one before it goes on.
    open = runAt(sums, CLOSED);
    count--;
  }
  const { first, perChunk, description } = open;
  const samples = open.samples + (chunks + 1 - first) * perChunk;
  if (samples > Number.MAX_SAFE_INTEGER) throw broken('box "stsc" has too many samples');
  if (found === undefined && table.count > 0 && probe >= first) {
    const last = { entry: count - 1, first, end: chunks + 1, before: open.samples, perChunk, description };
    found = chunkIn(probe, last);
  }
  const length = count * ENTRY;
  const columns = [before.subarray(0, marks(count))];
  return {
    table: { ...table, count, length, inline: inline?.subarray(0, length), columns },
    samples,
    largest,
    probe: found,
  };
}

/** An entry and what is known of its place. */
interface Entry {
  readonly entry: number;
  /** First chunk, and the one just past the last. */
  readonly first: number;
  readonly end: number;
  /** Samples before the first chunk. */
  readonly before: number;
  readonly perChunk: number;
  readonly description: number;
}

/** Chunk `number` of an entry. */
function chunkIn(number: number, { entry, first, end, before, perChunk, description }: Entry): Chunk {
  return {
    number,
    entry,
    entryFirst: first,
    entryEnd: end,
    first: before + (number - first) * perChunk,
    samples: perChunk,
    description,
  };
}

/**
 * The chunk that holds `sample`.
 * @param chunks number of chunks of the track
 */
export function chunkOf(source: TableBytes, table: Table, chunks: number, sample: number): Chunk {
  const mark = markBefore(table.columns[0]!, sample);
  const from = mark * STRIDE;
  const to = Math.min(table.count, from + STRIDE + 1);
  const bytes = from < to ? readEntries(source, table, from, to) : new Uint8Array(0);
  let before = table.columns[0]![mark] ?? 0;
  for (let at = 0; at < bytes.length; at += ENTRY) {
    const first = u32(bytes, at);
    const perChunk = u32(bytes, at + 4);
    const next = at + ENTRY < bytes.length ? u32(bytes, at + ENTRY) : chunks + 1;
    const samples = (next - first) * perChunk;
    if (perChunk > 0 && sample < before + samples) {
      const number = first + Math.floor((sample - before) / perChunk);
      if (number > chunks) break;
      const entry = from + at / ENTRY;
      return chunkIn(number, { entry, first, end: next, before, perChunk, description: u32(bytes, at + 8) });
    }
    before += samples;
  }
  throw broken('box "stsc" does not hold all samples');
}

/** The samples of a cut and the chunks that hold the first and the last of them. */
export interface SampleRange {
  readonly first: number;
  /** The sample after the last. */
  readonly end: number;
  readonly head: Chunk;
  readonly tail: Chunk;
}

/** The entries for the samples of a cut, with the chunks counted from 1 again. */
export function cutChunks(table: Table, { first, end, head, tail }: SampleRange): TableCut {
  if (head.number === tail.number)
    return { kind: 'entries', table, count: 1, head: [1, end - first, head.description] };
  const less = head.number - 1;
  const skipped = first - head.first;
  const kept = end - tail.first;
  const shortened = kept < tail.samples;
  const words = [1, head.samples - skipped, head.description];
  const nextIsWhole = head.number + 1 < tail.number || !shortened;
  if (skipped > 0 && head.number + 1 < head.entryEnd && nextIsWhole) words.push(2, head.samples, head.description);
  const bodyEnd = shortened && tail.entryFirst === tail.number ? tail.entry : tail.entry + 1;
  const bodyCount = Math.max(0, bodyEnd - (head.entry + 1));
  const body = tableBody(table, head.entry + 1, bodyEnd, less === 0 ? undefined : { word: 0, delta: -less });
  const rest = shortened ? [tail.number - less, kept, tail.description] : [];
  return { kind: 'entries', table, count: (words.length + rest.length) / 3 + bodyCount, head: words, body, tail: rest };
}
