import type { CatalogStore } from '../../src/catalog/catalog-store.js';

/** A catalog store in one process: maps. Several catalogs that share one stand for several workers. */
export class MemoryCatalogStore implements CatalogStore {
  readonly saved = new Map<string, Uint8Array>();
  readonly purges = new Map<string, Uint8Array>();
  /** Entries saved so far. */
  saves = 0;

  entry(key: Uint8Array): Uint8Array | undefined {
    return this.saved.get(text(key));
  }

  *entries(): Generator<readonly Uint8Array[]> {
    yield [...this.saved.values()];
  }

  async saveEntry(key: Uint8Array, value: Uint8Array | undefined): Promise<void> {
    // Others see it a moment later, as with a store on disk.
    await new Promise(resolve => setImmediate(resolve));
    this.saves++;
    if (value === undefined) this.saved.delete(text(key));
    else this.saved.set(text(key), value);
  }

  purge(key: Uint8Array): Uint8Array | undefined {
    return this.purges.get(text(key));
  }

  savePurges(work: (write: (key: Uint8Array, value: Uint8Array) => void) => void): void {
    work((key, value) => this.purges.set(text(key), value));
  }
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
