import type { Asker } from '../../base/asker.js';
import type { ObjectId } from '../../base/block.js';
import type { EdgeError } from '../../base/errors.js';
import type { Askers } from '../../origin/askers.js';
import type { OriginFetch, OriginSink } from '../../origin/origin.js';
import type { BlockLoader, Running } from './block-loader.js';
import type { Bypass } from './bypass.js';
import type { SourceObject } from './source-object.js';

/** The object that a fetch works for, as the fetch needs it. */
export interface FetchHost {
  /** What all objects of the process share: tiers, windows, counters. */
  readonly loader: BlockLoader;
  readonly object: SourceObject;
  readonly id: ObjectId;
  /** Bytes. */
  readonly size: number;
  /** Number of blocks. */
  readonly blocks: number;
  /** End of the blocks that readers want from `block` on without a gap (exclusive); 0 when none wants `block`. */
  demandFrom(block: number): number;
  /** Has the blocks `[from, to)` brought ahead of need for somebody; see `ObjectLoader`. */
  bringAhead(from: number, to: number, asker: Asker): number;
  /** Fetches bytes `[start, end)` of this version from the origin. */
  fetch(start: number, end: number, sink: OriginSink, askers: Askers): OriginFetch;
  /** The origin was found to have another version. */
  originChanged(error: EdgeError): void;
  /** A fill is over. */
  fillEnded(fill: Running): void;
  /** A load is over; `found` is false when the disk tier could not bring what it said it had. */
  loadEnded(block: number, found: boolean): void;
  /** A stream past the cache is over. */
  bypassEnded(stream: Bypass): void;
}
