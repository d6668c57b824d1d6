import type { ObjectId } from '../base/block.js';
import type { Validator } from '../origin/origin.js';

/**
 * One version of one object, as far as its head is concerned. Immutable; a new version is a new StoredObject with
 * another id.
 */
export interface StoredObject {
  /** Cache key: origin name, path and the part of the query that counts. */
  readonly key: string;
  readonly id: ObjectId;
  /** Bytes. */
  readonly size: number;
  /**
   * Strong entity tag for players, with quotes: the origin's when it is strong, otherwise made from what identifies the
   * version.
   */
  readonly etag: string;
  /** What later fetches are conditional on. */
  readonly validator: Validator;
  /** Milliseconds since 1970, whole seconds; undefined when the origin did not say. */
  readonly lastModified: number | undefined;
  /** Media type for Content-Type: the origin's, or by the path's extension when the origin has none of use. */
  readonly contentType: string;
  /**
   * Other end-to-end fields of the origin's answer that are sent on to players (Cache-Control, Content-Disposition …),
   * in order.
   */
  readonly fields: readonly (readonly [name: string, value: string])[];
}
