import { type Box, boxBody, boxBodySize, parseBoxes, u32, u64 } from '../mp4/box/box.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import { broken } from '../mp4/box/broken.js';
import { HEADER_BODY_MAX, type HeaderType, headerNumber, parseHeader, writeHeader } from '../mp4/box/header-box.js';

/** What is to be different in the `moov` of a cut. */
export interface InitChanges {
  /** Second at which the presentation ends; durations that are longer are cut. Undefined to leave them. */
  readonly end: number | undefined;
  /** Whether the samples in `moov` itself are left out. */
  readonly dropSamples: boolean;
}

const CONTAINERS = new Set(['moov', 'trak', 'mdia', 'minf', 'mvex', 'edts']);
/** Children of `stbl` that do not speak of single samples. */
const SAMPLE_FREE = new Set(['stsd', 'sgpd']);

/**
 * The `moov` of a cut of a fragmented movie.
 * @param moov the whole box
 * @throws EdgeError `unplayable` when it is broken
 */
export function rewriteInit(moov: Uint8Array, changes: InitChanges): Uint8Array {
  const writer = new BoxWriter(moov.length + 256);
  const box = parseBoxes(moov, 0, moov.length, 1)[0]!;
  const mvhd = parseBoxes(moov, boxBody(box), box.end).find(({ type }) => type === 'mvhd');
  if (!mvhd) throw broken('box "mvhd" is missing');
  const movieScale = headerNumber(headerOf(moov, mvhd, 'mvhd'));
  new InitWriter(moov, writer, changes, movieScale).box(box);
  return writer.take();
}

class InitWriter {
  constructor(
    private readonly bytes: Uint8Array,
    private readonly writer: BoxWriter,
    private readonly changes: InitChanges,
    private readonly movieScale: number,
  ) {}

  box(box: Box): void {
    const { type } = box;
    if (type === 'mvhd' || type === 'tkhd' || type === 'mdhd') this.#header(box, type);
    else if (type === 'mehd') this.#mehd(box);
    else if (type === 'elst' && this.changes.dropSamples) this.#openEnded(box);
    else if (type === 'stbl' && this.changes.dropSamples) this.#emptyTable(box);
    else if (CONTAINERS.has(type)) this.#container(box, () => true);
    else this.#copy(box);
  }

  #container(box: Box, wanted: (child: Box) => boolean): void {
    const mark = this.writer.open(box.type);
    for (const child of parseBoxes(this.bytes, boxBody(box), box.end)) if (wanted(child)) this.box(child);
    this.writer.close(mark);
  }

  #copy(box: Box): void {
    this.writer.bytes(this.bytes.subarray(box.offset, box.end));
  }

  /** A duration of 0 leaves it to the fragments. One of the samples in `moov` alone means nothing without them. */
  #duration(duration: number, timescale: number): number {
    if (duration === 0) return 0;
    if (this.changes.dropSamples) return 0;
    const { end } = this.changes;
    return end === undefined ? duration : Math.min(duration, Math.ceil(end * timescale));
  }

  #header(box: Box, type: HeaderType): void {
    const header = headerOf(this.bytes, box, type);
    const wide = header.body[0] === 1;
    const at = (wide ? 24 : 16) + (type === 'tkhd' ? 4 : 0);
    // All bits set says that the duration is not known.
    const unknown = u32(header.body, at) === 0xffff_ffff && (!wide || u32(header.body, at + 4) === 0xffff_ffff);
    if (unknown) {
      this.#copy(box);
      return;
    }
    const duration = wide ? u64(header.body, at) : u32(header.body, at);
    const timescale = type === 'mdhd' ? headerNumber(header) : this.movieScale;
    writeHeader(this.writer, header, this.#duration(duration, timescale));
  }

  /** `mehd` tells of all fragments together (ISO/IEC 14496-12 section 8.8.2). */
  #mehd(box: Box): void {
    const body = boxBody(box);
    const wide = this.bytes[body] === 1;
    const { end } = this.changes;
    if (end === undefined || boxBodySize(box) < (wide ? 12 : 8)) {
      this.#copy(box);
      return;
    }
    const duration = wide ? u64(this.bytes, body + 4) : u32(this.bytes, body + 4);
    const mark = this.writer.openFull('mehd', 1, 0);
    this.writer.u64(Math.min(duration, Math.ceil(end * this.movieScale)));
    this.writer.close(mark);
  }

  /**
   * Edits that ended with the samples of `moov` go on with the fragments: their duration becomes 0 (section 8.6.6.1).
   */
  #openEnded(box: Box): void {
    const copy = this.bytes.slice(box.offset, box.end);
    const body = box.headerSize;
    const wide = copy[body] === 1;
    const size = wide ? 20 : 12;
    const count = Math.min(u32(copy, body + 4), Math.floor((boxBodySize(box) - 8) / size));
    for (let i = 0, at = body + 8; i < count; i++, at += size) {
      const empty = u32(copy, at + (wide ? 8 : 4)) === 0xffff_ffff;
      if (!empty) copy.fill(0, at, at + (wide ? 8 : 4));
    }
    this.writer.bytes(copy);
  }

  #emptyTable(box: Box): void {
    const mark = this.writer.open('stbl');
    for (const child of parseBoxes(this.bytes, boxBody(box), box.end))
      if (SAMPLE_FREE.has(child.type)) this.#copy(child);
    for (const [type, numbers] of EMPTY_TABLES) {
      const table = this.writer.openFull(type, 0, 0);
      this.writer.zeros(numbers * 4);
      this.writer.close(table);
    }
    this.writer.close(mark);
  }
}

/** The tables that every `stbl` must have, with the number of 32-bit fields that an empty one has. */
const EMPTY_TABLES = [
  ['stts', 1],
  ['stsc', 1],
  ['stsz', 2],
  ['stco', 1],
] as const;

function headerOf(bytes: Uint8Array, box: Box, type: HeaderType) {
  if (boxBodySize(box) > HEADER_BODY_MAX) throw broken(`box "${type}" has ${boxBodySize(box)} bytes`);
  return parseHeader(type, bytes.subarray(boxBody(box), box.end));
}
