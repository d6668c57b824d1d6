import type { Log } from '../../base/log.js';
import type { Gateway } from '../etcd/gateway.js';
import type { Compare } from '../etcd/messages.js';
import type { Mirror } from '../etcd/mirror.js';
import type { Keys } from './member.js';

/** What a leadership is made from. */
export interface LeadershipOptions {
  readonly gateway: Gateway;
  readonly mirror: Mirror;
  readonly keys: Keys;
  readonly log: Log;
  readonly id: string;
  /** Tells this run from others of the same node. */
  readonly instance: string;
}

/** Who stands under the leader's key. */
interface LeaderValue {
  readonly id: string;
  readonly instance: string;
}

/**
 * Whether this node writes maps. Two may believe it at once; what counts is the fence: a write names the revision at
 * which the writer's key was made, and fails when another has come since.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  #term = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** The revision at which this node's leader key was made; 0 while it does not lead. */
  get term(): number {
    return this.#term;
  }

  /** Id of the node that leads, as far as is known. */
  get leader(): string | undefined {
    return this.#held()?.id;
  }

  /** What every write of a leader must compare. */
  get fence(): Compare {
    return { key: this.#options.keys.leader, created: this.#term };
  }

  /** The lease is gone. */
  resign(): void {
    if (this.#term !== 0) this.#options.log.info({ term: this.#term }, 'this node does not lead the cluster any more');
    this.#term = 0;
  }

  /** Takes the lead when nobody has it. @param lease of this node's membership @throws EtcdError */
  async campaign(lease: string): Promise<void> {
    const { gateway, mirror, keys, id, instance } = this.#options;
    const held = mirror.get(keys.leader);
    if (held !== undefined) {
      const isOurs = this.#held()?.instance === instance;
      if (!isOurs) this.resign();
      else if (this.#term !== held.created) this.#lead(held.created);
      return;
    }
    // The mirror may be a moment behind one's own transaction.
    if (this.#term > mirror.revision) return;
    this.resign();
    const value = JSON.stringify({ id, instance } satisfies LeaderValue);
    const { done, revision } = await gateway.txn(
      [{ key: keys.leader, created: 0 }],
      [{ put: keys.leader, value, lease }],
    );
    if (done) this.#lead(revision);
  }

  #lead(term: number): void {
    this.#term = term;
    this.#options.log.info({ term }, 'this node leads the cluster');
  }

  #held(): LeaderValue | undefined {
    const held = this.#options.mirror.get(this.#options.keys.leader);
    try {
      return held && (JSON.parse(held.value) as LeaderValue);
    } catch {
      return undefined;
    }
  }
}
