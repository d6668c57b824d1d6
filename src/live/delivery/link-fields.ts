import { decodeText } from '../../base/percent.js';
import { SCRIPT_TAG, tagHeader, tagTrailer } from '../../media/flv/tag.js';

/** Where a stream's segments of HLS stand, so that all edges number them alike. */
export interface RingNumbers {
  readonly segment: number;
  readonly discontinuity: number;
}

/** Names the edges that a request has gone through (RFC 8586). */
export const LOOP_FIELD = 'cdn-loop';
/** Of an answer: when the stream began, in milliseconds since 1970, from which its segments are numbered. */
export const BEGAN_FIELD = 'moovedge-live-began';

/** Of an answer to another edge of the cluster: links between the publisher's edge and the one that answers. */
export const LEVEL_FIELD = 'moovedge-live-level';
/** Of an answer of an edge that has no place for another one: ids of edges that have the stream from it. */
export const PARENTS_FIELD = 'moovedge-live-parents';
/** Most links between the edge to which a stream is published and one of its viewers. */
export const LEVELS = 2;

/** Value of the field of those that have a stream. */
export function writeParents(ids: readonly string[]): string {
  return ids.map(id => encodeURIComponent(id)).join(' ');
}

/** Ids that such a field names. */
export function readParents(value: string | readonly string[] | undefined): readonly string[] {
  if (typeof value !== 'string') return [];
  return value.split(' ').flatMap(word => decodeText(word) ?? []);
}

/** Level of whoever answers, by its field. */
export function readLevel(value: string | readonly string[] | undefined): number {
  return value === undefined ? 0 : Number(value);
}

/** When the stream began; undefined when the field does not say it. */
export function readBegan(value: string | readonly string[] | undefined): number | undefined {
  return typeof value === 'string' && /^\d{12,14}$/.test(value) ? Number(value) : undefined;
}

/** The event that stands before the first tag of each segment of HLS on the way to another edge: AMF0 text, numbers. */
const NAME = Buffer.from('\u0002\u0000\u000fonSegmentNumber', 'latin1');
const AMF0_NUMBER = 9;

/** A tag that tells the numbers of those behind it. */
export function writeNumbers({ segment, discontinuity }: RingNumbers, timestamp: number): Uint8Array {
  const body = Buffer.alloc(NAME.length + 2 * AMF0_NUMBER);
  NAME.copy(body);
  body.writeDoubleBE(segment, NAME.length + 1);
  body.writeDoubleBE(discontinuity, NAME.length + AMF0_NUMBER + 1);
  return Buffer.concat([tagHeader(SCRIPT_TAG, body.length, timestamp), body, tagTrailer(body.length)]);
}

/** What the data of such a tag tell; undefined for others. */
export function readNumbers(body: Buffer): RingNumbers | undefined {
  if (body.length !== NAME.length + 2 * AMF0_NUMBER || !body.subarray(0, NAME.length).equals(NAME)) return undefined;
  const segment = body.readDoubleBE(NAME.length + 1);
  const discontinuity = body.readDoubleBE(NAME.length + AMF0_NUMBER + 1);
  const isNumber = (n: number) => Number.isInteger(n) && n >= 0 && n < 2 ** 32;
  return isNumber(segment) && isNumber(discontinuity) ? { segment, discontinuity } : undefined;
}
