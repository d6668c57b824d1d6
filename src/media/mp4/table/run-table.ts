import { native } from '../../../base/native.js';
import type { Reading } from '../../io/reading.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { markBefore, marks, mendable, readEntries, STRIDE, streamTable, type Table, viewOf } from './table.js';
import type { TableBytes } from './table-bytes.js';
import { type TableCut, tableBody } from './table-cut.js';

/**
 * Tables of runs: `stts` (samples, ticks of each), `ctts` (samples, composition offset of each), `sbgp` (samples, group
 * of each); ISO/IEC 14496-12 sections 8.6.1.2, 8.6.1.3, 8.9.2. Column 0: samples before the mark. Column 1, `stts`
 * only: ticks before the mark.
 */

const SAMPLES = 0;
const TICKS = 1;
const ENTRY = 8;

/** What a run table sums up to. */
export interface RunSums {
  readonly table: Table;
  /** Sum of the values of all samples, as signed numbers. */
  readonly ticks: number;
  /** Least and greatest value of a run, as signed numbers; 0 when there are no runs. */
  readonly least: number;
  readonly greatest: number;
}

/**
 * Compiles a run table.
 * @param withTicks whether the values are summed in a column too
 * @throws EdgeError `unplayable` when a sum leaves the safe whole numbers
 */
export function* compileRuns(scan: Scan, table: Table, withTicks: boolean): Reading<RunSums> {
  const samplesBefore = new Float64Array(marks(table.count));
  const ticksBefore = new Float64Array(withTicks ? samplesBefore.length : 0);
  // In the order of native/tables.h.
  const sums = table.count === 0 ? new Float64Array(4) : Float64Array.of(0, 0, 2 ** 31, -(2 ** 31));
  const inline = yield* streamTable(scan, table, (chunk, from) =>
    native.sumRuns(chunk, from, STRIDE, sums, samplesBefore, ticksBefore),
  );
  const [samples, ticks, least, greatest] = sums as unknown as [number, number, number, number];
  if (samples > 0xffff_ffff || Math.abs(ticks) > Number.MAX_SAFE_INTEGER)
    throw broken(`the runs of box "${table.type}" are too long`);
  const columns = withTicks ? [samplesBefore, ticksBefore] : [samplesBefore];
  return { table: { ...table, samples, inline, columns }, ticks, least, greatest };
}

/** Least duration in `stts` that is taken for a correction, as ffmpeg does; one further below 0 is nonsense. */
const CORRECTION_MIN = -480_000;

/**
 * `stts` with runs for `samples` samples and without negative durations, in memory, as ffmpeg reads it: a negative
 * duration lasts a tick, and what time that adds is taken off those that follow, evenly; the last duration goes on.
 * @throws EdgeError `unplayable` when the table is too long, or a duration far below 0
 */
export function* mendTimes(scan: Scan, table: Table, samples: number): Reading<Table> {
  const entries = yield* mendable(scan, table);
  const view = viewOf(entries);
  let [counted, meant, time] = [0, 0, 0];
  for (let at = 0; at < entries.length; at += ENTRY) {
    const run = view.getUint32(at);
    const value = view.getInt32(at + 4);
    if (value < CORRECTION_MIN) throw broken(`box "${table.type}" holds a negative duration`);
    const duration = value < 0 ? 1 : value;
    counted += run;
    meant += run * value;
    time += run * duration;
    const drift = Math.floor(Math.max(0, time - meant) / Math.max(1, run));
    const less = Math.max(0, Math.min(drift, duration - 1));
    time -= run * less;
    view.setUint32(at + 4, duration - less);
  }
  const last = entries.length - ENTRY;
  if (counted < samples) view.setUint32(last, view.getUint32(last) + samples - counted);
  return { ...table, inline: entries };
}

/** A run and where it begins. */
export interface Run {
  /** Number of its entry. */
  readonly entry: number;
  /** First sample of the run. */
  readonly first: number;
  /** Samples of the run, more than 0. */
  readonly samples: number;
  /** The run's value as an unsigned number; `| 0` makes it signed. */
  readonly value: number;
  /** `stts`: ticks before the run; otherwise 0. */
  readonly ticks: number;
}

/** The run that holds `sample`; undefined when the runs end before it. */
export function runOf(source: TableBytes, table: Table, sample: number): Run | undefined {
  return findRun(source, table, markBefore(table.columns[SAMPLES]!, sample), sample, Number.POSITIVE_INFINITY);
}

/** `stts`: the run that holds the sample whose time `[dts, dts + delta)` holds `ticks`; undefined past the end. */
export function runAt(source: TableBytes, table: Table, ticks: number): Run | undefined {
  return findRun(source, table, markBefore(table.columns[TICKS]!, ticks), Number.POSITIVE_INFINITY, ticks);
}

/** The first run after a mark that ends past `sample` or past `time`. */
function findRun(source: TableBytes, table: Table, mark: number, sample: number, time: number): Run | undefined {
  const entry = mark * STRIDE;
  const end = Math.min(table.count, entry + STRIDE);
  if (entry >= end) return undefined;
  const entries = viewOf(readEntries(source, table, entry, end));
  let first = table.columns[SAMPLES]![mark]!;
  let ticks = table.columns[TICKS]?.[mark] ?? 0;
  for (let at = 0; at < entries.byteLength; at += ENTRY) {
    const samples = entries.getUint32(at);
    const value = entries.getUint32(at + 4);
    if (first + samples > sample || ticks + samples * value > time) {
      return { entry: entry + at / ENTRY, first, samples, value, ticks };
    }
    first += samples;
    ticks += samples * value;
  }
  return undefined;
}

/** How the values of a cut differ from the source's. */
export interface RunChange {
  /** Added to each value, modulo 2^32. */
  readonly shift?: number;
  /** Taken from the value of the first sample alone. */
  readonly trim?: number;
  /** Whether samples past the last run have the value 0, and are told of so that the change holds for them too. */
  readonly padded?: boolean;
}

/** The runs of samples `[first, end)`. Runs that end early are cut to what there is of them. */
export function cutRuns(
  source: TableBytes,
  table: Table,
  first: number,
  end: number,
  { shift = 0, trim = 0, padded = false }: RunChange = {},
): TableCut {
  const limit = Math.min(end, table.samples);
  const pad = padded && end > limit ? [end - Math.max(first, limit), shift >>> 0] : [];
  if (first >= limit) return { kind: 'entries', table, count: pad.length / 2, head: pad };
  const run = runOf(source, table, first);
  const last = limit === table.samples ? LAST : runOf(source, table, limit - 1);
  if (run === undefined || last === undefined) throw broken(`box "${table.type}" does not hold all its samples`);
  const inOneRun = last.entry === run.entry;
  const value = (run.value + shift) >>> 0;
  const left = (inOneRun ? limit : run.first + run.samples) - first;
  const head = trim === 0 ? [left, value] : left === 1 ? [1, value - trim] : [1, value - trim, left - 1, value];
  if (inOneRun) return { kind: 'entries', table, count: (head.length + pad.length) / 2, head: [...head, ...pad] };
  const bodyEnd = last === LAST ? table.count : last.entry;
  const body = tableBody(table, run.entry + 1, bodyEnd, shift === 0 ? undefined : { word: 4, delta: shift });
  const tail = last === LAST ? pad : [limit - last.first, (last.value + shift) >>> 0];
  const count = (head.length + tail.length) / 2 + bodyEnd - (run.entry + 1);
  return { kind: 'entries', table, count, head, body, tail };
}

/** Stands for the end of the last run, which needs no reading. */
const LAST: Run = { entry: -1, first: 0, samples: 0, value: 0, ticks: 0 };
