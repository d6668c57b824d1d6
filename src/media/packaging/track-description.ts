import { type Reading, read, readAll } from '../io/reading.js';
import { type Box, boxBody, boxBodySize, fourcc, parseBoxes, u32 } from '../mp4/box/box.js';
import type { BoxScan } from '../mp4/box/box-scan.js';
import { headerNumber, isEnabled } from '../mp4/box/header-box.js';

/** What the boxes of a track say beside its samples. */
export interface TrackDescription {
  readonly id: number;
  readonly enabled: boolean;
  readonly alternateGroup: number;
  /** 36 bytes of `tkhd`. */
  readonly matrix: Uint8Array;
  /** In 1/65536 of a pixel. */
  readonly width: number;
  readonly height: number;
  /** BCP 47; `und` where nothing is said. */
  readonly language: string;
  /** '' where nothing is said. */
  readonly name: string;
  /** Numbers of the tracks that name its chapters, as text or as pictures. */
  readonly chapters: readonly number[];
  /** The sample entries of `stsd`, whole boxes; '' for one that is too long to be kept. */
  readonly entries: readonly Uint8Array[];
}

/** Bytes of `stsd` of a track that is packaged. */
const DESCRIPTIONS_MAX = 128 * 1024;
/** Bytes of a name or a language. */
const TEXT_MAX = 256;
const ENTRIES_MAX = 256;
/** Bytes of the matrix of `tkhd`. */
export const MATRIX = 36;

/** Reads what the tracks of a movie box say; `yield*` it. Those that lack `tkhd` are left out. */
export function* describeTracks(scan: BoxScan, movieAt: number): Reading<TrackDescription[]> {
  const found: TrackDescription[] = [];
  for (const trak of yield* scan.children(yield* scan.box(movieAt))) {
    if (trak.type !== 'trak') continue;
    const boxes = yield* scan.children(trak);
    const tkhd = boxes.find(({ type }) => type === 'tkhd');
    if (tkhd === undefined) continue;
    const header = yield* scan.header('tkhd', tkhd);
    const { body } = header;
    const group = body[0] === 1 ? 46 : 34;
    const matrix = group + 6;
    const media = yield* childrenOf(scan, boxes, 'mdia');
    const tables = yield* childrenOf(scan, yield* childrenOf(scan, media, 'minf'), 'stbl');
    found.push({
      id: headerNumber(header),
      enabled: isEnabled(header),
      alternateGroup: body[group]! * 256 + body[group + 1]!,
      matrix: body.slice(matrix, matrix + MATRIX),
      width: u32(body, matrix + MATRIX),
      height: u32(body, matrix + MATRIX + 4),
      language: yield* languageOf(scan, media),
      name: yield* nameOf(scan, boxes, media),
      chapters: chaptersIn(yield* contentsOf(scan, boxes, 'tref')),
      entries: yield* entriesOf(scan, tables),
    });
  }
  return found;
}

function* childrenOf(scan: BoxScan, boxes: readonly Box[], type: string): Reading<Box[]> {
  const box = boxes.find(candidate => candidate.type === type);
  return box === undefined ? [] : yield* scan.children(box);
}

/** The contents of the first box of a type, as far as `TEXT_MAX`; nothing when there is none. */
function* contentsOf(scan: BoxScan, boxes: readonly Box[], type: string): Reading<Uint8Array> {
  const box = boxes.find(candidate => candidate.type === type);
  if (box === undefined || boxBodySize(box) === 0) return new Uint8Array();
  return yield* read(scan.source, boxBody(box), Math.min(TEXT_MAX, boxBodySize(box)));
}

function* entriesOf(scan: BoxScan, tables: readonly Box[]): Reading<Uint8Array[]> {
  const stsd = tables.find(({ type }) => type === 'stsd');
  if (stsd === undefined || boxBodySize(stsd) < 8 || boxBodySize(stsd) > DESCRIPTIONS_MAX) return [];
  const bytes = yield* readAll(scan.source, boxBody(stsd), boxBodySize(stsd));
  return parseBoxes(bytes, 8, bytes.length, ENTRIES_MAX).map(({ offset, end }) => bytes.slice(offset, end));
}

/** `elng` (ISO/IEC 14496-12 section 8.4.6), else the language of `mdhd` (section 8.4.2). */
function* languageOf(scan: BoxScan, media: readonly Box[]): Reading<string> {
  const extended = languageTag(textOf((yield* contentsOf(scan, media, 'elng')).subarray(4)));
  if (extended !== 'und') return extended;
  const mdhd = yield* contentsOf(scan, media, 'mdhd');
  const at = mdhd[0] === 1 ? 32 : 20;
  const packed = mdhd.length < at + 2 ? 0 : mdhd[at]! * 256 + mdhd[at + 1]!;
  // Below are the codes of QuickTime, which do not tell languages apart from the absence of one.
  if (packed < 0x400) return 'und';
  const letters = [packed >> 10, packed >> 5, packed].map(letter => 0x60 + (letter & 0x1f));
  return languageTag(String.fromCharCode(...letters));
}

/** A language as BCP 47 has it, which knows the shortest code of each; `und` when it is none. */
function languageTag(text: string): string {
  if (text === '') return 'und';
  try {
    return Intl.getCanonicalLocales(text)[0] ?? 'und';
  } catch {
    return 'und';
  }
}

/** The tracks that the references of a track (ISO/IEC 14496-12 section 8.3.3) call its chapters (QuickTime). */
function chaptersIn(references: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at + 8 <= references.length; ) {
    const size = u32(references, at);
    const end = Math.min(at + size, references.length);
    if (fourcc(references, at + 4) === 'chap')
      for (let id = at + 8; id + 4 <= end; id += 4) found.push(u32(references, id));
    if (size < 8) break;
    at += size;
  }
  return found;
}

/** Names of handlers that say nothing but what the handler is for, or who wrote the file. */
const NO_NAME = /handler|media|produced|^(?:video|audio|sound|subtitles?|text|stereo|mono)$/i;

/** The name of the track's `udta`, else that of its handler. */
function* nameOf(scan: BoxScan, boxes: readonly Box[], media: readonly Box[]): Reading<string> {
  const title = textOf(yield* contentsOf(scan, yield* childrenOf(scan, boxes, 'udta'), 'name'));
  if (title !== '') return title;
  const hdlr = (yield* contentsOf(scan, media, 'hdlr')).subarray(20);
  // QuickTime writes the length before it.
  const name = textOf(hdlr[0] === hdlr.length - 1 ? hdlr.subarray(1) : hdlr);
  return NO_NAME.test(name) ? '' : name;
}

/** Text up to its first 0, without what is no text. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  return text.replace(/[\p{C}\ufffd]/gu, '').trim();
}
