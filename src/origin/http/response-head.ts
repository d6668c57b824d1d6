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
import { type Refusal, refusal, refuseChanged } from '../refusal.js';

/** What a try asks for: a part of `OriginRequest`. */
export interface Wanted extends Pick<OriginRequest, 'range' | 'condition'> {
  /**
   * The condition is not sent, because the server refuses its own validators; the answer is held against it all the
   * same.
   */
  readonly unsent?: boolean;
}

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
  if (status === 412 && wanted.condition?.kind === 'same') return refuseChanged(head);
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

/** An answer in a transfer coding that was not asked for: only chunks are taken apart (RFC 9112 section 7). */
export function refusedCoding(status: number, fields: Fields, coding: string | string[] | undefined) {
  if (coding === undefined || (typeof coding === 'string' && coding.toLowerCase() === 'chunked')) return undefined;
  const message = `the origin sent a body in the transfer coding '${coding}', which was not asked for`;
  return refusal('origin_protocol', message, 'otherReplica', { status, fields });
}

/**
 * Whether a 416 can't be by the size that it tells (RFC 9110 section 15.5.17): all of the object is asked for then. So
 * it is where the range begins an object, since in an empty one, or one of unknown size, no range is satisfiable.
 */
export function contradictsItself(fields: Fields, { range }: Wanted): boolean {
  if (range === undefined) return false;
  const size = parseContentRange(fields['content-range'])?.size;
  return range.start === 0 || (size !== undefined && size > range.start);
}

/**
 * Checks the head of a 200, 206 or 304 against what was asked for; nothing is taken on trust. `unconfirmed` is a 304
 * for another version than was asked about, or that nobody asked for: the request must be made again without its
 * condition.
 */
export function checkHead(
  status: 200 | 206 | 304,
  fields: Fields,
  wanted: Wanted,
): AcceptedHead | Refusal | 'unconfirmed' {
  const head = { status, fields };
  const wrong = (message: string) => refusal('origin_protocol', `the origin ${message}`, 'otherReplica', head);
  const validator = validatorOf(fields);
  const { condition } = wanted;

  if (status === 304) {
    if (condition === undefined || wanted.unsent) return wrong('answered 304 to a request without a condition');
    if (condition.kind === 'same' || !confirms(condition.validator, validator)) return 'unconfirmed';
    return { status, offset: 0, length: 0, size: undefined, validator: condition.validator };
  }
  if (fields['content-encoding'] !== undefined) {
    return wrong(
      'sent a coded body (Content-Encoding) though only identity was accepted; switch compression off there',
    );
  }
  const length = integerOf(fields['content-length']);
  if (fields['content-length'] !== undefined && length === undefined) return wrong('sent a malformed Content-Length');
  const body = bodyOf(status, fields, length, wanted.range?.start);
  if (typeof body === 'string') return wrong(body);
  if (condition?.kind === 'same' && !sameVersion(condition.validator, validator)) return refuseChanged(head);
  const { offset, size } = body;
  const accepted = { status: body.status, offset, length: body.length, size, validator };
  if (body.status === 200) return accepted;
  const start = wanted.range?.start ?? 0;
  const last = offset + body.length! - 1;
  // More than was asked for is as good: what lies outside is passed over.
  if (offset > start || last < start) return wrong(`sent bytes ${offset}-${last} when others were asked for`);
  if (wanted.range === undefined && size === undefined) return wrong('answered 206 to a request without a range');
  return accepted;
}

/**
 * What the body is, by status, Content-Range and Content-Length, which must agree: a 200 that bears a Content-Range and
 * is as long as that is a 206, and a 206 that brings all from the first byte on, where others were asked for, is a 200.
 * Otherwise what is wrong.
 */
function bodyOf(
  status: 200 | 206,
  fields: Fields,
  length: number | undefined,
  from: number | undefined,
): Omit<AcceptedHead, 'validator'> | string {
  const whole = (size: number | undefined) => ({ status: 200, offset: 0, length: size, size }) as const;
  const field = fields['content-range'];
  if (status === 200 && field === undefined) return whole(length);
  if (status === 206 && /^\s*multipart\//i.test(fields['content-type'] ?? ''))
    return 'answered a single range with a multipart that has no boundary';
  const { start, end, size } = parseContentRange(field) ?? {};
  if (start === undefined || end === undefined) return `sent a ${status} without a sound Content-Range`;
  const isAll = start === 0 && end === size && (length === undefined || length === size);
  if (isAll && (status === 200 || from !== 0)) return whole(size);
  if (length === end - start || (length === undefined && status === 206))
    return { status: 206, offset: start, length: end - start, size };
  if (status === 200 && length !== undefined && length === size) return whole(length);
  return 'sent a Content-Length that contradicts its Content-Range';
}
