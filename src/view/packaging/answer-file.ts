import type { OpenObject } from '../../catalog/content.js';
import { heldBytes, lengthOf } from '../../virtual-file/slice.js';
import type { Span } from '../../virtual-file/span.js';
import type { ViewFile } from '../view.js';

/** A year, which is as long as anybody keeps anything (RFC 9111 section 1.2.2 has no greatest, caches have). */
const FOR_EVER: readonly (readonly [name: string, value: string])[] = [
  ['Cache-Control', 'max-age=31536000, immutable'],
];
const NO_FIELDS: readonly (readonly [name: string, value: string])[] = [];
/** What an origin says of an object that is not everybody's, which then holds for all that is made of it. */
const NOT_SHARED = /\b(?:private|no-store|no-cache)\b/i;

/** What an answer is made of, without the object that it is made from. */
export type AnswerFile = Pick<ViewFile, 'file' | 'fields'>;

/** What an answer has beside its spans. */
interface AnswerHead {
  readonly contentType: string;
  /** Without quotes; of one URL, equal only for equal bytes. */
  readonly tag: string;
  /** Its bytes are what its URL says, for ever. */
  readonly isForEver: boolean;
}

/** An answer of spans of an object. */
export function answerFile(
  { object: { lastModified, fields } }: Pick<OpenObject, 'object'>,
  spans: readonly Span[],
  { contentType, tag, isForEver }: AnswerHead,
): AnswerFile {
  const isShared = !fields.some(([name, value]) => name.toLowerCase() === 'cache-control' && NOT_SHARED.test(value));
  return {
    file: { size: lengthOf(spans), etag: `"${tag}"`, lastModified, contentType, spans, seekActual: undefined },
    fields: isForEver && isShared ? FOR_EVER : NO_FIELDS,
  };
}

/** Bytes that an answer takes that is kept: its spans, and what is kept with it. */
export function answerWeight({ file }: AnswerFile, key: string): number {
  return 2048 + heldBytes(file.spans) + 2 * key.length;
}
