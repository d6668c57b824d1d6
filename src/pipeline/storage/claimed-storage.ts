import { EdgeError } from '../../base/errors.js';
import type { Gateway } from '../../cluster/etcd/gateway.js';
import type { ObjectStorage, PutOptions } from './object-storage.js';

/**
 * Seconds that a claim is kept. It is needed for as long as a storage may not show to one what it has taken from
 * another: until its disks that were away are back.
 */
const CLAIM_LIFE = 7 * 24 * 3600;
/** Milliseconds in which claims of this process are made under one lease. */
const LEASE_SHARED = 3600_000;

/**
 * A storage that can't write on a condition, such as Swift, with an etcd that can: who claims a key there first says
 * what the object is, and everybody else writes that, so that it is the same whoever dies meanwhile.
 */
export class ClaimedStorage implements ObjectStorage {
  readonly place: string;
  readonly #storage: ObjectStorage;
  readonly #etcd: Gateway;
  readonly #prefix: string;
  #lease: { readonly id: string; readonly since: number } | undefined;

  /** @param prefix of keys in etcd */
  constructor(storage: ObjectStorage, etcd: Gateway, prefix: string) {
    this.place = storage.place;
    this.#storage = storage;
    this.#etcd = etcd;
    this.#prefix = `${prefix}/objects/`;
  }

  async put(key: string, bytes: Uint8Array, { ifAbsent = false, type }: PutOptions = {}): Promise<boolean> {
    if (!ifAbsent) return await this.#storage.put(key, bytes, { type });
    if ((await this.#storage.head(key)) !== undefined) return false;
    const claimed = await this.#claim(key, Buffer.from(bytes).toString('base64'));
    // Whoever claimed it may have died before this.
    await this.#storage.put(key, Buffer.from(claimed.value, 'base64'), { type });
    return claimed.isOurs;
  }

  putFile(key: string, file: string, type: string, signal: AbortSignal): Promise<void> {
    return this.#storage.putFile(key, file, type, signal);
  }

  head(key: string): Promise<number | undefined> {
    return this.#storage.head(key);
  }

  get(key: string): Promise<Buffer | undefined> {
    return this.#storage.get(key);
  }

  list(prefix: string): AsyncIterable<string> {
    return this.#storage.list(prefix);
  }

  folders(prefix: string): AsyncIterable<string> {
    return this.#storage.folders(prefix);
  }

  remove(key: string): Promise<void> {
    return this.#storage.remove(key);
  }

  sweep(age: number): Promise<void> {
    return this.#storage.sweep(age);
  }

  close(): void {
    this.#storage.close();
    void this.#etcd.close();
  }

  async #leased(): Promise<string> {
    if (this.#lease === undefined || performance.now() - this.#lease.since > LEASE_SHARED) {
      this.#lease = { id: await this.#etcd.grant(CLAIM_LIFE), since: performance.now() };
    }
    return this.#lease.id;
  }

  async #claim(key: string, value: string): Promise<{ isOurs: boolean; value: string }> {
    const claim = this.#prefix + key;
    try {
      const lease = await this.#leased();
      // A transaction that is asked of a second member may have been done by the first: the value tells whose it is.
      await this.#etcd.txn([{ key: claim, created: 0 }], [{ put: claim, value, lease }]);
      const { keys } = await this.#etcd.range(claim);
      const found = keys.find(each => each.key === claim);
      if (found !== undefined) return { isOurs: found.value === value, value: found.value };
    } catch (cause) {
      this.#lease = undefined;
      throw new EdgeError('origin_unavailable', 'storage: etcd gives no claims', { cause });
    }
    throw new EdgeError('origin_unavailable', `storage: expected a claim of ${key} in etcd, found none`);
  }
}
