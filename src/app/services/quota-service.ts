import { BLOCK_SIZE } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import type { DiskIndex } from '../../cache/disk/disk-index.js';
import type { SharedMemoryTier } from '../../cache/memory/shared-memory-tier.js';
import type { CatalogStore } from '../../catalog/catalog-store.js';
import type { ObjectEntry } from '../../catalog/entry.js';
import { decodeEntry, objectHead } from '../../catalog/entry-record.js';
import { placeOfKey } from '../../catalog/object-identity.js';
import { Purges } from '../../catalog/purge.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { DiskService } from './disk-service.js';
import type { EdgeEvents } from './edge-events.js';
import { openDisk } from './open-disk.js';
import { blocksOf } from './stored-state.js';

/** Least milliseconds between two counts, and how much longer than a count that is. */
const INTERVAL = 5000;
const REST = 20;
/** Milliseconds that a count goes on before other work has its turn. */
const TURN = 5;
/** Share of a quota that is left when it was exceeded, so that what comes next finds room. */
const LEFT = 0.95;
/** Seconds in which uses of an object are looked for, to tell what is wanted least. */
const HORIZON = 3600;
/** Most blocks that go after one count. */
const DROPS_MAX = 8192;

/** An object of an origin with a quota. */
interface Counted {
  readonly object: ObjectEntry['object'];
  /** Blocks that are cached, in whichever tier. */
  readonly blocks: number;
  /** Uses that its beginning may expect; less than none where it has been purged. */
  readonly wanted: number;
  /** Milliseconds since 1970 at which the origin last vouched for it. */
  readonly validated: number;
}

/** What is known of an origin. */
interface Usage {
  /** Bytes. */
  quota: number;
  bytes: number;
  dropped: number;
}

/**
 * Holds origins to their quotas: counts now and then what is cached of each, and lets go of what is wanted least of
 * those that have more. So a tenant may have more for some seconds, and the way of a request knows nothing of it.
 */
export class QuotaService implements Service<Config> {
  readonly name = 'quotas';
  readonly #log: Log;
  readonly #store: CatalogStore;
  readonly #tier: SharedMemoryTier;
  readonly #disk: DiskService;
  readonly #usage = new Map<string, Usage>();
  #config: Config;
  #timer: NodeJS.Timeout | undefined;
  /** Grows when a count that is under way is not to go on. */
  #round = 0;

  constructor(
    { config, log, metrics }: Pick<ServiceContext<Config, EdgeEvents>, 'config' | 'log' | 'metrics'>,
    store: CatalogStore,
    tier: SharedMemoryTier,
    disk: DiskService,
  ) {
    this.#config = config;
    this.#log = log;
    this.#store = store;
    this.#tier = tier;
    this.#disk = disk;
    const told = (what: keyof Usage) => () =>
      [...this.#usage].map(([origin, usage]) => [{ origin }, usage[what]] as const);
    metrics.gauge('moovedge_quota_bytes', told('quota'));
    metrics.gauge('moovedge_quota_used_bytes', told('bytes'));
    metrics.counter('moovedge_quota_dropped_bytes_total', told('dropped'));
  }

  start(): void {
    this.stop();
    const limited = this.#config.origins.flatMap(({ name, quota }) =>
      typeof quota === 'number' ? [{ name, quota }] : [],
    );
    const names = new Set(limited.map(({ name }) => name));
    for (const name of this.#usage.keys()) if (!names.has(name)) this.#usage.delete(name);
    for (const { name, quota } of limited) {
      const known = this.#usage.get(name);
      if (known === undefined) this.#usage.set(name, { quota, bytes: 0, dropped: 0 });
      else known.quota = quota;
    }
    if (limited.length > 0) this.#later(this.#round, INTERVAL);
  }

  reconfigure(config: Config): void {
    this.#config = config;
    this.start();
  }

  stats(): object | undefined {
    return this.#usage.size === 0 ? undefined : Object.fromEntries(this.#usage);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#round++;
  }

  #later(round: number, pause: number): void {
    this.#timer = setTimeout(() => {
      const started = performance.now();
      this.#look(round)
        .catch(error => this.#log.error({ error }, 'quotas could not be looked at'))
        .finally(() => {
          if (round === this.#round) this.#later(round, Math.max(INTERVAL, REST * (performance.now() - started)));
        });
    }, pause).unref();
  }

  async #look(round: number): Promise<void> {
    const disk = openDisk(this.#config, this.#log);
    try {
      const counted = await this.#count(round, disk);
      if (round !== this.#round) return;
      let left = DROPS_MAX;
      for (const [origin, usage] of this.#usage) {
        const objects = counted.get(origin) ?? [];
        usage.bytes = objects.reduce((sum, { blocks }) => sum + blocks * BLOCK_SIZE, 0);
        if (usage.bytes <= usage.quota) continue;
        const excess = Math.ceil((usage.bytes - LEFT * usage.quota) / BLOCK_SIZE);
        const dropped = this.#drop(objects, Math.min(left, excess), disk);
        left -= dropped;
        usage.bytes -= dropped * BLOCK_SIZE;
        usage.dropped += dropped * BLOCK_SIZE;
        this.#log.debug({ origin, ...usage }, 'an origin was beyond its quota');
      }
    } finally {
      disk?.close();
    }
  }

  /** Objects of origins with quotas, of which something is cached. */
  async #count(round: number, disk: DiskIndex | undefined): Promise<Map<string, Counted[]>> {
    const counted = new Map<string, Counted[]>();
    const purges = new Purges(this.#store, this.#tier);
    let turn = performance.now();
    for (const page of this.#store.entries()) {
      for (const record of page) {
        const head = objectHead(record);
        const origin = head === undefined ? '' : placeOfKey(head.primary).origin;
        if (!this.#usage.has(origin)) continue;
        const entry = decodeEntry(record, head!.key);
        if (entry?.kind !== 'object') continue;
        const { memory, disk: onDisk } = blocksOf(entry, this.#tier, disk);
        const blocks = memory + onDisk;
        if (blocks === 0) continue;
        const wanted = purges.isPurged(entry) ? -1 : this.#tier.expectedUses(entry.object.id, 0, HORIZON);
        const all = counted.get(origin) ?? [];
        all.push({ object: entry.object, blocks, wanted, validated: entry.validated });
        counted.set(origin, all);
      }
      if (performance.now() - turn < TURN) continue;
      await new Promise(resolve => setImmediate(resolve));
      if (round !== this.#round) break;
      turn = performance.now();
    }
    return counted;
  }

  /** Lets go of so many blocks: of what is wanted least first, and of each from its end. Returns how many went. */
  #drop(objects: Counted[], excess: number, disk: DiskIndex | undefined): number {
    let dropped = 0;
    objects.sort((a, b) => a.wanted - b.wanted || a.validated - b.validated);
    for (const { object } of objects) {
      for (let block = Math.ceil(object.size / BLOCK_SIZE) - 1; block >= 0 && dropped < excess; block--) {
        const isOnDisk = disk?.has(object.id, block) === true;
        // First, so that it is not written again.
        const isGone = this.#tier.drop(object.id, block);
        if (isOnDisk) this.#disk.remove(object.id, block);
        if (isGone || isOnDisk) dropped++;
      }
    }
    return dropped;
  }
}
