import type { Log } from '../../base/log.js';
import type { Gateway } from '../etcd/gateway.js';
import { decodeMember, encodeMember, type Keys, type Member } from './member.js';

/** Seconds that a node is a member without renewing: the least, since etcd may take longer to notice. */
export const LEASE = 5;
const LEASE_MS = LEASE * 1000;
/**
 * Milliseconds for which another node may have this id before it is taken for one: after a death the lease of the
 * former run has to end.
 */
const RIVAL_PATIENCE = 3 * LEASE_MS;

/** What a membership is made from. */
export interface MembershipOptions {
  readonly gateway: Gateway;
  readonly keys: Keys;
  readonly log: Log;
  /** What this node tells of itself. */
  readonly member: () => Member;
  /** Whether it should be a member now: it serves, and is not drained. */
  readonly wanted: () => boolean;
  /** Whether it may become one: it has caught up with what it missed while it was none. */
  readonly mayJoin: () => boolean;
  /** Told when the lease is gone, with all that was held by it. */
  readonly lost: () => void;
}

/**
 * This node's place among the members: a lease that is renewed each second, and the key under it. One call of `tick` at
 * a time.
 */
export class Membership {
  readonly #options: MembershipOptions;
  #lease: string | undefined;
  #isJoined = false;
  /** What stands under the key, and the revision at which it was written. */
  #written = '';
  #modified = 0;
  /** When the renewal that etcd has confirmed last was sent, by both clocks: one of them may have stood still. */
  #renewed = { steady: 0, wall: 0 };
  #rival: { readonly member: Member; readonly since: number } | undefined;
  #isTold = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** The lease while this node is a member. */
  get lease(): string | undefined {
    return this.#isJoined ? this.#lease : undefined;
  }

  /** Another living node with this id, which keeps this one out; undefined when there is none. */
  get rival(): Member | undefined {
    return this.#isTold ? this.#rival?.member : undefined;
  }

  /** Renews or joins, or leaves when it is not wanted. @throws EtcdError */
  async tick(): Promise<void> {
    if (this.#lease !== undefined && this.#isOverdue()) this.#lose('it was not renewed in time');
    if (!this.#options.wanted()) return;
    if (this.#lease === undefined) {
      if (this.#options.mayJoin()) await this.#join();
    } else await this.#renew(this.#lease);
  }

  /** Ends the lease, so that the others know at once. */
  async leave(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#lose(undefined);
    await this.#options.gateway.revoke(lease).catch(() => {});
  }

  #isOverdue(): boolean {
    const { steady, wall } = this.#renewed;
    return performance.now() - steady > LEASE_MS || Date.now() - wall > LEASE_MS;
  }

  #lose(why: string | undefined): void {
    if (why !== undefined && this.#isJoined)
      this.#options.log.warn({ why }, 'this node is no member of the cluster any more');
    this.#lease = undefined;
    this.#isJoined = false;
    this.#options.lost();
  }

  async #renew(lease: string): Promise<void> {
    const sent = { steady: performance.now(), wall: Date.now() };
    if (!(await this.#options.gateway.keepAlive(lease))) {
      if (this.#lease === lease) this.#lose('etcd has ended its lease');
      return;
    }
    if (this.#lease !== lease) return;
    this.#renewed = sent;
    const { member, keys, gateway } = this.#options;
    const value = encodeMember(member());
    if (!this.#isJoined || value === this.#written) return;
    const key = keys.member(member().id);
    const { done, revision } = await gateway.txn([{ key, modified: this.#modified }], [{ put: key, value, lease }]);
    if (done) this.#note(value, revision);
  }

  async #join(): Promise<void> {
    const { gateway, keys, member, log } = this.#options;
    const sent = { steady: performance.now(), wall: Date.now() };
    const lease = await gateway.grant(LEASE);
    this.#lease = lease;
    this.#renewed = sent;
    try {
      if (await this.#register(keys.member(member().id), lease)) {
        this.#isJoined = true;
        this.#rival = undefined;
        if (this.#isTold) log.info({}, 'no other node has this id any more');
        this.#isTold = false;
        log.info({ id: member().id, zone: member().zone }, 'this node is a member of the cluster');
        return;
      }
    } catch (error) {
      this.#lease = undefined;
      await gateway.revoke(lease).catch(() => {});
      throw error;
    }
    this.#lease = undefined;
    await gateway.revoke(lease).catch(() => {});
  }

  /** @returns false when another node has the key */
  async #register(key: string, lease: string): Promise<boolean> {
    const { gateway, member } = this.#options;
    const value = encodeMember(member());
    const fresh = await gateway.txn([{ key, created: 0 }], [{ put: key, value, lease }]);
    if (fresh.done) return this.#note(value, fresh.revision);
    const held = (await gateway.range(key)).keys.find(each => each.key === key);
    const holder = held && decodeMember(held.value);
    if (held === undefined) return false;
    // A lease of this run that was given up, or the answer to its transaction, was lost.
    if (holder?.instance === member().instance) {
      const again = await gateway.txn([{ key, modified: held.modified }], [{ put: key, value, lease }]);
      return again.done && this.#note(value, again.revision);
    }
    this.#meet(holder ?? { ...member(), host: 'unknown', instance: 'unknown' });
    return false;
  }

  #note(value: string, revision: number): true {
    this.#written = value;
    this.#modified = revision;
    return true;
  }

  #meet(holder: Member): void {
    if (this.#rival?.member.instance !== holder.instance) this.#rival = { member: holder, since: performance.now() };
    if (this.#isTold || performance.now() - this.#rival.since < RIVAL_PATIENCE) return;
    this.#isTold = true;
    this.#options.log.error(
      { id: holder.id, host: holder.host, port: holder.port },
      'another node has the same id: this one does not join and serves alone; give it an id of its own (cluster.node.id)',
    );
  }
}
