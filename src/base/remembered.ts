/** Longest key that is kept, in characters. */
const KEY_MAX = 1024;

/**
 * Remembers answers to questions that are asked again and again, in two generations: what is asked for of the older one
 * moves to the younger, and when that is full, the older is forgotten. So it is bounded, and costs no lists.
 */
export class Remembered<V extends object> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  readonly #size: number;

  /** @param size entries of a generation */
  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const older = this.#old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  /** Keeps a value; one with a key that is very long is not kept. */
  set(key: string, value: V): void {
    if (key.length > KEY_MAX) return;
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** Entries kept, at most twice the size of a generation. */
  get count(): number {
    return this.#young.size + this.#old.size;
  }
}
