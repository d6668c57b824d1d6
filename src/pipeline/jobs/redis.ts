import { Redis } from 'ioredis';
import type { Log } from '../../base/log.js';

export type { Redis };

/** Milliseconds after which a command counts as failed. */
const COMMAND_TIMEOUT = 5_000;
/** Milliseconds between two log lines about a Redis that can't be reached. */
const LOG_INTERVAL = 60_000;

/**
 * Connects to Redis, again and again while it is away.
 * @param isBlocking true for a connection that waits for jobs, whose commands may take as long as they like; those of
 *   others fail after some seconds while Redis is away
 */
export function connectRedis(url: string, isBlocking: boolean, log: Log): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: tries => Math.min(100 * 2 ** tries, 5_000),
    ...(isBlocking ? {} : { commandTimeout: COMMAND_TIMEOUT }),
  });
  let logged = Number.NEGATIVE_INFINITY;
  redis.on('error', error => {
    const now = performance.now();
    if (now - logged < LOG_INTERVAL) return;
    logged = now;
    log.warn({ error }, 'Redis can’t be reached');
  });
  return redis;
}
