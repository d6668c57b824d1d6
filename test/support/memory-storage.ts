import type { LazyObjects, ObjectStorage, PutOptions } from '../../src/pipeline/storage/object-storage.js';

/** A storage in memory whose listings know nothing new, as those of eventually consistent stores may. */
export class MemoryStorage implements ObjectStorage {
  readonly place = 'memory';
  readonly objects = new Map<string, Buffer>();
  /** Bytes that were written, in all. */
  written = 0;
  /** How often something was asked for. */
  looks = 0;
  /** Called before each write; throws to make it fail. */
  beforePut: (key: string) => void = () => {};

  async put(key: string, bytes: Uint8Array, { ifAbsent = false }: PutOptions = {}): Promise<boolean> {
    this.beforePut(key);
    if (ifAbsent && this.objects.has(key)) return false;
    this.objects.set(key, Buffer.from(bytes));
    this.written += bytes.length;
    return true;
  }

  async putFile(): Promise<void> {
    throw new Error('no files here');
  }

  async head(key: string): Promise<number | undefined> {
    this.looks += 1;
    return this.objects.get(key)?.length;
  }

  async get(key: string): Promise<Buffer | undefined> {
    this.looks += 1;
    return this.objects.get(key);
  }

  async *list(): AsyncIterable<string> {}

  async *folders(): AsyncIterable<string> {}

  async remove(key: string): Promise<void> {
    this.objects.delete(key);
  }

  async sweep(): Promise<void> {}

  close(): void {}
}

/** What became of an object that was not durable when its machine failed. */
export type Damage = 'lost' | 'cut' | 'zeros' | 'kept';

/** One that makes objects durable many at a time, on a machine that may fail. */
export class LazyMemoryStorage extends MemoryStorage {
  readonly #loose = new Set<string>();
  /** Called before each flush; throws to make it fail. */
  beforeFlush: () => void = () => {};
  readonly lazy: { -readonly [name in keyof LazyObjects]: LazyObjects[name] } = {
    put: async (key, bytes) => {
      if (!(await this.put(key, bytes, { ifAbsent: true }))) return false;
      this.#loose.add(key);
      return true;
    },
    flush: async keys => {
      this.beforeFlush();
      await Promise.resolve();
      for (const key of keys) this.#loose.delete(key);
    },
  };

  override async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const isPut = await super.put(key, bytes, options);
    if (isPut) this.#loose.delete(key);
    return isPut;
  }

  /** The machine fails, and is there again. @param choose what becomes of each object that was not flushed */
  fail(choose: (key: string) => Damage): void {
    for (const key of this.#loose) {
      const bytes = this.objects.get(key);
      const damage = choose(key);
      if (bytes === undefined || damage === 'kept') continue;
      if (damage === 'lost') this.objects.delete(key);
      if (damage === 'cut') this.objects.set(key, bytes.subarray(0, bytes.length >> 1));
      if (damage === 'zeros') bytes.fill(0, bytes.length >> 1);
    }
    this.#loose.clear();
  }
}
