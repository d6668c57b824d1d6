import type { BoxHead } from '../box/box.js';
import type { KeptBox } from '../box/box-scan.js';
import type { HeaderBox } from '../box/header-box.js';
import type { Region } from '../box/regions.js';
import type { Edit, Segment } from './edit-list.js';
import type { Chunk } from './stsc.js';
import type { Table } from './table.js';

/** A part of `moov` or `trak`, in the order of the file. */
export type Piece =
  | KeptBox
  /** A box that holds the pieces up to its `close`. */
  | { readonly kind: 'open'; readonly type: string }
  | { readonly kind: 'close' }
  | { readonly kind: 'header'; readonly header: HeaderBox }
  /** The place of the edit list. */
  | { readonly kind: 'edits' }
  /** `chpl`: contents of the box. */
  | { readonly kind: 'chapters'; readonly body: Uint8Array }
  /** `cslg`: contents of the box. */
  | { readonly kind: 'cslg'; readonly body: Uint8Array }
  /** Number in `TrackIndex.tables`. */
  | { readonly kind: 'table'; readonly table: number }
  /** Number in `MovieIndex.tracks`. */
  | { readonly kind: 'track'; readonly track: number };

/** The tables that every track with samples has, and those that tell of its times. */
export interface CoreTables {
  readonly stts: Table;
  readonly ctts: Table | undefined;
  readonly stss: Table | undefined;
  readonly stsc: Table;
  /** `stsz` or `stz2`. */
  readonly stsz: Table;
  /** `stco` or `co64`. */
  readonly stco: Table;
}

/** Samples at the end of a track among which the one that is presented last is sought. */
export const REORDERED_AT_END = 32;

/** What a seek must know of a track. Ticks are units of its timescale; samples count from 0. */
export interface TrackIndex {
  readonly id: number;
  /** Handler type of `hdlr`: `vide`, `soun` … */
  readonly handler: string;
  readonly enabled: boolean;
  /** Ticks per second, more than 0. */
  readonly timescale: number;
  readonly samples: number;
  readonly chunks: number;
  /** Sum of all samples' durations. */
  readonly ticks: number;
  /** Least and greatest composition offset, in ticks; both 0 without `ctts`. */
  readonly leastOffset: number;
  readonly greatestOffset: number;
  /** Composition time at which the last sample presented ends; the last `REORDERED_AT_END` samples decide. */
  readonly mediaEnd: number;
  /** Samples before the wanted one that its decoder needs to give exact output. */
  readonly preroll: number;
  /**
   * Sound of old QuickTime files, whose `stsz` counts neither packets nor bytes: samples and bytes of a packet. 0
   * otherwise.
   */
  readonly packetSamples: number;
  readonly packetBytes: number;
  /** Whether chunks follow each other in the file. */
  readonly ordered: boolean;
  /** From the first byte of a chunk to the last one. */
  readonly extent: Region;
  /** The chunk that holds the last sample; undefined when the track has no samples. */
  readonly tail: Chunk | undefined;
  readonly edits: readonly Edit[];
  /** What the edits show; derived. */
  readonly segments: readonly Segment[];
  readonly pieces: readonly Piece[];
  readonly tables: readonly Table[];
  /** The most needed of `tables`; undefined when the track has no samples. Derived. */
  readonly core: CoreTables | undefined;
  /** Boxes around the tables of chunk offsets, outermost first: trak, mdia, minf, stbl. For moving the whole file. */
  readonly containers: readonly BoxHead[];
}

/** A track that has samples. */
export interface SampledTrack extends TrackIndex {
  readonly core: CoreTables;
  readonly tail: Chunk;
}

/** Whether the track has samples. */
export function hasSamples(track: TrackIndex): track is SampledTrack {
  return track.core !== undefined;
}

/** The core tables among `tables`; undefined when one that every track with samples has is missing. */
export function coreOf(tables: readonly Table[], handler: string): CoreTables | undefined {
  const find = (...types: string[]) => tables.find(table => types.includes(table.type));
  const [stts, stsc, stsz, stco] = [find('stts'), find('stsc'), find('stsz', 'stz2'), find('stco', 'co64')];
  if (stts === undefined || stsc === undefined || stsz === undefined || stco === undefined) return undefined;
  const stss = find('stss');
  // Some writers give sound an empty list, which by the letter would mean that none of its samples can be decoded on
  // its own.
  const noneNeeded = handler === 'soun' && stss?.count === 0;
  return { stts, ctts: find('ctts'), stss: noneNeeded ? undefined : stss, stsc, stsz, stco };
}
