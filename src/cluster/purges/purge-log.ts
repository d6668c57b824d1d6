import { randomUUID } from 'node:crypto';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Gateway } from '../etcd/gateway.js';
import type { EtcdKey } from '../etcd/messages.js';
import type { Mirror } from '../etcd/mirror.js';
import type { PurgeMark } from './purge-mark.js';

/** Most purges that etcd keeps, and most characters of them. */
const PURGES_MAX = 500;
const TEXT_MAX = 512 * 1024;
/**
 * Milliseconds after which a purge is carried out once more: by then every node that etcd reaches has carried it out,
 * so that what this one has had from others meanwhile is worthless, too.
 */
const SETTLE = 12_000;

/** What a log of purges is made from. */
export interface PurgeLogOptions<Result> {
  readonly gateway: Pick<Gateway, 'txn'>;
  readonly mirror: Pick<Mirror, 'under' | 'get' | 'hasRead' | 'isFailing' | 'store' | 'refresh'>;
  /** Beginning of the keys of purges, and the key of the revision up to which they are not kept any more. */
  readonly keys: { readonly purges: string; readonly purgedUpTo: string };
  readonly mark: PurgeMark;
  /** Carries a purge out on this node. @throws EdgeError (rejects with): `bad_request` for one that makes no sense */
  readonly apply: (purge: string) => Promise<Result>;
  /** Purges everything on this node. */
  readonly applyAll: () => Promise<unknown>;
  readonly log: Log;
  /** 12 s when left out. */
  readonly settle?: number;
}

/**
 * The purges of the cluster: each is a key in etcd, and every node carries out those whose revisions it has not come to
 * yet. A node that was away does so before it is a member again; one that was away for longer than they are kept purges
 * everything.
 */
export class PurgeLog<Result> {
  readonly #options: PurgeLogOptions<Result>;
  /** Which etcd the revisions are of. */
  #store: string | undefined;
  /** Revision up to which purges have been carried out, and up to which that is kept on disk. */
  #done = 0;
  #kept = 0;
  #isRead = false;
  #isCaughtUp = false;
  #running: Promise<void> | undefined;
  #failure = '';
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** What those have come to that this node has told of. */
  readonly #results = new Map<string, { readonly result: Result | undefined } | undefined>();

  constructor(options: PurgeLogOptions<Result>) {
    this.#options = options;
  }

  /** True once this node has carried out everything that was purged while it was away. */
  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /**
   * Has all nodes carry purges out.
   * @returns what each of them came to here; those of nodes that etcd does not reach follow when it does
   * @throws EdgeError (rejects with) `overloaded` when etcd does not take them: then only this node has carried them
   *   out
   */
  async tell(purges: readonly string[]): Promise<Result[]> {
    const results: Result[] = [];
    for (const purge of purges) {
      const key = `${this.#options.keys.purges}${randomUUID()}`;
      this.#results.set(key, undefined);
      try {
        await this.#put(key, purge);
        results.push((await this.#comeTo(key))!);
      } finally {
        this.#results.delete(key);
      }
    }
    return results;
  }

  /** Carries out what has not been yet; never rejects. */
  catchUp(): Promise<void> {
    this.#running ??= this.#catchUp()
      .then(
        () => {
          this.#failure = '';
        },
        error => this.#fail(error as Error),
      )
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #put(key: string, purge: string): Promise<void> {
    const { gateway, keys } = this.#options;
    const old = this.#tooMany(purge.length);
    const writes = old.map(({ key: each }) => ({ remove: each }));
    const upTo = old.at(-1)?.modified;
    const floor = upTo === undefined ? [] : [{ put: keys.purgedUpTo, value: String(upTo) }];
    try {
      await gateway.txn([], [{ put: key, value: purge }, ...writes, ...floor]);
    } catch (cause) {
      await this.#options.apply(purge);
      const message = 'etcd does not answer, so that only this node has purged: ask again, or each of the nodes';
      throw new EdgeError('overloaded', message, { retryAfter: 5, cause });
    }
  }

  /** The oldest purges, which are not kept when there is one more of so many characters. */
  #tooMany(more: number): EtcdKey[] {
    const all = this.#purges();
    let characters = more + all.reduce((sum, { value }) => sum + value.length, 0);
    let count = 0;
    while (count < all.length && (all.length - count >= PURGES_MAX || characters > TEXT_MAX)) {
      characters -= all[count++]!.value.length;
    }
    return all.slice(0, count);
  }

  /** Carries out what there is up to the purge under `key`; what that came to. */
  async #comeTo(key: string): Promise<Result | undefined> {
    // A reading that had begun before does not count.
    for (let tries = 0; this.#results.get(key) === undefined && tries < 4 && !this.#stopped; tries++) {
      await this.#options.mirror.refresh();
      await this.catchUp();
    }
    const done = this.#results.get(key);
    if (done !== undefined) return done.result;
    throw new EdgeError('overloaded', 'the other nodes are told, but this one could not purge: ask again', {
      retryAfter: 5,
    });
  }

  /** In the order in which they were written. */
  #purges(): EtcdKey[] {
    const { mirror, keys } = this.#options;
    return mirror.under(keys.purges).sort((a, b) => a.modified - b.modified);
  }

  async #catchUp(): Promise<void> {
    const { mirror, keys, applyAll, log } = this.#options;
    if (!mirror.hasRead || this.#stopped) return;
    const { store } = mirror;
    if (!this.#isRead) this.#read();
    // What another etcd knew can't be asked any more. A node that was there meanwhile has carried it out.
    const isOther = this.#store !== undefined && this.#store !== store;
    if (isOther && !this.#isCaughtUp) {
      log.warn({}, 'etcd is another one than when this node was last there: everything is purged');
      await applyAll();
    }
    if (this.#store !== store) {
      this.#done = 0;
      this.#kept = 0;
    }
    this.#store = store;
    const floor = Number(mirror.get(keys.purgedUpTo)?.value ?? 0);
    if (floor > this.#done) {
      if (!this.#isCaughtUp) {
        log.warn({}, 'this node was away for more purges than are kept: everything is purged');
        await applyAll();
      }
      this.#done = floor;
    }
    for (const { key, value, modified } of this.#purges()) {
      if (modified <= this.#done) continue;
      const result = await this.#apply(value);
      if (this.#results.has(key)) this.#results.set(key, { result });
      this.#done = modified;
    }
    this.#isCaughtUp = true;
    if (this.#done > this.#kept) this.#settleLater();
  }

  async #apply(purge: string): Promise<Result | undefined> {
    try {
      return await this.#options.apply(purge);
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== 'bad_request') throw error;
      // Of a later version: it would stand in the way of all that follow.
      this.#options.log.error({ error: error.message }, 'a purge of another node is not understood');
      return undefined;
    }
  }

  #settleLater(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    const upTo = this.#done;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#settle(upTo).catch(error => this.#fail(error as Error));
    }, this.#options.settle ?? SETTLE);
    this.#timer.unref();
  }

  async #settle(upTo: number): Promise<void> {
    for (const { value, modified } of this.#purges()) {
      if (modified > this.#kept && modified <= upTo && !this.#stopped) await this.#apply(value);
    }
    if (this.#stopped || this.#store === undefined) return;
    this.#kept = upTo;
    this.#options.mark.write({ store: this.#store, revision: upTo });
    if (this.#done > this.#kept) this.#settleLater();
  }

  #read(): void {
    this.#isRead = true;
    const known = this.#options.mark.read();
    if (known === undefined) return;
    this.#store = known.store;
    this.#done = known.revision;
    this.#kept = known.revision;
  }

  /** Told once; it is tried again whenever something changes, and each second. */
  #fail({ message }: Error): void {
    if (message !== this.#failure) this.#options.log.error({ error: message }, 'a purge could not be carried out');
    this.#failure = message;
  }
}
