import { silentLog } from '../../src/base/log.js';
import { HttpOrigin, type HttpOriginOptions } from '../../src/origin/http/http-origin.js';

/** Timeouts longer than anything takes on a busy machine; tests of timeouts set their own. */
export const PATIENT = { connect: 10_000, firstByte: 10_000, stall: 10_000 };

/** Options of an HTTP origin with short pauses between tries, without its servers. */
export function httpOptions(options: Partial<HttpOriginOptions> = {}): Omit<HttpOriginOptions, 'servers'> {
  return {
    name: 'test',
    balance: 'ordered',
    timeouts: PATIENT,
    retries: 2,
    maxConnections: 16,
    maxFetches: 64,
    queue: 64,
    hedgeAfter: undefined,
    retryAfter: 'url',
    redirects: { mode: 'follow', hosts: [], max: 3 },
    headers: {},
    tls: {},
    backoff: 5,
    breaker: { failures: 5, cooldown: 100, maxCooldown: 400 },
    log: silentLog,
    ...options,
  };
}

/** An HTTP origin with these options. */
export function httpOrigin(urls: readonly string[], options: Partial<HttpOriginOptions> = {}): HttpOrigin {
  return new HttpOrigin({ servers: urls.map(url => ({ url, weight: 1 })), ...httpOptions(options) });
}
