import type { Log } from '../../base/log.js';
import type { Gateway } from '../etcd/gateway.js';
import type { Mirror } from '../etcd/mirror.js';
import { encodeMap, type MapRecord } from '../map/map-record.js';
import type { ClusterView } from './cluster-view.js';
import type { Leadership } from './leadership.js';
import { MapPolicy, type PolicyOptions, type PolicyView } from './map-policy.js';
import type { Keys } from './member.js';
import { type PlanPreview, previewOf } from './plan-preview.js';

/** What a map author works with. */
export interface MapAuthorOptions extends PolicyOptions {
  readonly gateway: Gateway;
  readonly mirror: Mirror;
  readonly keys: Keys;
  readonly leadership: Leadership;
  readonly view: ClusterView;
  readonly log: Log;
}

/** Writes maps while this node leads, each under the fence of its leadership. */
export class MapAuthor {
  readonly #options: MapAuthorOptions;
  readonly #policy: MapPolicy;
  #frozen: readonly string[] = [];
  /** The term in which the policy has begun to count. */
  #policyTerm = 0;

  constructor(options: MapAuthorOptions) {
    this.#options = options;
    this.#policy = new MapPolicy(options);
  }

  /** Zones in which too many nodes are away. Only the leader knows. */
  get frozen(): readonly string[] {
    return this.#frozen;
  }

  /** Looks, and writes a map when one is due; nothing on a node that does not lead. @throws EtcdError */
  async work(): Promise<void> {
    const { term } = this.#options.leadership;
    if (term !== 0 && term !== this.#policyTerm) this.#policy.reset();
    this.#policyTerm = term || this.#policyTerm;
    if (term !== 0) await this.#lead();
    else this.#frozen = [];
  }

  /** What a map would be that is made now, without waiting. */
  preview(): PlanPreview {
    const view = this.#policyView();
    this.#policy.observe(view, performance.now());
    const { record } = this.#policy.decide(view, performance.now(), Date.now(), true);
    return previewOf(view.record, record);
  }

  async #lead(): Promise<void> {
    const { gateway, mirror, keys, leadership, view, log } = this.#options;
    const seen = this.#policyView();
    const wish = mirror.get(keys.wish);
    this.#policy.observe(seen, performance.now());
    if (view.isInGrace && wish === undefined) return;
    const { frozen, ...decision } = this.#policy.decide(seen, performance.now(), Date.now(), wish !== undefined);
    this.#tellFrozen(frozen);
    const record = decision.record ?? this.#missing;
    if (record === undefined && wish === undefined) return;
    const compare = [leadership.fence, { key: keys.map, modified: view.stored }];
    const writes = [
      ...(record === undefined ? [] : [{ put: keys.map, value: encodeMap(record) }]),
      ...(wish === undefined ? [] : [{ remove: keys.wish }]),
    ];
    const { done, revision } = await gateway.txn(compare, writes);
    if (done && record !== undefined) log.info({ revision, ...previewOf(seen.record, record) }, 'a map was written');
    // Somebody else has written, or leads by now: what is there is read before anything else is done.
    if (!done) leadership.resign();
    await mirror.refresh();
  }

  #tellFrozen(frozen: readonly string[]): void {
    for (const zone of frozen) {
      if (this.#frozen.includes(zone)) continue;
      this.#options.log.error(
        { zone },
        'more than a third of the nodes are away: the map stays; moovedge cluster plan --apply makes one without them',
      );
    }
    this.#frozen = frozen;
  }

  /** The map in force, when etcd holds none, or one that can't be read. */
  get #missing(): MapRecord | undefined {
    const { map, stored } = this.#options.view;
    return map !== undefined && stored !== map.epoch ? map.record : undefined;
  }

  #policyView(): PolicyView {
    const { map, living, drained } = this.#options.view;
    return { record: map?.record, members: [...living.values()], drained };
  }
}
