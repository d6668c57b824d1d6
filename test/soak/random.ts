import { createCipheriv } from 'node:crypto';

/** A seeded source of random numbers (mulberry32), so that a run makes the same choices again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to 1, without 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer of `[from, to)`. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length)]!;
  }

  /** One of a list, the first ones more often: the first tenth of the list gets a third of the picks. */
  popular<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() ** 2 * list.length)]!;
  }

  /** Exponentially distributed, as times between independent events are; at most eight times the mean. */
  wait(mean: number): number {
    return Math.min(8 * mean, -Math.log(1 - this.next()) * mean);
  }

  /** One of a list by its `weight`. */
  weighted<T extends { readonly weight: number }>(list: readonly T[]): T {
    let at = this.next() * list.reduce((sum, { weight }) => sum + weight, 0);
    for (const one of list) {
      at -= one.weight;
      if (at < 0) return one;
    }
    return list.at(-1)!;
  }

  /** Bytes that nothing makes smaller. */
  bytes(count: number): Buffer {
    const key = Buffer.alloc(16);
    key.writeUInt32LE(this.integer(0, 2 ** 32));
    return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(count));
  }

  /** A generator of its own for a part of the run, so that parts do not depend on each other's timing. */
  fork(): Random {
    return new Random(this.integer(0, 2 ** 32));
  }
}
