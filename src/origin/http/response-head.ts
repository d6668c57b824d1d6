import type { ErrorCode } from '../../base/errors.js';
import {
  confirms,
  type Fields,
  integerOf,
  parseContentRange,
  retryAfterOf,
  sameVersion,
  validatorOf,
} from '../fields.js';
import type { OriginRequest, Validator } from '../origin.js';
import { changed, type Refusal, refusal } from '../refusal.js';

/** What a try asks for: a part of `OriginRequest`. */
export type Wanted = Pick<OriginRequest, 'range' | 'condition'>;

/** An answer that was found to be what was asked for. Fields as in `OriginAnswer`. */
export interface AcceptedHead {
  readonly status: 200 | 206 | 304;
  readonly offset: number;
  readonly length: number | undefined;
  readonly size: number | undefined;
  readonly validator: Validator;
}

/** Answers that stand for the object itself: asking again, or elsewhere, changes nothing. */
const ANSWERS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  401: ['forbidden', 'the origin wants other credentials (401)'],
  403: ['forbidden', 'the origin forbids this object (403)'],
  404: ['not_found', 'the origin has no such object'],
  410: ['gone', 'the origin says that this object is gone for good'],
};

/** What a status other than 200, 206, 304 and a redirect means. */
export function refusedStatus(status: number, fields: Fields, wanted: Wanted, now: number): Refusal {
  const head = { status, fields };
  const answer = ANSWERS[status];
  if (answer) return refusal(...answer, 'never', head);
  if (status === 412 && wanted.condition?.kind === 'same') return changed(head);
  if (status === 416 && wanted.range) {
    const size = parseContentRange(fields['content-range'])?.size;
    return refusal('range_not_satisfiable', 'the range lies past the end of the object', 'never', head, { size });
  }
  const retryAfter = status === 429 || status === 503 ? retryAfterOf(fields, now) : undefined;
  if (status >= 500 || status === 429 || status === 408) {
    const message = `the origin is out of order (${status}); try again later`;
    return refusal('origin_unavailable', message, 'any', head, { retryAfter });
  }
  return refusal('origin_protocol', `the origin answered ${status}, which is no answer to a GET`, 'otherReplica', head);
}

/**
 * Checks the head of a 200, 206 or 304 against what was asked for; nothing is taken on trust. `unconfirmed` is a 304
 * for another version than was asked about: the request must be made again without its condition.
 */
export function checkHead(
  status: 200 | 206 | 304,
  fields: Fields,
  wanted: Wanted,
): AcceptedHead | Refusal | 'unconfirmed' {
  const head = { status, fields };
  const wrong = (message: string) => refusal('origin_protocol', `the origin ${message}`, 'otherReplica', head);
  const validator = validatorOf(fields);
  const { range, condition } = wanted;

  if (status === 304) {
    if (condition?.kind !== 'changed') return wrong('answered 304 to a request without a condition');
    if (!confirms(condition.validator, validator)) return 'unconfirmed';
    return { status, offset: 0, length: 0, size: undefined, validator: condition.validator };
  }
  const coding = fields['content-encoding']?.trim().toLowerCase();
  if (coding !== undefined && coding !== '' && coding !== 'identity') {
    return wrong(
      'sent a coded body (Content-Encoding) though only identity was accepted; switch compression off there',
    );
  }
  const length = integerOf(fields['content-length']);
  if (fields['content-length'] !== undefined && length === undefined) return wrong('sent a malformed Content-Length');
  if (condition?.kind === 'same' && !sameVersion(condition.validator, validator)) return changed(head);
  if (status === 200) return { status, offset: 0, length, size: length, validator };

  if (!range) return wrong('answered 206 to a request without a range');
  if (/^\s*multipart\//i.test(fields['content-type'] ?? '')) return wrong('answered a single range with several parts');
  const content = parseContentRange(fields['content-range']);
  if (content?.start === undefined || content.end === undefined)
    return wrong('sent a 206 without a sound Content-Range');
  const { start, end, size } = content;
  if (start !== range.start || end > range.end)
    return wrong(`sent bytes ${start}-${end - 1} when others were asked for`);
  if (length !== undefined && length !== end - start)
    return wrong('sent a Content-Length that contradicts its Content-Range');
  return { status, offset: start, length: end - start, size, validator };
}
