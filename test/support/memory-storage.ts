import type { ObjectStorage, PutOptions } from '../../src/pipeline/storage/object-storage.js';

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
