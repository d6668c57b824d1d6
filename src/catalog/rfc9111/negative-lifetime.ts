import type { EdgeError } from '../../base/errors.js';
import type { RefusedAnswer } from '../../origin/origin.js';
import { directivesOf, type FreshnessOptions, freshnessOf } from './freshness.js';
import { varyNames } from './storable.js';

/** Statuses whose fields are of an object's body. */
const OF_BODIES: ReadonlySet<number> = new Set([200, 206, 304]);

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
  const isStored =
    silent !== undefined && !isForOne && !['no-store', 'no-cache', 'private'].some(name => directives.has(name));
  if (!isStored) return { lifetime: 0, vouched: now };
  // What the head of a body says that was of no use is not said of the refusal.
  const { vouched, lifetime } = freshnessOf(
    OF_BODIES.has(status) ? {} : fields,
    { requestTime: now, responseTime: now },
    { ...options, min: 0 },
    silent,
  );
  // What the settings say counts from now on, whatever the answer's age.
  const isExplicit = lifetime !== Math.min(options.max, silent);
  return { lifetime: Math.max(0, isExplicit ? vouched + lifetime - now : lifetime), vouched };
}

/** Milliseconds, where the origin says nothing; undefined for what is not remembered. */
function silentLifetime({ code }: EdgeError, options: FreshnessOptions): number | undefined {
  switch (code) {
    case 'not_found':
    case 'gone':
      return options.notFoundTtl;
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
