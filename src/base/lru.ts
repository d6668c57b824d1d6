import { LRUCache } from 'lru-cache';

/**
 * Keeps what was used last, within a bound of bytes.
 * @typeParam V what is kept; never undefined
 */
export class Lru<V extends object> {
  readonly #cache: LRUCache<string, V>;

  /**
   * @param capacity bytes of all values together; a value that is larger on its own is not kept
   * @param gone told of each value that is kept no more, whatever the reason
   */
  constructor(capacity: number, gone?: (value: V) => void) {
    this.#cache = new LRUCache({ maxSize: Math.max(1, capacity), ...(gone && { dispose: gone }) });
  }

  /** The value, which counts as used from then on. */
  get(key: string): V | undefined {
    return this.#cache.get(key);
  }

  /** @param bytes what the value takes in memory, about */
  set(key: string, value: V, bytes: number): void {
    this.#cache.set(key, value, { size: Math.max(1, Math.ceil(bytes)) });
  }

  delete(key: string): void {
    this.#cache.delete(key);
  }

  /** Bytes of all values kept. */
  get bytes(): number {
    return this.#cache.calculatedSize;
  }

  /** Number of values kept. */
  get count(): number {
    return this.#cache.size;
  }
}
