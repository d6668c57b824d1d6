import type { Log } from '../../base/log.js';
import { EtcdError } from '../etcd/etcd-error.js';
import type { Gateway } from '../etcd/gateway.js';
import type { EtcdKey } from '../etcd/messages.js';
import type { Mirror } from '../etcd/mirror.js';
import type { Keys } from './member.js';

/** Milliseconds for which somebody who wants a name waits for etcd, unless told otherwise. */
const PATIENCE = 2000;
/** Times that a name is tried to be taken, when somebody else is always a little faster. */
const TRIES = 5;

/** Who has a name, as it stands in etcd under the lease of that node. */
interface Claim {
  readonly node: string;
  /** Tells one run of a node from another. */
  readonly instance: string;
  /** Whether it is in use; else anybody may take it. */
  readonly isActive: boolean;
}

/** Told of claims. */
export interface ClaimEvents {
  /** Others than before have names. */
  changed(): void;
  /** A name that this node had is another's now. */
  lost(name: string, holder: string): void;
}

/** What claims are made from. */
export interface ClaimsOptions extends ClaimEvents {
  readonly gateway: Gateway;
  readonly mirror: Mirror;
  readonly keys: Keys;
  readonly log: Log;
  readonly id: string;
  readonly instance: string;
  /** Milliseconds for which somebody who wants a name waits for etcd; 2,000 when left out. */
  readonly patience?: number;
  /** Of this node's membership; undefined while it is no member. */
  readonly lease: () => string | undefined;
}

/** A name that this node has. */
interface Held {
  isActive: boolean;
  /** Revision at which it was last written; what the mirror has of before does not count. */
  revision: number;
}

/**
 * Names of which each is one node's, such as those of live streams: a key in etcd for each, which goes with its node's
 * lease. A name is taken by compare and swap. Without etcd names are had all the same, and claimed as soon as it is
 * back, unless somebody else was faster.
 */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #held = new Map<string, Held>();
  /**
   * How often each name is being taken at the moment. The mirror may tell of what has been written before its answer
   * comes: until then this node seems to have in etcd what it does not want.
   */
  readonly #takes = new Map<string, number>();
  #holders: ReadonlyMap<string, string> = new Map();
  #isTold = false;
  #work: Promise<void> = Promise.resolve();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Ids of nodes by the names that they have. */
  get holders(): ReadonlyMap<string, string> {
    return this.#holders;
  }

  /**
   * Takes a name for this node.
   * @param replaces whether also from another that has it in use
   * @returns the id of the node that keeps it; undefined when it is this node's
   */
  async take(name: string, replaces: boolean): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>(resolve => {
      const { patience = PATIENCE } = this.#options;
      timer = setTimeout(() => resolve(this.#goAlone('etcd does not answer in time')), patience);
    });
    this.#takes.set(name, (this.#takes.get(name) ?? 0) + 1);
    try {
      const keeper = await Promise.race([this.#take(name, replaces), late]);
      if (keeper === undefined) this.#hold(name).isActive = true;
      return keeper;
    } finally {
      clearTimeout(timer);
      const others = this.#takes.get(name)! - 1;
      if (others > 0) this.#takes.set(name, others);
      else this.#takes.delete(name);
      this.reconcile();
    }
  }

  /** A name of this node is in use, or waits for somebody who uses it. */
  set(name: string, isActive: boolean): void {
    this.#hold(name).isActive = isActive;
    this.reconcile();
  }

  /** This node has a name no more. */
  drop(name: string): void {
    this.#held.delete(name);
    this.reconcile();
  }

  /** This node has no other names than these. */
  reset(names: ReadonlyMap<string, boolean>): void {
    for (const name of [...this.#held.keys()]) if (!names.has(name)) this.#held.delete(name);
    for (const [name, isActive] of names) this.#hold(name).isActive = isActive;
    this.reconcile();
  }

  /** The mirror has other keys. */
  update(): void {
    const { mirror, keys, changed } = this.#options;
    const holders = new Map<string, string>();
    for (const key of mirror.under(keys.claims)) {
      const claim = readClaim(key);
      if (claim !== undefined) holders.set(key.key.slice(keys.claims.length), claim.node);
    }
    const isSame =
      holders.size === this.#holders.size && [...holders].every(([name, node]) => this.#holders.get(name) === node);
    this.#holders = holders;
    if (!isSame) changed();
    this.reconcile();
  }

  /** Brings what stands in etcd and what this node has together. One at a time; never throws. */
  reconcile(): void {
    this.#work = this.#work.then(() => this.#reconcile()).catch(error => this.#fail(error));
  }

  async #reconcile(): Promise<void> {
    const { mirror, keys } = this.#options;
    if (this.#options.lease() === undefined || !mirror.hasRead || mirror.isFailing) return;
    for (const [name, held] of [...this.#held]) {
      if (held.revision > mirror.revision || this.#takes.has(name)) continue;
      const key = mirror.get(keys.claim(name));
      const claim = key && readClaim(key);
      if (claim !== undefined && !this.#isOurs(claim) && claim.node !== this.#options.id) {
        this.#held.delete(name);
        this.#options.lost(name, claim.node);
      } else if (claim === undefined || !this.#isOurs(claim) || claim.isActive !== held.isActive) {
        await this.#write(name, key, held.isActive);
      }
    }
    for (const key of mirror.under(keys.claims)) {
      const claim = readClaim(key);
      const name = key.key.slice(keys.claims.length);
      if (claim === undefined || !this.#isOurs(claim) || this.#held.has(name) || this.#takes.has(name)) continue;
      await this.#options.gateway.txn([{ key: key.key, modified: key.modified }], [{ remove: key.key }]);
    }
  }

  async #take(name: string, replaces: boolean): Promise<string | undefined> {
    const { lease, mirror, gateway, keys } = this.#options;
    if (lease() === undefined || mirror.isFailing) return this.#goAlone('this edge is no member of the cluster');
    try {
      for (let tries = 0; tries < TRIES; tries++) {
        const path = keys.claim(name);
        const key = (await gateway.range(path)).keys.find(each => each.key === path);
        const claim = key && readClaim(key);
        const isOthers = claim !== undefined && claim.node !== this.#options.id;
        if (isOthers && claim.isActive && !replaces) return claim.node;
        if (await this.#write(name, key, true)) return undefined;
      }
      return this.#goAlone('others were faster, again and again');
    } catch (error) {
      this.#fail(error);
      return this.#goAlone((error as Error).message);
    }
  }

  /** @param key as it stands there; undefined when there is none */
  async #write(name: string, key: EtcdKey | undefined, isActive: boolean): Promise<boolean> {
    const { gateway, keys, id, instance, lease } = this.#options;
    const path = keys.claim(name);
    const value = JSON.stringify({ node: id, instance, isActive } satisfies Claim);
    const writes = [{ put: path, value, lease: lease() ?? '0' }];
    const { done, revision } = await gateway.txn([{ key: path, modified: key?.modified ?? 0 }], writes);
    if (done) {
      this.#hold(name).revision = revision;
      this.#goTogether();
    }
    return done;
  }

  #hold(name: string): Held {
    const held = this.#held.get(name) ?? { isActive: false, revision: 0 };
    this.#held.set(name, held);
    return held;
  }

  #isOurs({ node, instance }: Claim): boolean {
    return node === this.#options.id && instance === this.#options.instance;
  }

  /** Whoever publishes does not depend on etcd; said once. */
  #goAlone(why: string): undefined {
    if (!this.#isTold) {
      this.#options.log.warn(
        { why },
        'live streams are published without a claim in etcd: other edges do not find them until it is back',
      );
    }
    this.#isTold = true;
  }

  /** etcd has taken a claim. That it is not known to be away says nothing: that takes a while. */
  #goTogether(): void {
    if (this.#isTold) this.#options.log.info({}, 'names of live streams are claimed in etcd again');
    this.#isTold = false;
  }

  #fail(error: unknown): void {
    if (error instanceof EtcdError) return;
    this.#options.log.error({ error }, 'a defect in the claims of live streams');
  }
}

/** Undefined when it is none. */
function readClaim({ value }: EtcdKey): Claim | undefined {
  try {
    const { node, instance, isActive } = JSON.parse(value) as Claim;
    return typeof node === 'string' && node !== '' ? { node, instance, isActive: isActive === true } : undefined;
  } catch {
    return undefined;
  }
}
