import { type Reading, read } from '../io/reading.js';
import { type Box, boxBody, boxBodySize, fourcc, u32 } from '../mp4/box/box.js';
import type { BoxScan } from '../mp4/box/box-scan.js';
import { broken } from '../mp4/box/broken.js';
import { headerNumber } from '../mp4/box/header-box.js';
import { type Edit, readEdits } from '../mp4/table/edit-list.js';
import { compileRuns } from '../mp4/table/run-table.js';
import { readTable } from '../mp4/table/table.js';

/** What fragments refer to in `moov` for one track (ISO/IEC 14496-12 sections 8.3, 8.4, 8.6.6 and 8.8.3). */
export interface FragmentTrack {
  readonly id: number;
  /** Handler type: `vide`, `soun` … */
  readonly handler: string;
  /** Ticks per second, at least 1. */
  readonly timescale: number;
  /** Ticks by which presentation lies before media time: where the first edit begins, less the empty edit before it. */
  readonly shift: number;
  /** `default_sample_duration` of `trex`, ticks. */
  readonly sampleDuration: number;
  /** `default_sample_size` of `trex`, bytes. */
  readonly sampleSize: number;
  /** `default_sample_flags` of `trex`. */
  readonly sampleFlags: number;
  /** Ticks of the samples in `moov` itself, after which those of the fragments follow. */
  readonly ticks: number;
}

/** A `moov` whose samples are in fragments. */
export interface FragmentedMovie {
  readonly tracks: readonly FragmentTrack[];
  /** Whether `moov` has samples of its own, which come before those of the fragments. */
  readonly hasSamples: boolean;
}

const TRACKS_MAX = 64;

/**
 * Reads what fragments refer to; `yield*` it.
 * @returns undefined when the movie has no `mvex`: its samples are all in `moov`
 * @throws EdgeError `unplayable` when it is broken
 */
export function* readFragmentedMovie(scan: BoxScan, movie: Box): Reading<FragmentedMovie | undefined> {
  const boxes = yield* scan.children(movie);
  const mvex = boxes.find(({ type }) => type === 'mvex');
  if (!mvex) return undefined;
  const movieScale = headerNumber(yield* scan.header('mvhd', need(boxes, 'mvhd')));
  if (movieScale === 0) throw broken('the timescale of box "mvhd" is 0');
  const defaults = new Map<number, { duration: number; size: number; flags: number }>();
  for (const trex of yield* scan.children(mvex)) {
    if (trex.type !== 'trex') continue;
    const body = yield* readBody(scan, trex, 24);
    defaults.set(u32(body, 4), { duration: u32(body, 12), size: u32(body, 16), flags: u32(body, 20) });
  }
  const traks = boxes.filter(({ type }) => type === 'trak');
  if (traks.length === 0 || traks.length > TRACKS_MAX) {
    throw broken(`it has ${traks.length} tracks where 1 to ${TRACKS_MAX} were expected`);
  }
  const tracks: FragmentTrack[] = [];
  let hasSamples = false;
  for (const trak of traks) {
    const children = yield* scan.children(trak);
    const media = yield* scan.children(need(children, 'mdia'));
    const id = headerNumber(yield* scan.header('tkhd', need(children, 'tkhd')));
    const timescale = headerNumber(yield* scan.header('mdhd', need(media, 'mdhd')));
    if (timescale === 0) throw broken(`the timescale of track ${id} is 0`);
    const inside = yield* samplesInside(scan, media);
    hasSamples ||= inside !== undefined;
    tracks.push({
      id,
      handler: fourcc(yield* readBody(scan, need(media, 'hdlr'), 12), 8),
      timescale,
      shift: shiftOf(yield* editsOf(scan, children), timescale / movieScale),
      sampleDuration: defaults.get(id)?.duration ?? 0,
      sampleSize: defaults.get(id)?.size ?? 0,
      sampleFlags: defaults.get(id)?.flags ?? 0,
      ticks: inside ?? 0,
    });
  }
  return { tracks, hasSamples };
}

/** The track by whose frames a cut is chosen: the first video track, else the first audio track, else the first. */
export function referenceTrack({ tracks }: FragmentedMovie): FragmentTrack {
  const ofKind = (handler: string) => tracks.find(track => track.handler === handler);
  return ofKind('vide') ?? ofKind('soun') ?? tracks[0]!;
}

function* editsOf(scan: BoxScan, trak: readonly Box[]): Reading<Edit[]> {
  const edts = trak.find(({ type }) => type === 'edts');
  const elst = edts && (yield* scan.children(edts)).find(({ type }) => type === 'elst');
  return elst ? yield* readEdits(scan.source, elst) : [];
}

/**
 * Ticks of the track; what players make of the edit list of a fragmented movie: the first edit that is not empty
 * counts.
 */
function shiftOf(edits: readonly Edit[], ticksPerMovieTick: number): number {
  let empty = 0;
  for (const { duration, media } of edits) {
    if (media >= 0) return media - Math.round(empty * ticksPerMovieTick);
    empty += duration;
  }
  return 0;
}

/** Ticks of the samples in `moov`; undefined when there are none. */
function* samplesInside(scan: BoxScan, media: readonly Box[]): Reading<number | undefined> {
  const minf = media.find(({ type }) => type === 'minf');
  const stbl = minf && (yield* scan.children(minf)).find(({ type }) => type === 'stbl');
  const tables = stbl ? yield* scan.children(stbl) : [];
  const sizes = tables.find(({ type }) => type === 'stsz' || type === 'stz2');
  if (sizes === undefined || u32(yield* readBody(scan, sizes, 12), 8) === 0) return undefined;
  const times = tables.find(({ type }) => type === 'stts');
  const table = times && (yield* readTable(scan.source, times));
  return table ? (yield* compileRuns(scan, table, true)).ticks : 0;
}

function* readBody(scan: BoxScan, box: Box, length: number): Reading<Uint8Array> {
  if (boxBodySize(box) < length) throw broken(`box "${box.type}" is too short`);
  return yield* read(scan.source, boxBody(box), length);
}

function need(boxes: readonly Box[], type: string): Box {
  const box = boxes.find(candidate => candidate.type === type);
  if (!box) throw broken(`box "${type}" is missing`);
  return box;
}
