import type { EdgeError } from '../../base/errors.js';
import type { RefusedAnswer } from '../../origin/origin.js';
import { secondsOf } from './cache-control.js';
import { directivesOf, type FreshnessOptions } from './freshness.js';

/**
 * Milliseconds for which a refusal is remembered; 0 for not at all. What the origin says of a 404 or 410 counts, but an
 * error is never remembered for longer than an object would be.
 */
export function negativeLifetime(
  error: EdgeError,
  answer: RefusedAnswer | undefined,
  options: FreshnessOptions,
): number {
  const { directives } = directivesOf(answer?.fields ?? {});
  for (const name of ['no-store', 'no-cache', 'private']) if (directives.has(name)) return 0;
  switch (error.code) {
    case 'not_found':
    case 'gone': {
      const seconds = secondsOf(directives, 's-maxage') ?? secondsOf(directives, 'max-age');
      return seconds === undefined ? options.notFoundTtl : Math.min(options.max, seconds * 1000);
    }
    case 'forbidden':
    case 'unauthorized':
    case 'origin_protocol':
    case 'origin_unavailable':
    case 'origin_timeout':
      return options.errorTtl;
    default:
      return 0;
  }
}
