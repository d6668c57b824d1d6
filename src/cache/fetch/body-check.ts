import { EdgeError } from '../../base/errors.js';
import { hasValidator, sameVersion } from '../../origin/fields.js';
import { objectChanged } from '../../origin/object-changed.js';
import type { OriginAnswer } from '../../origin/origin.js';
import type { SourceObject } from './source-object.js';

/**
 * Checks that the body of `answer` is of the version of `object` and begins at `start` or, from an origin that ignores
 * Range, at 0.
 * @throws EdgeError `object_changed`, `origin_protocol`
 */
export function expectBody(answer: OriginAnswer, object: SourceObject, start: number): void {
  const { status, offset, size, validator } = answer;
  if (hasValidator(object.validator) && !sameVersion(object.validator, validator)) throw versionGone(object);
  if (size !== undefined && size !== object.size) throw versionGone(object);
  if (status === 304) throw new EdgeError('origin_protocol', 'expected a body, found status 304');
  if (offset !== (status === 200 ? 0 : start)) {
    throw new EdgeError('origin_protocol', `expected bytes from ${start} on, found ${offset}`);
  }
}

/** Bytes past what was announced, or too few: what has come of the block can't be trusted. */
export function wrongLength(object: SourceObject, found: 'longer' | 'shorter'): EdgeError {
  const expected = `${object.size} bytes in all, and the part that its head announced`;
  return new EdgeError('origin_protocol', `the origin sent a ${found} body for ${object.path} than it announced`, {
    trouble: { ...placeOf(object), expected, found: `a ${found} body` },
  });
}

/** The error of a reader that needs bytes of a version that the origin no longer has. */
export function versionGone(object: SourceObject): EdgeError {
  const { etag, lastModified } = object.validator;
  const expected = `${object.size} bytes of version ${etag ?? lastModified ?? 'unknown'}`;
  return objectChanged(object.path, { ...placeOf(object), expected, found: 'another version' });
}

function placeOf({ origin, path, query }: SourceObject): { origin: string; url: string } {
  return { origin: origin.name, url: query === '' ? path : `${path}?${query}` };
}

/** The error of a reader that needs bytes of a fetch that is over, which those of no other can stand for. */
export function lost(object: SourceObject): EdgeError {
  const why = 'the origin gives it no validator, so its parts are not put together from several fetches';
  return new EdgeError('object_changed', `a part of ${object.path} is not cached any more, and ${why}: ask again`);
}
