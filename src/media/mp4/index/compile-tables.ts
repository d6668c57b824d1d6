import type { Reading } from '../../io/reading.js';
import type { BoxScan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import type { SampleEntries } from '../box/sample-entry.js';
import { bytesInChunk, compileOffsets, type OffsetSums } from '../table/chunk-offset.js';
import { compileRuns, mendTimes, type RunSums } from '../table/run-table.js';
import { commonSize, compileSizes } from '../table/sample-size.js';
import { compositionOffset, decodeTime, type TimedTrack } from '../table/sample-time.js';
import { type ChunkSums, chunkOf, compileChunks } from '../table/stsc.js';
import { compileSampleNumbers } from '../table/stss.js';
import { compileSubs } from '../table/subs.js';
import { STRIDE, type Table } from '../table/table.js';
import { lookUp, type TableBytes } from '../table/table-bytes.js';
import { type CoreTables, coreOf, REORDERED_AT_END, type TrackIndex } from '../table/track-index.js';

/** Samples by which `stsz` may count fewer than all other tables, or more than the chunks hold. */
const MISCOUNT_MAX = 32;
/** Tables that a track has once. */
const ONCE = new Set(['stts', 'ctts', 'stss', 'stps', 'stsc', 'stsz', 'stco', 'sdtp', 'stdp', 'padb']);
const SAME: Readonly<Record<string, string>> = { stz2: 'stsz', co64: 'stco' };

/** What the tables of a track amount to. */
export type TrackSums = Pick<
  TrackIndex,
  | 'samples'
  | 'chunks'
  | 'ticks'
  | 'leastOffset'
  | 'greatestOffset'
  | 'mediaEnd'
  | 'packetSamples'
  | 'packetBytes'
  | 'ordered'
  | 'extent'
  | 'tail'
  | 'tables'
  | 'core'
>;

const NO_SAMPLES: Omit<TrackSums, 'tables'> = {
  samples: 0,
  chunks: 0,
  ticks: 0,
  leastOffset: 0,
  greatestOffset: 0,
  mediaEnd: 0,
  packetSamples: 0,
  packetBytes: 0,
  ordered: true,
  extent: { from: 0, to: 0 },
  tail: undefined,
  core: undefined,
};

/**
 * Compiles the tables of one track.
 * @param heads the tables as `readTable` gave them
 * @param id of the track, for messages
 * @param handler of the track
 * @throws EdgeError `unplayable` when they are missing, contradict each other, or lead out of the file
 */
export function* compileTables(
  scan: BoxScan,
  heads: readonly Table[],
  id: number,
  handler: string,
  entries: SampleEntries | undefined,
): Reading<TrackSums> {
  const types = heads.map(table => SAME[table.type] ?? table.type);
  const twice = types.find((type, i) => ONCE.has(type) && types.indexOf(type) !== i);
  if (twice !== undefined) throw broken(`track ${id} has box "${twice}" twice`);
  const head = coreOf(heads, handler);
  if (head === undefined || head.stsz.count === 0) {
    if (head === undefined && heads.some(table => table.count > 0)) throw broken(`track ${id} lacks a table`);
    return { ...NO_SAMPLES, tables: heads };
  }

  const { map, chunks } = yield* compilePlaces(scan, head);
  let times = yield* compileRuns(scan, head.stts, true);
  const samples = agree(id, head.stsz.count, times.table.samples, map);
  if (samples === 0) return { ...NO_SAMPLES, tables: heads };
  if (map.probe === undefined) throw broken(`track ${id} has no chunks`);
  if (times.least < 0 || times.table.samples < samples)
    times = yield* compileRuns(scan, yield* mendTimes(scan, head.stts, samples), true);
  const offsets = head.ctts && (yield* compileRuns(scan, head.ctts, false));
  const short = offsets !== undefined && offsets.table.samples < samples;
  const sizes = yield* compileSizes(scan, head.stsz, map.largest > STRIDE);

  const tables: Table[] = [];
  for (const table of heads)
    tables.push(yield* compileOther(scan, table, samples, [times.table, offsets?.table, map.table, sizes]));
  const core = coreOf(tables, handler) as CoreTables;

  const packet = packetOf(handler === 'soun' ? entries : undefined, core, times);
  const last = Math.min(samples, map.probe.first + map.probe.samples);
  const { probe } = map;
  const bytes = yield* lookUp(scan.source, source => bytesInChunk(source, { core, ...packet }, probe, last));
  const end = chunks.greatest + bytes;
  if (end > scan.source.size) {
    throw broken(`the media of track ${id} goes on to byte ${end}, and the file has ${scan.source.size} bytes`);
  }
  const timed = {
    core,
    samples: times.table.samples,
    ticks: times.ticks,
    leastOffset: short ? Math.min(0, offsets.least) : (offsets?.least ?? 0),
    greatestOffset: short ? Math.max(0, offsets.greatest) : (offsets?.greatest ?? 0),
  };
  const ends = yield* lookUp(scan.source, source => {
    const ticks = decodeTime(source, timed, samples);
    return {
      ticks,
      mediaEnd: endOfMedia(source, { ...timed, samples, ticks }),
      tail: chunkOf(source, core.stsc, head.stco.count, samples - 1),
    };
  });
  return {
    ...timed,
    ...packet,
    ...ends,
    samples,
    chunks: head.stco.count,
    ordered: chunks.ordered,
    extent: { from: chunks.least, to: end },
    tables,
  };
}

/** The compiled table: one of `done`, or compiled here by its type. */
function* compileOther(
  scan: BoxScan,
  table: Table,
  samples: number,
  done: readonly (Table | undefined)[],
): Reading<Table> {
  const found = done.find(other => other?.box.offset === table.box.offset);
  if (found !== undefined) return found;
  switch (table.type) {
    case 'stss':
    case 'stps':
      return yield* compileSampleNumbers(scan, table, samples);
    case 'sbgp':
      return (yield* compileRuns(scan, table, false)).table;
    case 'subs':
      return yield* compileSubs(scan, table);
    case 'saiz':
      return yield* compileSizes(scan, table, true);
    default:
      return table;
  }
}

/**
 * The chunks of a track. There may be more of them than its samples need; those that are not needed may lead anywhere
 * and are not looked at.
 */
function* compilePlaces(
  scan: BoxScan,
  { stsc, stsz, stco }: CoreTables,
): Reading<{ map: ChunkSums; chunks: OffsetSums }> {
  const chunks = yield* compileOffsets(scan, stco, stco.count);
  const map = yield* compileChunks(scan, stsc, stco.count, chunks.last);
  const last = Math.min(stsz.count, map.samples) - 1;
  if (last < 0) return { map, chunks };
  const needed = yield* lookUp(scan.source, source => chunkOf(source, map.table, stco.count, last).number);
  if (needed === stco.count) return { map, chunks };
  const used = yield* compileOffsets(scan, stco, needed);
  return { map: yield* compileChunks(scan, stsc, stco.count, used.last), chunks: used };
}

/**
 * The samples of a track, as players count them: those of `stsz` that the chunks have room for. The last time of `stts`
 * holds for those that it does not count.
 * @throws EdgeError `unplayable` when the tables can't mean the same samples
 */
function agree(id: number, sizes: number, times: number, map: ChunkSums): number {
  const samples = Math.min(sizes, map.samples);
  const others = Math.min(times, map.samples);
  if (sizes < others - Math.max(MISCOUNT_MAX, others >> 6) || (times === 0 && sizes > MISCOUNT_MAX))
    throw broken(`the tables of track ${id} count ${sizes} and ${others} samples`);
  if (map.samples < sizes - Math.max(MISCOUNT_MAX, map.largest))
    throw broken(`the chunks of track ${id} have room for ${map.samples} samples, and it has ${sizes}`);
  return times === 0 ? 0 : samples;
}

/** Bytes of the largest packet of sound that is believed. */
const PACKET_MAX = 64 * 1024;

/**
 * Packets of QuickTime sound whose samples are counted one by one: each lasts one tick, or `stsz` says that each has
 * one byte. What it says of their size is not looked at then, as players don't: the sample description knows better.
 */
function packetOf(
  sound: SampleEntries | undefined,
  { stsz }: CoreTables,
  times: RunSums,
): Pick<TrackIndex, 'packetSamples' | 'packetBytes'> {
  const common = commonSize(stsz);
  const counted = common === 1 || (common !== undefined && times.least === 1 && times.greatest === 1);
  const { packetSamples = 0, packetBytes = 0 } = sound ?? {};
  const known = packetSamples > 0 && packetBytes > 0 && packetBytes <= PACKET_MAX;
  return counted && known ? { packetSamples, packetBytes } : { packetSamples: 0, packetBytes: 0 };
}

/** Composition time at which the last sample presented ends. One without a duration is presented too, for a tick. */
function endOfMedia(source: TableBytes, track: TimedTrack): number {
  const first = Math.max(0, track.samples - REORDERED_AT_END);
  let [end, time] = [0, decodeTime(source, track, first)];
  for (let sample = first; sample < track.samples; sample++) {
    const next = decodeTime(source, track, sample + 1);
    end = Math.max(end, time + Math.max(1, next - time) + compositionOffset(source, track, sample));
    time = next;
  }
  return end;
}
