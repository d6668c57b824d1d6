import { STATUS_CODES } from 'node:http';
import type { EdgeError } from '../../base/errors.js';
import type { RefusedAnswer } from '../../origin/origin.js';
import { directivesOf, type FreshnessOptions, freshnessOf } from './freshness.js';
import { varyNames } from './storable.js';

/** Statuses whose fields are of an object's body. */
const OF_BODIES: ReadonlySet<number> = new Set([200, 206, 304]);
/** Statuses other than an object's that may be used by the heuristic (RFC 9110 section 15.1). */
const HEURISTIC: ReadonlySet<number> = new Set([203, 204, 300, 301, 308, 405, 414, 501]);

/** For how long a refusal is remembered, and when the origin vouched for it. */
export interface NegativeFreshness {
  /** Milliseconds from now on; 0 for not at all. */
  readonly lifetime: number;
  /** Milliseconds since 1970. */
  readonly vouched: number;
}

/**
 * How long a refusal is remembered: as the origin says (RFC 9111 section 4.2.1), but never longer than an object would
 * be, else as the settings say.
 * @param varied names of request fields that chose the answer, in lower case
 * @param now milliseconds since 1970
 */
export function negativeFreshness(
  error: EdgeError,
  answer: RefusedAnswer | undefined,
  options: FreshnessOptions,
  varied: readonly string[],
  now: number,
): NegativeFreshness {
  const { status, fields } = answer ?? { status: 0, fields: {} };
  const { directives } = directivesOf(fields);
  const isForOne = varyNames(fields).some(name => !varied.includes(name));
  const silent = silentLifetime(error, options);
  const isUnderstood = STATUS_CODES[status] !== undefined;
  // A cache that understands the status may store what others must not (RFC 9111 section 5.2.2.3).
  const forbids = directives.has('must-understand') ? !isUnderstood : directives.has('no-store');
  if (silent === undefined || isForOne || forbids || ['no-cache', 'private'].some(name => directives.has(name)))
    return { lifetime: 0, vouched: now };
  // What the head of a body says that was of no use is not said of the refusal.
  const { vouched, lifetime } = freshnessOf(
    OF_BODIES.has(status) ? {} : fields,
    { requestTime: now, responseTime: now },
    { ...options, min: 0, default: silent },
    HEURISTIC.has(status) || directives.has('public') ? undefined : silent,
  );
  // What the settings say counts from now on, whatever the answer's age.
  const isExplicit = lifetime !== Math.min(options.max, silent);
  return { lifetime: Math.max(0, isExplicit ? vouched + lifetime - now : lifetime), vouched };
}

/**
 * True for a refusal that is for the one player only who asked: it is private, or leads to where this player may go and
 * does not say that others may, too.
 */
export function isPersonal({ code }: EdgeError, answer: RefusedAnswer | undefined): boolean {
  if (answer === undefined || OF_BODIES.has(answer.status)) return false;
  const { directives } = directivesOf(answer.fields);
  if (code !== 'redirected') return directives.has('private');
  const says =
    ['max-age', 's-maxage', 'public'].some(name => directives.has(name)) || answer.fields.expires !== undefined;
  return !says || ['no-store', 'no-cache', 'private'].some(name => directives.has(name));
}

/** Milliseconds, where the origin says nothing; undefined for what is not remembered. */
function silentLifetime({ code }: EdgeError, options: FreshnessOptions): number | undefined {
  switch (code) {
    case 'not_found':
    case 'gone':
      return options.notFoundTtl;
    case 'redirected':
      return 0;
    case 'forbidden':
    case 'unauthorized':
    case 'origin_protocol':
    case 'origin_unavailable':
    case 'origin_timeout':
      return options.errorTtl;
    default:
      return undefined;
  }
}
