import type { EdgeError, ErrorCode, ErrorOptions, OriginTrouble } from '../../base/errors.js';
import { type Refusal, refusal } from '../refusal.js';
import type { Location } from './dialect.js';
import type { Wanted } from './response-head.js';

/** What a fetch had asked for when it failed. */
export interface FailedRequest {
  /** Name of the origin. */
  readonly origin: string;
  /** Base URL of the server that was asked last. */
  readonly base: URL;
  readonly location: Location;
  readonly wanted: Wanted;
  /** It was signed: its answer may tell of the credentials. */
  readonly signed: boolean;
}

/** The error that a fetch fails with: why, with what the player gets of the answer and what the log says. */
export function fetchFailure(why: Refusal, request: FailedRequest): EdgeError {
  return why.error.with({ ...passed(why, request.signed), trouble: troubleOf(why, request) });
}

/** Too many fetches wait for the origin. */
export function overloaded(): Refusal {
  const message = 'too many fetches from this origin are waiting; come back in a moment';
  return refusal('overloaded', message, 'never', undefined, { retryAfter: 1 });
}

/** The server has asked for a pause, which goes on for `wait` milliseconds. */
export function heldBack(wait: number): Refusal {
  const message = 'the origin has asked for a pause; try again later';
  const held = refusal('origin_unavailable', message, 'never', undefined, { retryAfter: Math.ceil(wait / 1000) });
  return { ...held, error: held.error.with({ answer: { status: 503, fields: {}, body: undefined } }) };
}

/** A paused fetch had to give its place up and can't go on later. */
export function stalledReader(): Refusal {
  const message = 'its player took no byte while others waited for the origin, and nothing can go on where it stands';
  return refusal('overloaded', message, 'never', undefined, { retryAfter: 1 });
}

/**
 * Statuses that are for the edge, not for players: answers that were no good, redirects, and what a proxy is asked for.
 */
const OURS = new Set([200, 206, 301, 302, 303, 304, 307, 308, 407]);
/** Refusals that the edge answers from what it knows itself. */
const OWN: ReadonlySet<ErrorCode> = new Set(['object_changed', 'range_not_satisfiable']);

function isPassed(code: ErrorCode, status: number): boolean {
  return (code === 'redirected' || !OURS.has(status)) && !OWN.has(code) && status >= 200 && status < 600;
}

/** What the player gets of the answer: of one to a signed request no body, which may tell of the credentials. */
function passed({ error, answer }: Refusal, signed: boolean): ErrorOptions {
  if (error.options.answer !== undefined || answer === undefined || !isPassed(error.code, answer.status)) return {};
  const { status, fields, body } = answer;
  if (!signed) {
    const readable = fields['content-encoding'] === undefined ? body : undefined;
    if (readable !== undefined || error.code !== 'redirected') return { answer: { status, fields, body: readable } };
    // Where a redirect leads is in its fields, whatever its body says.
    const { 'content-encoding': _, 'content-type': __, ...others } = fields;
    return { answer: { status, fields: others, body: new Uint8Array(0) } };
  }
  return status === 429 || status >= 500 ? { answer: { status, fields: {}, body: undefined } } : {};
}

function troubleOf({ error, answer }: Refusal, { origin, base, location, wanted }: FailedRequest): OriginTrouble {
  const { range, condition } = wanted;
  const { path, query } = location;
  const last = range?.end === Number.POSITIVE_INFINITY ? '' : Number(range?.end) - 1;
  const bytes = range === undefined ? 'the whole' : `bytes ${range.start}-${last}`;
  const validator = condition?.validator.etag ?? condition?.validator.lastModified;
  const { code } = (error.options.cause ?? {}) as { code?: unknown };
  return {
    origin,
    url: `${base.origin}${base.pathname.replace(/\/+$/, '')}${path}${query && `?${query}`}`,
    expected: validator === undefined ? bytes : `${bytes}, version ${validator}`,
    found: [
      error.message,
      ...(answer === undefined ? [] : [`status ${answer.status}`]),
      ...(typeof code === 'string' ? [code] : []),
    ].join(', '),
  };
}
