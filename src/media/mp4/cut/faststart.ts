import { literal, type Span, source as sourceSpan } from '../../../virtual-file/span.js';
import type { BoxHead } from '../box/box.js';
import { BoxWriter } from '../box/box-writer.js';
import { OffsetMap } from '../box/regions.js';
import type { MovieIndex } from '../index/movie-index.js';
import type { Table } from '../table/table.js';
import { OffsetPatch } from '../table/table-patch.js';

/** Bytes of the object that are not as they were in the moved movie box. */
interface Change {
  readonly offset: number;
  readonly length: number;
  readonly span: Span;
}

/**
 * The whole file with its movie box moved to the front, so that players can begin before they have all of it: every
 * byte as it was, but for file offsets, and for the sizes of boxes around those that had to become 64-bit ones.
 * Undefined when the movie box is in front already or can't be moved.
 */
export function moveMovieFirst(index: MovieIndex): Span[] | undefined {
  if (index.movieFirst || !index.movable) return undefined;
  const { movie, size, front } = index;
  const movieEnd = movie.offset + movie.size;
  const tables = index.tracks.flatMap(track => track.tables.filter(isOffsets));
  const widen = size > 0xffff_ffff;
  const growth = (table: Table): number => (widen && table.entrySize === 4 ? table.count * 4 : 0);
  const grown = tables.reduce((sum, table) => sum + growth(table), 0);

  const map = new OffsetMap();
  const changes = [resized(movie, 'moov', grown)];
  for (const table of tables) {
    const more = growth(table);
    const given = table.entrySize + (more > 0 ? 4 : 0);
    if (more > 0) changes.push(resized(table.box, table.type === 'stco' ? 'co64' : table.type, more));
    if (more > 0 && table.type === 'saio') changes.push(versionOne(table));
    if (table.count === 0) continue;
    const patch = new OffsetPatch(table.offset, table.entrySize, given, map);
    changes.push({
      offset: table.offset,
      length: table.length,
      span: { kind: 'patched', length: table.count * given, patch },
    });
  }
  if (grown > 0) {
    for (const track of index.tracks) {
      const more = track.tables.filter(isOffsets).reduce((sum, table) => sum + growth(table), 0);
      track.containers.forEach((box, depth) => {
        changes.push(resized(box, CONTAINERS[depth]!, more));
      });
    }
  }

  const spans: Span[] = [];
  const copied: { readonly from: number; readonly at: number }[] = [];
  let written = 0;
  const put = (span: Span): void => {
    spans.push(span);
    written += span.length;
  };
  const copy = (from: number, to: number): void => {
    if (to <= from) return;
    copied.push({ from, at: written });
    put(sourceSpan(from, to - from));
  };
  copy(0, front);
  let position = movie.offset;
  for (const { offset, length, span } of changes.sort((a, b) => a.offset - b.offset)) {
    copy(position, offset);
    put(span);
    position = offset + length;
  }
  copy(position, movieEnd);
  copy(front, movie.offset);
  copy(movieEnd, size);
  for (const { from, at } of copied.sort((a, b) => a.from - b.from)) map.place(from, at);
  return spans;
}

const CONTAINERS = ['trak', 'mdia', 'minf', 'stbl'];

function isOffsets(table: Table): boolean {
  return table.type === 'stco' || table.type === 'co64' || table.type === 'saio';
}

/** The header of a box that has grown. A size of 0, to the end of the file, becomes a number. */
function resized(box: BoxHead, type: string, more: number): Change {
  const header = new BoxWriter(box.headerSize);
  header.u32(box.headerSize === 16 ? 1 : box.size + more);
  header.fourcc(type);
  if (box.headerSize === 16) header.u64(box.size + more);
  return { offset: box.offset, length: box.headerSize, span: literal(header.take()) };
}

function versionOne(table: Table): Change {
  return { offset: table.box.offset + table.box.headerSize, length: 1, span: literal(Uint8Array.of(1)) };
}
