import type { ByteSource } from '../byte-source.js';
import type { Reading } from '../reading.js';
import { u32 } from './box.js';
import { broken, markBefore, marks, readEntries, type Scan, STRIDE, streamTable, type Table } from './table.js';
import { type TableCut, tableBody } from './table-cut.js';

/**
 * `stsc`, sample to chunk (ISO/IEC 14496-12 section 8.7.4): runs of chunks with the same number of samples. An entry is first chunk
 * (from 1), samples per chunk, sample description. Column 0: samples before the first chunk of the entry at the mark.
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
 * Compiles `stsc`.
 * @param chunks number of chunks of the track
 * @param probe number of a chunk that is to be found on the way
 * @throws EdgeError `unplayable` when the entries are not in order
 */
export function* compileChunks(scan: Scan, table: Table, chunks: number, probe: number): Reading<ChunkSums> {
  const before = new Float64Array(marks(table.count));
  let run = { entry: -1, first: 1, perChunk: 0, description: 0 };
  let [samples, largest] = [0, 0];
  let found: Chunk | undefined;
  const close = (end: number): void => {
    const { entry, first, perChunk, description } = run;
    if (found === undefined && probe < end) {
      const start = samples + (probe - first) * perChunk;
      const place = { number: probe, entry, entryFirst: first, entryEnd: end };
      found = { ...place, first: start, samples: perChunk, description };
    }
    samples += (end - first) * perChunk;
    largest = Math.max(largest, perChunk);
  };
  const inline = yield* streamTable(scan, table, (chunk, from) => {
    for (let at = 0, entry = from; at < chunk.byteLength; at += ENTRY, entry++) {
      const first = chunk.getUint32(at);
      const perChunk = chunk.getUint32(at + 4);
      if (entry === 0 ? first !== 1 : first <= run.first) throw broken('the chunks of box "stsc" are not in order');
      if (first > chunks) throw broken(`box "stsc" speaks of chunk ${first} where there are ${chunks}`);
      if (perChunk === 0) throw broken('box "stsc" has chunks without samples');
      if (entry > 0) close(first);
      if (entry % STRIDE === 0) before[entry / STRIDE] = samples;
      run = { entry, first, perChunk, description: chunk.getUint32(at + 8) };
    }
  });
  if (table.count > 0) close(chunks + 1);
  if (samples > Number.MAX_SAFE_INTEGER) throw broken('box "stsc" has too many samples');
  return { table: { ...table, inline, columns: [before] }, samples, largest, probe: found };
}

/**
 * The chunk that holds `sample`.
 * @param chunks number of chunks of the track
 */
export function* chunkOf(source: ByteSource, table: Table, chunks: number, sample: number): Reading<Chunk> {
  const mark = markBefore(table.columns[0]!, sample);
  const from = mark * STRIDE;
  const to = Math.min(table.count, from + STRIDE + 1);
  const bytes = from < to ? yield* readEntries(source, table, from, to) : new Uint8Array(0);
  let before = table.columns[0]![mark] ?? 0;
  for (let at = 0; at < bytes.length; at += ENTRY) {
    const entryFirst = u32(bytes, at);
    const perChunk = u32(bytes, at + 4);
    const next = at + ENTRY < bytes.length ? u32(bytes, at + ENTRY) : chunks + 1;
    const samples = (next - entryFirst) * perChunk;
    if (perChunk > 0 && sample < before + samples) {
      const nth = Math.floor((sample - before) / perChunk);
      return {
        number: entryFirst + nth,
        entry: from + at / ENTRY,
        entryFirst,
        entryEnd: next,
        first: before + nth * perChunk,
        samples: perChunk,
        description: u32(bytes, at + 8),
      };
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
