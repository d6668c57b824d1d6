import { type Span, source as sourceSpan } from '../../../virtual-file/span.js';
import type { BoxMark } from '../box/box-writer.js';
import { type HeaderType, writeHeader } from '../box/header-box.js';
import { joinRegions, OffsetMap, withoutRegion } from '../box/regions.js';
import { SpanWriter } from '../box/span-writer.js';
import type { MovieIndex } from '../index/movie-index.js';
import { writeChapters } from '../table/chapters.js';
import { writeCompositionShift } from '../table/cslg.js';
import { type Edit, editsOf, writeEdits } from '../table/edit-list.js';
import { isSenc } from '../table/senc.js';
import type { Table } from '../table/table.js';
import type { OffsetCut, PointerCut, TableCut } from '../table/table-cut.js';
import { OffsetPatch } from '../table/table-patch.js';
import type { Piece, TrackIndex } from '../table/track-index.js';
import type { MovieCut } from './movie-cut.js';
import type { AnyCut, TrackCut } from './track-cut.js';

/** Units per second below which the movie's timescale is too coarse for the delays between tracks. */
const MOVIE_SCALE_MIN = 1000;
/** By how many bytes a cut's movie box may be longer than the source's. */
const GROWTH_MAX = 1024 * 1024;
const U32_MAX = 0xffff_ffff;

/** The writer's buffer is kept from one layout to the next; no layout is ever interrupted by another. */
const out = new SpanWriter();

/** What is known of the answer while its movie box is written. */
interface Context {
  readonly index: MovieIndex;
  readonly cut: MovieCut;
  /** Units per second of the answer's `mvhd`. */
  readonly movieScale: number;
  /** Edits of each track of the answer. */
  readonly edits: readonly (readonly Edit[])[];
  /** Whether chunk offsets are written with 64 bits. */
  readonly widen: boolean;
  readonly map: OffsetMap;
  /** Offsets that are filled in when the map has been placed. */
  readonly offsets: { readonly at: number; readonly wide: boolean; readonly offset: number }[];
  /** Offsets of tables in the answer, which are filled in when all are written. */
  readonly pointers: { readonly at: number; readonly wide: boolean; readonly to: Table }[];
  /** Where the entries of tables that are pointed at stand in the answer. */
  readonly places: Map<Table, number>;
}

/** The spans of a cut: `ftyp`, `moov`, and one `mdat` with the media between the tracks' first and last samples. */
export function layOut(index: MovieIndex, cut: MovieCut): Span[] {
  const { movie, timescale } = index;
  const samples = joinRegions(cut.tracks.flatMap(track => track?.regions ?? []));
  const media = joinRegions([
    ...withoutRegion(samples, { from: movie.offset, to: movie.offset + movie.size }),
    ...cut.tracks.flatMap(track => track?.auxiliary ?? []),
  ]);
  const mediaSize = media.reduce((sum, { from, to }) => sum + to - from, 0);
  const movieScale = timescale >= MOVIE_SCALE_MIN ? timescale : timescale * Math.ceil(MOVIE_SCALE_MIN / timescale);
  const edits = cut.tracks.map(track =>
    track === undefined
      ? []
      : editsOf(track.segments, cut.start, track.firstTime + track.trim - track.shift, movieScale),
  );
  const widen = mediaSize + movie.size + GROWTH_MAX > U32_MAX;
  const context: Context = {
    index,
    cut,
    movieScale,
    edits,
    widen,
    map: new OffsetMap(),
    offsets: [],
    pointers: [],
    places: new Map(),
  };

  out.reset();
  if (index.fileType !== undefined) writePieces(context, [index.fileType], undefined);
  const moov = out.open('moov');
  writePieces(context, index.pieces, undefined);
  out.close(moov);
  const wide = mediaSize + 8 > U32_MAX;
  out.u32(wide ? 1 : mediaSize + 8);
  out.fourcc('mdat');
  if (wide) out.u64(mediaSize + 16);

  let position = out.position;
  for (const { from, to } of media) {
    context.map.place(from, position);
    position += to - from;
  }
  for (const { at, wide, offset } of context.offsets) out.offsetAt(at, offset + context.map.delta(offset), wide);
  for (const { at, wide, to } of context.pointers) out.offsetAt(at, context.places.get(to)!, wide);
  const spans = out.spans();
  for (const { from, to } of media) if (to > from) spans.push(sourceSpan(from, to - from));
  return spans;
}

function durationOf(edits: readonly Edit[]): number {
  return edits.reduce((sum, edit) => sum + edit.duration, 0);
}

/** A track and what is left of it. */
interface TrackContext {
  readonly track: TrackIndex;
  readonly cut: TrackCut;
  readonly edits: readonly Edit[];
}

function writeTrack(context: Context, number: number): void {
  const cut = context.cut.tracks[number];
  if (cut === undefined) return;
  const track = context.index.tracks[number]!;
  const box = out.open('trak');
  writePieces(context, track.pieces, { track, cut, edits: context.edits[number]! });
  out.close(box);
}

/** @param inside the track that the pieces belong to */
function writePieces(context: Context, pieces: readonly Piece[], inside: TrackContext | undefined): void {
  const boxes: BoxMark[] = [];
  for (const piece of pieces) {
    switch (piece.kind) {
      case 'bytes':
        out.bytes(piece.bytes);
        break;
      case 'span':
        out.span(sourceSpan(piece.offset, piece.length));
        break;
      case 'open':
        boxes.push(out.open(piece.type));
        break;
      case 'close':
        out.close(boxes.pop()!);
        break;
      case 'header':
        writeHeader(out, piece.header, ...headerFields(context, piece.header.type, inside));
        break;
      case 'edits':
        if (inside !== undefined) writeEdits(out, inside.edits);
        break;
      case 'cslg':
        if (inside !== undefined) writeCompositionShift(out, piece.body, inside.track, inside.cut);
        break;
      case 'table':
        if (inside !== undefined) writeTable(context, inside.cut.tables[piece.table]!);
        break;
      case 'chapters':
        writeChapters(out, piece.body, context.cut.start, context.cut.end ?? Number.POSITIVE_INFINITY);
        break;
      case 'track':
        writeTrack(context, piece.track);
        break;
    }
  }
}

/** Duration, and timescale where it differs from the source's, of a header box. */
function headerFields(context: Context, type: HeaderType, inside: TrackContext | undefined): [number, number?] {
  if (inside === undefined) return [Math.max(0, ...context.edits.map(durationOf)), context.movieScale];
  if (type === 'tkhd') return [durationOf(inside.edits)];
  return [inside.cut.endTime - inside.cut.firstTime - inside.cut.trim];
}

function writeTable(context: Context, cut: AnyCut): void {
  if (cut.kind === 'offsets') writeOffsets(context, cut);
  else if (cut.kind === 'pointer') writePointer(context, cut);
  else writeEntries(context, cut);
}

function writeEntries(context: Context, { table, count, head, body, tail }: TableCut): void {
  const box = out.open(table.type);
  out.bytes(table.prelude);
  if (table.counted) out.u32(count);
  if (isSenc(table)) context.places.set(table, out.position);
  if (head !== undefined) for (const word of head) out.u32(word);
  if (body !== undefined) out.span(body);
  if (tail !== undefined) for (const word of tail) out.u32(word);
  out.close(box);
}

/** `saio` that leads to a `senc` of the answer. */
function writePointer(context: Context, { table, to }: PointerCut): void {
  const wide = table.entrySize === 8;
  const box = out.open(table.type);
  out.bytes(table.prelude);
  out.u32(1);
  context.pointers.push({ at: out.length, wide, to });
  out.zeros(wide ? 8 : 4);
  out.close(box);
}

/** `stco`, `co64`, `saio`. */
function writeOffsets(context: Context, { table, first, from, to }: OffsetCut): void {
  const wide = context.widen || table.entrySize === 8;
  const box = out.open(wide && table.type === 'stco' ? 'co64' : table.type);
  const version = table.type === 'saio' && wide ? 1 : table.prelude[0]!;
  out.u8(version);
  out.bytes(table.prelude.subarray(1));
  out.u32((first === undefined ? 0 : 1) + to - from);
  if (first !== undefined) {
    context.offsets.push({ at: out.length, wide, offset: first });
    out.zeros(wide ? 8 : 4);
  }
  if (to > from) {
    const given = wide ? 8 : 4;
    const patch = new OffsetPatch(table.offset + from * table.entrySize, table.entrySize, given, context.map);
    out.span({ kind: 'patched', length: (to - from) * given, patch });
  }
  out.close(box);
}
