import type { Log } from '../../base/log.js';
import type { Call } from './endpoint.js';
import { EtcdError } from './etcd-error.js';
import type { Gateway } from './gateway.js';
import { type EtcdKey, endOfPrefix, fromBase64, readKey, toBase64, toNumber, type WireKey } from './messages.js';

/** Milliseconds between two readings of everything, whatever the watch says. */
const READ_INTERVAL = 10_000;
/** Milliseconds after which a failed reading or watch is made again. */
const RETRY = 1000;

/** A message of a watch. */
interface WatchMessage {
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly cancel_reason?: string;
  readonly compact_revision?: string;
  readonly events?: readonly { readonly type?: 'PUT' | 'DELETE'; readonly kv?: WireKey }[];
}

/** What a mirror is made from. */
export interface MirrorOptions {
  readonly gateway: Gateway;
  /** All keys that begin with it are mirrored. */
  readonly prefix: string;
  readonly log: Log;
  /** Told whenever keys have changed, or were read for the first time or after a time without etcd. */
  changed(): void;
  /** Milliseconds; 10 s when left out. */
  readonly readInterval?: number;
}

/**
 * The keys below a prefix as a majority of etcd has them: read whole, then kept by a watch from the next revision on.
 * A watch may be silent where it should not be, so everything is read again every ten seconds; what differs shows that
 * the watch is deaf, which is then made anew at another member. Without etcd the keys stay as they were.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #interval: number;
  #keys = new Map<string, EtcdKey>();
  #revision = 0;
  #store = '';
  /** `performance.now()` of the last reading that a majority has answered, when it was asked. */
  #readAt = Number.NEGATIVE_INFINITY;
  #watch: Call | undefined;
  /** Number of the watch that counts: messages of others are late. */
  #watchNumber = 0;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #failing = false;
  #stopped = false;
  /** For figures and tests. */
  readonly stats = { readings: 0, watches: 0, deafWatches: 0, failures: 0 };

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#interval = options.readInterval ?? READ_INTERVAL;
  }

  /** Begins; `changed` tells of the first reading. */
  start(): void {
    void this.refresh();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#endWatch();
  }

  /** True once everything has been read. */
  get hasRead(): boolean {
    return this.#readAt > Number.NEGATIVE_INFINITY;
  }

  /** Milliseconds since a majority was last heard; infinite when it never was. */
  get silence(): number {
    return performance.now() - this.#readAt;
  }

  /** True while readings fail. */
  get isFailing(): boolean {
    return this.#failing;
  }

  /** Tells one etcd cluster from another, whose revisions have nothing to do with each other. */
  get store(): string {
    return this.#store;
  }

  get revision(): number {
    return this.#revision;
  }

  get(key: string): EtcdKey | undefined {
    return this.#keys.get(key);
  }

  /** Keys that begin with `prefix`. */
  under(prefix: string): EtcdKey[] {
    return [...this.#keys.values()].filter(({ key }) => key.startsWith(prefix));
  }

  /** Reads everything, now; never throws. One reading at a time. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    const { gateway, prefix, log } = this.#options;
    const askedAt = performance.now();
    try {
      const { keys, revision, store } = await gateway.range(prefix);
      if (this.#stopped) return;
      this.stats.readings++;
      const wasFailing = this.#failing;
      const isFirst = !this.hasRead;
      if (wasFailing) log.info({ endpoint: gateway.endpoint, revision }, 'etcd answers again');
      this.#failing = false;
      this.#readAt = askedAt;
      const isChanged = this.#take(keys, revision, store);
      if (isChanged && this.#watch !== undefined && !isFirst) this.#distrust();
      if (this.#watch === undefined) await this.#beginWatch();
      if (isChanged || isFirst || wasFailing) this.#options.changed();
    } catch (error) {
      this.#fail(error, 'etcd does not answer: the cluster stays as it was last known');
    }
    this.#again(this.#failing ? RETRY : this.#interval);
  }

  /** @returns whether anything is different */
  #take(keys: readonly EtcdKey[], revision: number, store: string): boolean {
    // A majority never goes back: this is another store, whose revisions count from the beginning.
    const isOlder = revision < this.#revision || (this.#store !== '' && this.#store !== store);
    const isOther =
      keys.length !== this.#keys.size || keys.some(key => this.#keys.get(key.key)?.modified !== key.modified);
    if (isOlder)
      this.#options.log.warn({ revision, known: this.#revision }, 'etcd is another one, or has been made anew');
    this.#revision = revision;
    this.#store = store;
    if (isOther) this.#keys = new Map(keys.map(key => [key.key, key]));
    if (isOlder) this.#endWatch();
    return isOther;
  }

  /** The reading has found what the watch should have told. It may be a moment late, which costs a new watch only. */
  #distrust(): void {
    this.stats.deafWatches++;
    this.#endWatch();
    this.#options.gateway.rotate();
  }

  #again(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.refresh(), delay);
    this.#timer.unref();
  }

  async #beginWatch(): Promise<void> {
    const { gateway, prefix } = this.#options;
    const number = ++this.#watchNumber;
    this.stats.watches++;
    const create_request = {
      key: toBase64(prefix),
      range_end: endOfPrefix(prefix),
      start_revision: String(this.#revision + 1),
    };
    const watch = await gateway.stream(
      '/v3/watch',
      { create_request },
      {
        message: message => {
          if (number === this.#watchNumber) this.#hear((message ?? {}) as WatchMessage);
        },
        ended: error => {
          if (number === this.#watchNumber) this.#lose(error);
        },
      },
    );
    if (number !== this.#watchNumber || this.#stopped) watch.cancel();
    else this.#watch = watch;
  }

  #hear({ canceled, cancel_reason, compact_revision, events = [] }: WatchMessage): void {
    if (canceled === true) {
      const isCompacted = compact_revision !== undefined;
      this.#lose(new EtcdError(isCompacted ? 'compacted' : 'other', cancel_reason ?? 'the watch was canceled'));
      return;
    }
    for (const { type, kv = {} } of events) {
      const key = readKey(kv);
      // What a reading has brought already must not be taken back.
      if (key.modified <= this.#revision) continue;
      if (type === 'DELETE') this.#keys.delete(fromBase64(kv.key));
      else this.#keys.set(key.key, key);
    }
    if (events.length === 0) return;
    // Not the header's: that may be ahead of what has been told.
    this.#revision = Math.max(this.#revision, ...events.map(({ kv }) => toNumber(kv?.mod_revision)));
    this.#options.changed();
  }

  /** The watch has ended: what it would have told is read, and it is begun again behind that. */
  #lose(error: EtcdError): void {
    this.#endWatch();
    if (error.failure === 'auth') this.#options.gateway.forgetToken();
    else if (error.isElsewhere) this.#options.gateway.rotate();
    this.#again(error.failure === 'compacted' ? 0 : RETRY / 4);
  }

  #endWatch(): void {
    this.#watchNumber++;
    this.#watch?.cancel();
    this.#watch = undefined;
  }

  #fail(error: unknown, text: string): void {
    this.stats.failures++;
    if (this.#stopped) return;
    if (!this.#failing) this.#options.log.warn({ error: (error as Error).message }, text);
    this.#failing = true;
  }
}
