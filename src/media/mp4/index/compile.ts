import { EdgeError } from '../../../base/errors.js';
import type { MeteredSource } from '../../io/metered-source.js';
import { type Reading, read } from '../../io/reading.js';
import { type Box, boxBody, boxBodySize, headOf } from '../box/box.js';
import { BoxScan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { headerNumber } from '../box/header-box.js';
import { CHAPTERS_MAX } from '../table/chapters.js';
import type { Piece, TrackIndex } from '../table/track-index.js';
import { compileTrack } from './compile-track.js';
import { childrenIfWhole, keepMetadata } from './metadata.js';
import type { MovieIndex } from './movie-index.js';

/** Limits of compiling. */
export interface CompileOptions {
  /** Bytes of the largest movie box that is accepted. */
  readonly maxMoov: number;
}

/** Most tracks of a movie. */
const TRACKS_MAX = 128;

/**
 * Compiles the seek index of a progressive MP4: finds `moov` wherever it stands and passes once over its tables, in
 * pieces.
 * @returns undefined when the movie is fragmented
 * @throws EdgeError `unplayable`, `media_too_large`
 */
export function* compileMovie(source: MeteredSource, options: CompileOptions): Reading<MovieIndex | undefined> {
  const scan = new BoxScan(source);
  const top = yield* findMovie(scan);
  const { movie } = top;
  const size = movie.end - movie.offset;
  if (size > options.maxMoov) {
    throw new EdgeError(
      'media_too_large',
      `can't seek in this file: its index has ${size} bytes, and the limit media.mp4.maxMoov is ${options.maxMoov}`,
    );
  }
  const children = yield* scan.children(movie);
  if (children.some(child => child.type === 'mvex')) return undefined;
  if (children.some(child => child.type === 'cmov')) throw broken('its movie box is compressed');

  const mvhd = children.find(child => child.type === 'mvhd');
  if (mvhd === undefined) throw broken('it has no box "mvhd"');
  const header = yield* scan.header('mvhd', mvhd);
  // Players take 0 for 1.
  const timescale = Math.max(1, headerNumber(header));

  const pieces: Piece[] = [];
  const tracks: TrackIndex[] = [];
  let movable = top.movable;
  for (const child of children) {
    if (child.type === 'trak') {
      if (tracks.length === TRACKS_MAX) throw broken(`it has more than ${TRACKS_MAX} tracks`);
      pieces.push({ kind: 'track', track: tracks.length });
      tracks.push(yield* compileTrack(scan, child, timescale));
    } else if (child === mvhd) {
      pieces.push({ kind: 'header', header });
    } else if (child.type === 'meta' && (yield* hasItemLocations(scan, child))) {
      movable = false;
    } else if (child.type === 'udta') {
      pieces.push(...(yield* userData(scan, child)));
    } else if (child.type !== 'mvhd') {
      pieces.push(...(yield* keepMetadata(scan, child)));
    }
  }
  if (!tracks.some(track => track.samples > 0)) throw broken('no track has samples');
  return {
    size: source.size,
    fileType: top.fileType,
    front: top.front,
    movie: headOf(movie),
    movieFirst: top.movieFirst,
    movable,
    timescale,
    pieces,
    tracks,
  };
}

/** `udta` as it is, but for a chapter list, whose times differ in a cut; one that is too long is left out. */
function* userData(scan: BoxScan, udta: Box): Reading<Piece[]> {
  const children = yield* childrenIfWhole(scan, udta);
  if (!children.some(child => child.type === 'chpl')) return yield* keepMetadata(scan, udta);
  const pieces: Piece[] = [{ kind: 'open', type: 'udta' }];
  for (const child of children) {
    const size = boxBodySize(child);
    if (child.type !== 'chpl') pieces.push(...(yield* keepMetadata(scan, child)));
    else if (size <= CHAPTERS_MAX)
      pieces.push({ kind: 'chapters', body: yield* read(scan.source, boxBody(child), size) });
  }
  pieces.push({ kind: 'close' });
  return pieces;
}

interface TopLevel {
  readonly movie: Box;
  readonly movieFirst: boolean;
  readonly movable: boolean;
  readonly fileType: MovieIndex['fileType'];
  readonly front: number;
}

function* findMovie(scan: BoxScan): Reading<TopLevel> {
  const { size } = scan.source;
  let movieFirst = true;
  let movable = true;
  let fileType: MovieIndex['fileType'];
  let front = 0;
  for (let at = 0; size - at >= 8; ) {
    const box = yield* scan.box(at);
    if (box.type === 'moov') return { movie: box, movieFirst, movable, fileType, front };
    if (box.type === 'ftyp' && fileType === undefined) {
      fileType = yield* scan.keep(box);
      front = box.end;
    }
    if (box.type === 'mdat') movieFirst = false;
    if (box.type === 'moof') throw broken('it has a fragment before its movie box');
    if (box.type === 'meta') movable &&= !(yield* hasItemLocations(scan, box));
    at = box.end;
  }
  throw broken('it has no movie box "moov"');
}

/**
 * Whether a `meta` box holds file offsets (`iloc`, ISO/IEC 14496-12 section 8.11.3), which a moved file would make
 * wrong.
 */
function* hasItemLocations(scan: BoxScan, meta: Box): Reading<boolean> {
  // QuickTime's is a plain box, that of the standard is a full box.
  for (const extra of [4, 0]) {
    const inside: Box = { ...meta, headerSize: meta.headerSize + extra };
    if (boxBodySize(inside) < 8) continue;
    try {
      const children = yield* scan.children(inside);
      if (children.length > 0) return children.some(child => child.type === 'iloc');
    } catch (error) {
      if (!(error instanceof EdgeError && error.code === 'unplayable')) throw error;
    }
  }
  return false;
}
