import { EdgeError } from '../../base/errors.js';
import type { Redis } from '../jobs/redis.js';

const DAY = 24 * 3600;

/** Bytes that each owner of a token may announce a day (UTC), counted in Redis for all servers. */
export class UploadQuota {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #bytes: number;

  constructor(redis: Redis, prefix: string, bytes: number) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#bytes = bytes;
  }

  /** Counts `size` bytes. @throws EdgeError `overloaded`, with the seconds until tomorrow, when they are too many */
  async take(owner: string, size: number): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    const key = `${this.#prefix}:quota:${Math.floor(now / DAY)}:${owner}`;
    const used = await this.#redis.incrby(key, size).catch(cause => {
      throw new EdgeError('overloaded', 'the quota can’t be looked up, try again later', { cause, retryAfter: 10 });
    });
    if (used === size) await this.#redis.expire(key, 2 * DAY).catch(() => {});
    if (used <= this.#bytes) return;
    await this.#redis.decrby(key, size).catch(() => {});
    throw new EdgeError('overloaded', `expected at most ${this.#bytes} bytes a day`, { retryAfter: DAY - (now % DAY) });
  }
}
