import { fourcc } from '../box/box.js';
import { broken } from '../box/broken.js';
import type { Region } from '../box/regions.js';
import { chunkOffset } from './chunk-offset.js';
import { sizeOf } from './sample-size.js';
import { isSenc } from './senc.js';
import type { SampleRange } from './stsc.js';
import type { Table } from './table.js';
import type { TableBytes } from './table-bytes.js';
import type { OffsetCut } from './table-cut.js';
import type { SampledTrack } from './track-index.js';

/**
 * Sample auxiliary information, such as that of encryption: `saiz`, its sizes, and `saio`, where it stands in the file
 * (ISO/IEC 14496-12 sections 8.7.8 and 8.7.9): in one run for the whole track, or in one for each chunk. It may stand
 * in the movie box itself, in a box that is not understood; in a cut it stands with the media then.
 */

/** Types of information that is that of encryption; '' when it is not said. */
const ENCRYPTION = new Set(['', 'cenc', 'cens', 'cbc1', 'cbcs', 'piff']);

/**
 * The box of sample encryption that a `saio` stands for. Players go by the box, whether the offsets lead to it or not.
 */
export function sencOf(tables: readonly Table[], saio: Table): Table | undefined {
  const type = saio.prelude.length > 4 ? fourcc(saio.prelude, 4) : '';
  return ENCRYPTION.has(type) ? tables.find(isSenc) : undefined;
}

/** The offsets of the auxiliary information of a cut's samples, and the bytes of the object that they lead to. */
export interface AuxiliaryCut {
  readonly cut: OffsetCut;
  readonly region: Region;
}

/** @throws EdgeError `unplayable` when `saio` fits neither the track's chunks nor a `saiz` */
export function cutAuxiliary(
  source: TableBytes,
  track: SampledTrack,
  saio: Table,
  { first, end, head, tail }: SampleRange,
): AuxiliaryCut {
  const saiz = track.tables.find(table => table.type === 'saiz' && kindOf(table, 5) === kindOf(saio, 4));
  if (saiz === undefined) throw broken(`track ${track.id} has box "saio" without box "saiz"`);
  const bytes = (from: number, to: number) =>
    sizeOf(source, saiz, Math.min(from, saiz.count), Math.min(to, saiz.count));
  // There may be chunks that no sample needs.
  const perChunk = saio.count > 1;
  if (perChunk ? saio.count < track.tail.number || saio.count > track.chunks : saio.count !== 1) {
    throw broken(`box "saio" of track ${track.id} has ${saio.count} entries, where 1 or ${track.chunks} are expected`);
  }
  const [headFirst, tailFirst] = perChunk ? [head.first, tail.first] : [0, 0];
  const [headEntry, tailEntry] = perChunk ? [head.number, tail.number] : [1, 1];
  const from = chunkOffset(source, saio, headEntry) + bytes(headFirst, first);
  const to = chunkOffset(source, saio, tailEntry) + bytes(tailFirst, end);
  if (to > source.size) throw broken(`box "saio" of track ${track.id} leads past the end of the file`);
  // Where chunks are out of order, so is what belongs to them, and nothing tells its bounds.
  const region = track.ordered || !perChunk ? { from, to } : { from: 0, to: source.size };
  return { cut: { kind: 'offsets', table: saio, first: from, from: headEntry, to: tailEntry }, region };
}

/** Type and parameter of the information, which `saiz` and `saio` share. */
function kindOf(table: Table, bare: number): string {
  return table.prelude.length > bare ? String(table.prelude.subarray(4, 12)) : '';
}
