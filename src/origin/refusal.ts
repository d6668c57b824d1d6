import { EdgeError, type ErrorCode } from '../base/errors.js';
import type { Fields } from './fields.js';
import { objectChanged } from './object-changed.js';
import type { RefusedAnswer } from './origin.js';

/**
 * Where a try that failed may be made again:
 * - `never`: it is the origin's answer, and any replica would say the same
 * - `otherReplica`: this server has no right answer, another may
 * - `any`: the failure is passing
 */
export type Retry = 'never' | 'otherReplica' | 'any';

/** One try that brought no bytes, or not all. */
export interface Refusal {
  readonly error: EdgeError;
  readonly retry: Retry;
  /** Counts against the server: its connection failed. What it answers under one URL does not. */
  readonly blame: boolean;
  /** Head of the refusing answer; undefined when there was none. */
  readonly answer: RefusedAnswer | undefined;
}

/** Makes a refusal out of an answer. */
export function refusal(
  code: ErrorCode,
  message: string,
  retry: Retry,
  head?: { readonly status: number; readonly fields: Fields },
  more: { blame?: boolean; retryAfter?: number | undefined; size?: number | undefined; cause?: unknown } = {},
): Refusal {
  const { blame = false, retryAfter, size, cause } = more;
  const headers =
    code === 'range_not_satisfiable' && size !== undefined ? { 'Content-Range': `bytes */${size}` } : undefined;
  const error = new EdgeError(code, message, {
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(headers === undefined ? {} : { headers }),
  });
  return { error, retry, blame, answer: head && { status: head.status, fields: head.fields, size } };
}

/** The object is not the version that was wanted; another replica may still have it. */
export function refuseChanged(head?: { readonly status: number; readonly fields: Fields }): Refusal {
  const answer = head && { status: head.status, fields: head.fields, size: undefined };
  return { error: objectChanged(), retry: 'otherReplica', blame: false, answer };
}
