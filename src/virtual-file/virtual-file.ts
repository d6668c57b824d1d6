import type { Span } from './span.js';

/**
 * What every answer is: a size, a validator, a content type and an ordered list of spans over one version of one origin
 * object. Immutable. Range, If-Range, several ranges, HEAD, pacing and accounting are written once, over virtual files.
 */
export interface VirtualFile {
  /** Bytes; the sum of the spans' lengths. */
  readonly size: number;
  /** Strong entity tag with its quotes (RFC 9110 8.8.3). */
  readonly etag: string;
  /** Milliseconds since 1970, whole seconds; undefined when the origin did not say. */
  readonly lastModified: number | undefined;
  /** Media type with parameters, for Content-Type. */
  readonly contentType: string;
  /** In order; their lengths add up to `size`. */
  readonly spans: readonly Span[];
  /**
   * The second of the source at which this answer begins, for X-Seek-Actual; undefined when the answer is the whole
   * file.
   */
  readonly seekActual: number | undefined;
}
