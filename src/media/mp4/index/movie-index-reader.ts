import { IndexReader } from '../../io/index-bytes.js';
import type { BoxHead } from '../box/box.js';
import type { KeptBox } from '../box/box-scan.js';
import { HEADER_BODY_MAX, type HeaderBox, parseHeader } from '../box/header-box.js';
import { CHAPTERS_MAX } from '../table/chapters.js';
import { CSLG_MAX, isCompositionShift } from '../table/cslg.js';
import { EDITS_MAX, type Edit, segmentsOf } from '../table/edit-list.js';
import type { Chunk } from '../table/stsc.js';
import { MENDED_MAX, marks, PRELUDE_MAX, shapeOf, type Table } from '../table/table.js';
import { coreOf, type Piece, type TrackIndex } from '../table/track-index.js';
import type { MovieIndex } from './movie-index.js';
import { HEADERS, KINDS, OPEN } from './movie-index-layout.js';

/** Columns that a table has when its track has samples; 0 or 1 for tables of sizes. */
const COLUMNS: Readonly<Record<string, number>> = {
  stts: 2,
  ctts: 1,
  stss: 1,
  stps: 1,
  stsc: 1,
  sbgp: 1,
  subs: 2,
  senc: 2,
  uuid: 2,
};
/** Tables of sizes. */
const SIZES = ['stsz', 'stz2', 'saiz'];
/** Most pieces, tables and bytes of a piece. */
const MANY = 8192;
const MAX = Number.MAX_SAFE_INTEGER;

/** Decodes what `encodeMovie` made for an object of `size` bytes; undefined when the bytes are anything else. */
export function decodeMovie(bytes: Uint8Array, size: number): MovieIndex | undefined {
  try {
    return new MovieReader(bytes, size).movie();
  } catch {
    return undefined;
  }
}

/**
 * Reads an index out of bytes that may be anything. Throws when they can't be one; what it returns is safe to plan
 * with.
 */
class MovieReader {
  readonly #in: IndexReader;

  constructor(
    bytes: Uint8Array,
    private readonly size: number,
  ) {
    this.#in = new IndexReader(bytes);
  }

  movie(): MovieIndex {
    const size = this.#in.whole(MAX);
    check(size === this.size);
    const timescale = this.#u32();
    check(timescale > 0);
    const front = this.#in.whole(size);
    const movie = this.#head();
    check(front <= movie.offset);
    const [movieFirst, movable] = [this.#flag(), this.#flag()];
    const fileType = this.#flag() ? (this.#piece(['bytes', 'span']) as KeptBox) : undefined;
    const pieces = this.#pieces(['bytes', 'span', 'open', 'close', 'header', 'chapters', 'track']);
    const tracks = this.#list(128, () => this.#track(timescale));
    this.#in.end();
    for (const piece of pieces) check(piece.kind !== 'track' || piece.track < tracks.length);
    return { size, fileType, front, movie, movieFirst, movable, timescale, pieces, tracks };
  }

  #track(movieScale: number): TrackIndex {
    const id = this.#u32();
    const handler = this.#text();
    const enabled = this.#flag();
    const timescale = this.#u32();
    check(timescale > 0);
    const samples = this.#u32();
    const [chunks, ticks] = [this.#u32(), this.#in.whole(MAX)];
    const [leastOffset, greatestOffset] = [this.#signed(), this.#signed()];
    const [mediaEnd, preroll] = [this.#in.whole(MAX), this.#in.whole(64)];
    const [packetSamples, packetBytes] = [this.#u32(), this.#u32()];
    const ordered = this.#flag();
    const extent = { from: this.#in.whole(this.size), to: this.#in.whole(this.size) };
    const edits = this.#list(EDITS_MAX, () => this.#edit());
    const tail = samples > 0 ? this.#chunk() : undefined;
    const pieces = this.#pieces(['bytes', 'span', 'open', 'close', 'header', 'edits', 'cslg', 'table']);
    const containers = this.#list(4, () => this.#head());
    const tables = this.#list(MANY, () => this.#table(samples > 0));
    const core = samples > 0 ? coreOf(tables, handler) : undefined;
    check((core !== undefined) === samples > 0);
    check(tail === undefined || (tail.number <= chunks && tail.entry < core!.stsc.count));
    check(core === undefined || (core.stco.count === chunks && core.stsz.count >= samples));
    for (const piece of pieces) check(piece.kind !== 'table' || piece.table < tables.length);
    const segments = samples === 0 ? [] : segmentsOf(edits, movieScale, timescale, mediaEnd);
    const numbers = { id, timescale, samples, chunks, ticks, leastOffset, greatestOffset, mediaEnd, preroll };
    const packets = { packetSamples, packetBytes };
    return {
      ...numbers,
      ...packets,
      tail,
      handler,
      enabled,
      ordered,
      extent,
      edits,
      segments,
      pieces,
      containers,
      tables,
      core,
    };
  }

  #chunk(): Chunk {
    const [number, entry, entryFirst, entryEnd] = [this.#u32(), this.#u32(), this.#u32(), this.#in.whole(2 ** 32)];
    return { number, entry, entryFirst, entryEnd, first: this.#u32(), samples: this.#u32(), description: this.#u32() };
  }

  #u32(): number {
    return this.#in.whole(0xffff_ffff);
  }

  #edit(): Edit {
    return { duration: this.#in.whole(MAX), media: this.#in.whole(MAX) - 1, dwell: this.#flag() };
  }

  #table(compiled: boolean): Table {
    const type = this.#text();
    const box = this.#head();
    const prelude = this.#in.bytes(PRELUDE_MAX);
    check(prelude.length >= 4);
    const shape = shapeOf(type, prelude);
    check(shape?.prelude === prelude.length);
    const { counted } = shape;
    const entrySize = Math.max(0, shape.entry);
    const count = this.#in.whole(0xffff_ffff);
    const [offset, length] = [this.#in.whole(this.size), this.#in.whole(this.size)];
    check(length <= this.size - offset && Math.ceil(count * entrySize) <= length);
    const samples = this.#u32();
    const inline = this.#flag() ? this.#in.bytes(MENDED_MAX) : undefined;
    check(inline === undefined || inline.length === length);
    const columns: Float64Array[] = [];
    for (let rows = this.#in.u8(); rows > 0; rows--) columns.push(this.#in.rising(MAX, false));
    for (const column of columns) check(column.length === marks(count));
    if (compiled) check(SIZES.includes(type) ? columns.length <= 1 : columns.length === (COLUMNS[type] ?? 0));
    return { type, box, prelude, counted, count, entrySize, offset, length, samples, inline, columns };
  }

  #head(): BoxHead {
    const [offset, headerSize, size] = [this.#in.whole(this.size), this.#in.whole(16), this.#in.whole(this.size)];
    check((headerSize === 8 || headerSize === 16) && size <= this.size - offset);
    return { offset, headerSize, size };
  }

  #pieces(allowed: readonly Piece['kind'][]): Piece[] {
    const pieces = this.#list(MANY, () => this.#piece(allowed));
    let depth = 0;
    for (const { kind } of pieces) {
      if (kind === 'open') depth++;
      if (kind === 'close') check(--depth >= 0);
    }
    check(depth === 0);
    return pieces;
  }

  #piece(allowed: readonly Piece['kind'][]): Piece {
    const kind = KINDS[this.#in.u8()];
    check(kind !== undefined && allowed.includes(kind));
    switch (kind) {
      case 'bytes':
        return { kind, bytes: this.#in.bytes(MANY) };
      case 'span': {
        const [offset, length] = [this.#in.whole(this.size), this.#in.whole(this.size)];
        check(length > 0 && length <= this.size - offset);
        return { kind, offset, length };
      }
      case 'open':
        return { kind, type: OPEN[this.#choice(OPEN.length)]! };
      case 'header':
        return { kind, header: this.#header() };
      case 'cslg': {
        const body = this.#in.bytes(CSLG_MAX);
        check(isCompositionShift(body));
        return { kind, body };
      }
      case 'chapters':
        return { kind, body: this.#in.bytes(CHAPTERS_MAX) };
      case 'table':
        return { kind, table: this.#in.u32() };
      case 'track':
        return { kind, track: this.#in.u32() };
      default:
        return { kind };
    }
  }

  #header(): HeaderBox {
    const type = HEADERS[this.#choice(HEADERS.length)]!;
    return parseHeader(type, this.#in.bytes(HEADER_BODY_MAX));
  }

  #list<T>(max: number, item: () => T): T[] {
    const count = this.#in.u32();
    check(count <= max);
    return Array.from({ length: count }, item);
  }

  #choice(count: number): number {
    const value = this.#in.u8();
    check(value < count);
    return value;
  }

  #flag(): boolean {
    return this.#choice(2) === 1;
  }

  #signed(): number {
    const value = this.#in.f64();
    check(Number.isInteger(value) && Math.abs(value) <= 2 ** 31);
    return value;
  }

  #text(): string {
    return String.fromCharCode(...this.#in.bytes(4));
  }
}

function check(condition: boolean): asserts condition {
  if (!condition) throw new RangeError('not a movie index');
}
