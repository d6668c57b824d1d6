/**
 * A catalog over a fake origin, with a clock that the test turns. Several `worker()`s share tier and store, as
 * processes would.
 */
import { EDGE_ITSELF } from '../../src/base/asker.js';
import { BLOCK_SIZE } from '../../src/base/block.js';
import { BlockLoader, type BlockLoaderOptions } from '../../src/cache/fetch/block-loader.js';
import type { MemoryTier } from '../../src/cache/memory/memory-tier.js';
import type { CatalogStore } from '../../src/catalog/catalog-store.js';
import type { OpenObject, OpenStream } from '../../src/catalog/content.js';
import { ObjectCatalog, type ObjectCatalogOptions } from '../../src/catalog/object-catalog.js';
import { objectKey } from '../../src/catalog/object-identity.js';
import { Purger } from '../../src/catalog/purge.js';
import type { Origin } from '../../src/origin/origin.js';
import { DEFAULTS } from './defaults.js';
import { FakeOrigin } from './fake-origin.js';
import { MemoryCatalogStore } from './memory-catalog-store.js';
import { readAll, verifyAll } from './read-all.js';
import { SlabTier } from './slab-tier.js';

/** A request by path; the rest has defaults. */
export interface Asked {
  readonly query?: string;
  readonly start?: number;
  /** Default: open. */
  readonly end?: number;
  readonly fields?: Readonly<Record<string, string>>;
}

export class CatalogBench<O extends Origin = FakeOrigin> {
  readonly tier: MemoryTier;
  readonly store: CatalogStore;
  /** Milliseconds since 1970. */
  now = Date.parse('Tue, 06 Jan 2026 10:00:00 GMT');
  readonly purger: Purger;

  constructor(
    readonly origin: O,
    readonly options: Partial<ObjectCatalogOptions> & {
      supplyOptions?: Partial<BlockLoaderOptions>;
      defaultLifetime?: number;
      forward?: readonly string[];
    } = {},
  ) {
    this.tier = options.tier ?? new SlabTier({ blocks: 256, fillShare: 0.9 });
    this.store = options.store ?? new MemoryCatalogStore();
    this.purger = new Purger(this.store, this.tier);
    if (origin instanceof FakeOrigin) origin.now = () => this.now;
  }

  /** A catalog as one process has it. */
  worker(): Worker {
    const { supplyOptions, defaultLifetime, forward = [], ...options } = this.options;
    const readAhead = { min: 2 * BLOCK_SIZE, max: 8 * BLOCK_SIZE, time: Infinity };
    const loader = new BlockLoader({ ...DEFAULTS.blockLoader, readAhead, ...supplyOptions, tier: this.tier });
    const catalog = new ObjectCatalog({
      ...DEFAULTS.catalog,
      loader,
      tier: this.tier,
      store: this.store,
      route: (_, path, query) => ({
        origin: this.origin,
        path,
        query,
        key: objectKey(this.origin.name, path, query),
        forward,
        defaultLifetime,
      }),
      memory: 1024 * 1024,
      now: () => this.now,
      ...options,
      freshness: { ...DEFAULTS.catalog.freshness, ...options.freshness },
    });
    return new Worker(catalog, loader);
  }

  /** Turns the clock on. */
  pass(seconds: number): void {
    this.now += seconds * 1000;
  }
}

/** One process of a bench. */
export class Worker {
  constructor(
    readonly catalog: ObjectCatalog,
    readonly loader: BlockLoader,
  ) {}

  async open(
    path: string,
    { query = '', start = 0, end = Number.MAX_SAFE_INTEGER, fields = {} }: Asked = {},
  ): Promise<OpenObject | OpenStream> {
    return this.catalog.open({
      host: 'edge',
      path,
      query,
      hint: { start, end },
      asker: EDGE_ITSELF,
      field: name => fields[name] ?? '',
    });
  }

  /** Opens an object; a stream is an error. */
  async object(path: string, asked?: Asked): Promise<OpenObject> {
    const opened = await this.open(path, asked);
    if (opened.kind !== 'object') throw new Error('expected an object, found a stream');
    return opened;
  }

  /** Opens an object, reads it (or the part asked for) as a player does, and checks each byte. */
  async watch(path: string, asked: Asked & { version?: string } = {}): Promise<OpenObject & { firstOutcome: string }> {
    const opened = await this.object(path, asked);
    const reader = opened.reader();
    opened.release();
    const { start = 0, end = opened.object.size, version = 'v1' } = asked;
    let first: string | undefined = opened.outcome;
    try {
      const each = () => {
        first ??= reader.outcome;
      };
      await verifyAll(reader, start, Math.min(end, opened.object.size), { path, version, each });
      return Object.assign(opened, { firstOutcome: first ?? 'memory' });
    } finally {
      reader.close();
    }
  }

  /** All bytes of a stream or object. */
  async bytes(path: string, asked?: Asked): Promise<Buffer> {
    const opened = await this.open(path, asked);
    const chunks: Buffer[] = [];
    if (opened.kind === 'object') {
      const reader = opened.reader();
      await readAll(reader, 0, opened.object.size, chunk => void chunks.push(Buffer.from(chunk)));
      reader.close();
      return Buffer.concat(chunks);
    }
    return new Promise((resolve, reject) => {
      opened.start({
        bytes: chunk => {
          chunks.push(Buffer.from(chunk));
          return true;
        },
        ended: () => resolve(Buffer.concat(chunks)),
        failed: reject,
      });
    });
  }
}
