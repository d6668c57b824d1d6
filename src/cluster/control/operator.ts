import { EdgeError } from '../../base/errors.js';
import type { Gateway } from '../etcd/gateway.js';
import type { Mirror } from '../etcd/mirror.js';
import type { ClusterView } from './cluster-view.js';
import type { MapAuthor } from './map-author.js';
import type { Keys } from './member.js';
import { LEASE } from './membership.js';
import type { PlanPreview } from './plan-preview.js';

/** Milliseconds for which a wish of somebody may wait until the leader has seen to it, and between two looks. */
const WISH_PATIENCE = 10_000;
const WISH_LOOK = 50;
const NO_ETCD = 'etcd does not answer: the map stays as it is';

/** What an operator's commands work with. */
export interface OperatorOptions {
  readonly gateway: Gateway;
  readonly mirror: Mirror;
  readonly keys: Keys;
  readonly view: ClusterView;
  readonly author: MapAuthor;
  /** Id of this node. */
  readonly self: string;
}

/** What people want of the cluster. They tell etcd, by any node; the leader sees to it. */
export class Operator {
  readonly #options: OperatorOptions;
  #isStopped = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** Whoever waits for the leader waits no more. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Takes the films from a node, for good.
   * @throws EdgeError `bad_request`, `store` when etcd does not do it
   */
  async drain(id: string): Promise<void> {
    const { view, keys } = this.#options;
    const { drained, living } = view;
    const zone = view.map?.record.zones.find(({ nodes }) => nodes.some(node => node.id === id));
    if (zone === undefined && !living.has(id)) {
      throw new EdgeError('bad_request', `expected the id of a node of the cluster, found ${JSON.stringify(id)}`);
    }
    const others = zone?.nodes.filter(node => node.id !== id && !drained.has(node.id) && living.has(node.id));
    if (others?.length === 0) {
      throw new EdgeError(
        'bad_request',
        `expected another living node in zone ${zone?.zone}, which would take the films of ${id}`,
      );
    }
    await this.#write([{ put: keys.drain(id), value: JSON.stringify({ since: Date.now() }) }]);
  }

  /** Lets a node have films again. @throws EdgeError */
  async undrain(id: string): Promise<void> {
    const { view, keys } = this.#options;
    if (!view.drained.has(id)) {
      throw new EdgeError('bad_request', `expected the id of a node that is drained, found ${JSON.stringify(id)}`);
    }
    await this.#write([{ remove: keys.drain(id) }]);
  }

  /** What a map would be that is made now, without waiting. @throws EdgeError `overloaded` when etcd does not answer */
  plan(): PlanPreview {
    const { mirror, author } = this.#options;
    if (!mirror.hasRead || mirror.isFailing) throw new EdgeError('overloaded', NO_ETCD, { retryAfter: LEASE });
    return author.preview();
  }

  /** Has the leader make that map. Resolves when it is in force here. @throws EdgeError */
  async applyPlan(): Promise<PlanPreview> {
    const { mirror, keys, self } = this.#options;
    const preview = this.plan();
    if (!preview.changes) return preview;
    await this.#write([{ put: keys.wish, value: self }]);
    const end = performance.now() + WISH_PATIENCE;
    while (mirror.get(keys.wish) !== undefined) {
      if (performance.now() > end || this.#isStopped) {
        await this.#write([{ remove: keys.wish }]).catch(() => {});
        throw new EdgeError('overloaded', 'no node of the cluster leads at the moment: ask again', {
          retryAfter: LEASE,
        });
      }
      await new Promise(resolve => setTimeout(resolve, WISH_LOOK));
    }
    return preview;
  }

  async #write(writes: Parameters<Gateway['txn']>[1]): Promise<void> {
    const { gateway, mirror } = this.#options;
    try {
      await gateway.txn([], writes);
      await mirror.refresh();
    } catch (error) {
      throw new EdgeError('store', `etcd did not do it: ${(error as Error).message}`, { cause: error });
    }
  }
}
