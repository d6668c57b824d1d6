import { type Reading, read } from '../../io/reading.js';
import { type Box, type BoxHead, boxBody, boxBodySize, fourcc, headOf } from '../box/box.js';
import type { BoxScan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { type HeaderBox, headerNumber, isEnabled } from '../box/header-box.js';
import { readDataReferences, readRoll, readSampleEntries, type SampleEntries } from '../box/sample-entry.js';
import { CSLG_MAX, isCompositionShift } from '../table/cslg.js';
import { type Edit, readEdits, segmentsOf } from '../table/edit-list.js';
import { compileSenc, isSenc } from '../table/senc.js';
import { readTable, type Table } from '../table/table.js';
import type { Piece, TrackIndex } from '../table/track-index.js';
import { compileTables } from './compile-tables.js';
import { keepMetadata } from './metadata.js';

/** What is gathered from the boxes of a track before its tables are compiled. */
interface Parts {
  readonly pieces: Piece[];
  readonly tables: Table[];
  readonly containers: BoxHead[];
  header?: HeaderBox;
  mediaHeader?: HeaderBox;
  handler: string;
  edits: Edit[];
  entries?: SampleEntries;
  references: boolean[];
  roll: number;
  /** Whether there was sample encryption that could not be understood. */
  lost: boolean;
}

/**
 * Compiles one track.
 * @param movieScale units per second of the movie's timescale
 * @throws EdgeError `unplayable`
 */
export function* compileTrack(scan: BoxScan, trak: Box, movieScale: number): Reading<TrackIndex> {
  const parts: Parts = {
    pieces: [],
    tables: [],
    containers: [],
    handler: '',
    edits: [],
    references: [],
    roll: 0,
    lost: false,
  };
  yield* gather(scan, trak, parts);
  const { header, mediaHeader, entries } = parts;
  if (header === undefined || mediaHeader === undefined) throw broken('a track has no box "tkhd" or no box "mdhd"');
  const id = headerNumber(header);
  const timescale = headerNumber(mediaHeader);
  const elsewhere = entries?.references.some(reference => parts.references[reference - 1] === false);
  if (elsewhere) throw broken(`track ${id} keeps its media in another file`);
  if (parts.lost && !parts.tables.some(table => table.type === 'saio'))
    throw broken(`box "senc" of track ${id} can't be understood`);
  const sums = yield* compileTables(scan, parts.tables, id, parts.handler, entries);
  if (timescale === 0 && sums.samples > 0) throw broken(`the timescale of track ${id} is 0`);
  const segments = sums.samples === 0 ? [] : segmentsOf(parts.edits, movieScale, timescale, sums.mediaEnd);
  return {
    ...sums,
    id,
    handler: parts.handler,
    enabled: isEnabled(header),
    timescale: Math.max(1, timescale),
    preroll: parts.handler === 'soun' ? Math.max(parts.roll, entries?.codec === 'mp4a' ? 1 : 0) : 0,
    edits: parts.edits,
    segments,
    pieces: parts.pieces,
    containers: parts.containers,
  };
}

/** Most tables of a track; what a cut does with them looks at each for each. */
const TABLES_MAX = 256;
/** Boxes whose children are looked at. */
const CONTAINERS = new Set(['mdia', 'minf', 'stbl']);
/** Children of `stbl` that do not speak of single samples and are kept as they are. */
const SAMPLE_FREE = new Set(['stsd', 'sgpd']);

function* gather(scan: BoxScan, parent: Box, parts: Parts): Reading<void> {
  parts.containers.push(headOf(parent));
  for (const box of yield* scan.children(parent)) {
    if (CONTAINERS.has(box.type)) {
      if (parts.containers.length !== DEPTH[box.type])
        throw broken(`box "${box.type}" is in the wrong place or there twice`);
      parts.pieces.push({ kind: 'open', type: box.type });
      yield* gather(scan, box, parts);
      parts.pieces.push({ kind: 'close' });
    } else {
      yield* gatherLeaf(scan, parent.type, box, parts);
    }
  }
}

/** Containers around each container. */
const DEPTH: Readonly<Record<string, number>> = { mdia: 1, minf: 2, stbl: 3 };

function* gatherLeaf(scan: BoxScan, parent: string, box: Box, parts: Parts): Reading<void> {
  const { pieces } = parts;
  switch (box.type) {
    case 'tkhd':
      if (parts.header !== undefined) return;
      parts.header = yield* scan.header('tkhd', box);
      pieces.push({ kind: 'header', header: parts.header }, { kind: 'edits' });
      return;
    case 'mdhd':
      if (parts.mediaHeader !== undefined) return;
      parts.mediaHeader = yield* scan.header('mdhd', box);
      pieces.push({ kind: 'header', header: parts.mediaHeader });
      return;
    case 'edts': {
      const elst = (yield* scan.children(box)).find(child => child.type === 'elst');
      if (elst !== undefined) parts.edits = yield* readEdits(scan.source, elst);
      return;
    }
    case 'hdlr':
      if (parent === 'mdia' && boxBodySize(box) >= 12)
        parts.handler = fourcc(yield* read(scan.source, boxBody(box) + 8, 4), 0);
      break;
    case 'dinf': {
      const dref = (yield* scan.children(box)).find(child => child.type === 'dref');
      if (dref !== undefined) parts.references = yield* readDataReferences(scan.source, dref);
      break;
    }
    case 'stsd':
      parts.entries = yield* readSampleEntries(scan.source, box);
      break;
    case 'sgpd':
      parts.roll = Math.max(parts.roll, yield* readRoll(scan.source, box));
      break;
  }
  // Sample encryption may stand in the track itself.
  const ofTrack = parent === 'trak' && isSenc(box) && (yield* readTable(scan.source, box)) !== undefined;
  if (ofTrack || (parent === 'stbl' && !SAMPLE_FREE.has(box.type))) yield* gatherTable(scan, box, parts);
  // What is to be loaded of the source before it plays (QuickTime) is not in a cut.
  else if (box.type !== 'load') pieces.push(...(yield* keepMetadata(scan, box)));
}

/** A box of `stbl` that speaks of single samples. One that is not known can't be cut and is left out. */
function* gatherTable(scan: BoxScan, box: Box, parts: Parts): Reading<void> {
  if (box.type === 'cslg') {
    const body = yield* read(scan.source, boxBody(box), Math.min(CSLG_MAX, boxBodySize(box)));
    if (isCompositionShift(body)) parts.pieces.push({ kind: 'cslg', body });
    return;
  }
  const head = yield* readTable(scan.source, box);
  const table = head !== undefined && isSenc(head) ? yield* compileSenc(scan, head) : head;
  if (table === undefined) {
    parts.lost ||= head !== undefined && head.count > 0;
    return;
  }
  if (parts.tables.length === TABLES_MAX) throw broken(`a track has more than ${TABLES_MAX} tables`);
  parts.pieces.push({ kind: 'table', table: parts.tables.length });
  parts.tables.push(table);
}
