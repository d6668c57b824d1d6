import { IndexWriter } from '../../io/index-bytes.js';
import type { BoxHead } from '../box/box.js';
import type { Table } from '../table/table.js';
import type { Piece, TrackIndex } from '../table/track-index.js';
import type { MovieIndex } from './movie-index.js';
import { HEADERS, KINDS, OPEN } from './movie-index-layout.js';

/** Fields of the last chunk, in their order. */
const TAIL = ['number', 'entry', 'entryFirst', 'entryEnd', 'first', 'samples', 'description'] as const;

/** The index as bytes; their layout stands in movie-index-layout.ts. */
export function encodeMovie(index: MovieIndex): Uint8Array {
  const out = new IndexWriter();
  out.f64(index.size).f64(index.timescale).f64(index.front);
  putHead(out, index.movie);
  out
    .u8(Number(index.movieFirst))
    .u8(Number(index.movable))
    .u8(Number(index.fileType !== undefined));
  if (index.fileType !== undefined) putPiece(out, index.fileType);
  putPieces(out, index.pieces);
  out.u32(index.tracks.length);
  for (const track of index.tracks) putTrack(out, track);
  return out.finish();
}

function putTrack(out: IndexWriter, track: TrackIndex): void {
  out.f64(track.id).bytes(latin1(track.handler)).u8(Number(track.enabled)).f64(track.timescale);
  out.f64(track.samples).f64(track.chunks).f64(track.ticks).f64(track.leastOffset).f64(track.greatestOffset);
  out.f64(track.mediaEnd).f64(track.preroll).f64(track.packetSamples).f64(track.packetBytes);
  out.u8(Number(track.ordered)).f64(track.extent.from).f64(track.extent.to).u32(track.edits.length);
  for (const { duration, media, dwell } of track.edits)
    out
      .f64(duration)
      .f64(media + 1)
      .u8(Number(dwell));
  const { tail } = track;
  if (tail !== undefined) for (const field of TAIL) out.f64(tail[field]);
  putPieces(out, track.pieces);
  out.u32(track.containers.length);
  for (const box of track.containers) putHead(out, box);
  out.u32(track.tables.length);
  for (const table of track.tables) putTable(out, table);
}

function putTable(out: IndexWriter, table: Table): void {
  out.bytes(latin1(table.type));
  putHead(out, table.box);
  out.bytes(table.prelude).f64(table.count);
  out
    .f64(table.offset)
    .f64(table.length)
    .f64(table.samples)
    .u8(Number(table.inline !== undefined));
  if (table.inline !== undefined) out.bytes(table.inline);
  out.u8(table.columns.length);
  for (const column of table.columns) out.rising(column);
}

function putHead(out: IndexWriter, { offset, headerSize, size }: BoxHead): void {
  out.f64(offset).f64(headerSize).f64(size);
}

function putPieces(out: IndexWriter, pieces: readonly Piece[]): void {
  out.u32(pieces.length);
  for (const piece of pieces) putPiece(out, piece);
}

function putPiece(out: IndexWriter, piece: Piece): void {
  out.u8(KINDS.indexOf(piece.kind));
  switch (piece.kind) {
    case 'bytes':
      out.bytes(piece.bytes);
      break;
    case 'span':
      out.f64(piece.offset).f64(piece.length);
      break;
    case 'open':
      out.u8(OPEN.indexOf(piece.type));
      break;
    case 'header':
      out.u8(HEADERS.indexOf(piece.header.type)).bytes(piece.header.body);
      break;
    case 'chapters':
    case 'cslg':
      out.bytes(piece.body);
      break;
    case 'table':
      out.u32(piece.table);
      break;
    case 'track':
      out.u32(piece.track);
      break;
  }
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, character => character.charCodeAt(0));
}
