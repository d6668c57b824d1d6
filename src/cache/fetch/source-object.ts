import type { ObjectId } from '../../base/block.js';
import type { Origin, Validator } from '../../origin/origin.js';

/** What must be known of one version of one object to bring its bytes. */
export interface SourceObject {
  readonly id: ObjectId;
  /** Bytes. */
  readonly size: number;
  readonly origin: Origin;
  /** Path, query and fields of the origin's request, as in `OriginRequest`. */
  readonly path: string;
  readonly query: string;
  readonly fields: Readonly<Record<string, string>>;
  /** What fetches are conditional on; both undefined when the origin gave nothing to tell versions apart by. */
  readonly validator: Validator;
  /** False for an object that must not be stored: its bytes stream past the cache. */
  readonly cacheable: boolean;
  /**
   * Defined when nothing tells bytes of different fetches apart: all come from one fetch of the whole object, which
   * goes to its end whether or not somebody reads, or they don't come. `complete` is told when all have come.
   */
  readonly oneFetch?: { complete(): void } | undefined;
  /** Told, perhaps more than once, that the origin holds another version. */
  changed(): void;
}
