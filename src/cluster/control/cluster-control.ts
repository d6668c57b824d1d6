import { randomUUID } from 'node:crypto';
import type { Log } from '../../base/log.js';
import type { ClusterState } from '../cluster-state.js';
import { EtcdError } from '../etcd/etcd-error.js';
import { Gateway, type GatewayOptions } from '../etcd/gateway.js';
import { Mirror } from '../etcd/mirror.js';
import { PurgeLog, type PurgeLogOptions } from '../purges/purge-log.js';
import { PurgeMark } from '../purges/purge-mark.js';
import { Claims, type ClaimsOptions } from './claims.js';
import { ClusterView } from './cluster-view.js';
import { Leadership } from './leadership.js';
import { MapAuthor } from './map-author.js';
import { MapFile } from './map-file.js';
import type { PolicyOptions } from './map-policy.js';
import { Keys, type Member } from './member.js';
import { Membership } from './membership.js';
import { Operator } from './operator.js';
import { aloneState, viewState } from './view-state.js';

/** Milliseconds between two renewals of the lease. */
const TICK = 1000;

/** What this node tells of itself, but for what tells its runs apart. */
export type NodeIdentity = Omit<Member, 'instance'>;

/** Settings of a node's part in the cluster; times in milliseconds. */
export interface ControlOptions extends PolicyOptions {
  readonly etcd: GatewayOptions & { readonly prefix: string };
  readonly self: NodeIdentity;
  readonly ramp: number;
  /** File for the copy of the map. */
  readonly file: string;
  readonly log: Log;
  /** Whether this node's workers answer. */
  readonly alive: () => boolean;
  /** Carries a purge out on this node, and purges everything there; see `PurgeLog`. */
  readonly purge: PurgeLogOptions<unknown>['apply'];
  readonly purgeAll: PurgeLogOptions<unknown>['applyAll'];
  /** File for the mark up to which that has been done. */
  readonly purgeMark: string;
  /** Told of the names of live streams that nodes have. */
  readonly claims: Pick<ClaimsOptions, 'changed' | 'lost' | 'patience'>;
  /** Told of each state that differs from the one before. */
  readonly publish: (state: ClusterState) => void;
}

/**
 * A node's part in the cluster: its membership, its turn as the leader, and what its workers are told. etcd is never on
 * the way of a request: whatever fails here, workers go on by the last state.
 */
export class ClusterControl {
  /** What people may ask of the cluster. */
  readonly operator: Operator;
  /** Names of live streams. */
  readonly claims: Claims;
  readonly #options: ControlOptions;
  readonly #log: Log;
  readonly #keys: Keys;
  readonly #gateway: Gateway;
  readonly #mirror: Mirror;
  readonly #membership: Membership;
  readonly #leadership: Leadership;
  readonly #author: MapAuthor;
  readonly #view: ClusterView;
  readonly #purges: PurgeLog<unknown>;
  readonly #instance = randomUUID();
  #self: NodeIdentity;
  #ramp: number;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isBusy = false;
  #wasSilent = false;
  #published = '';
  #state: ClusterState;
  #failure = '';
  #isLeaving = false;
  #stopped = false;

  constructor(options: ControlOptions) {
    const { etcd, log, file, self } = options;
    this.#options = options;
    this.#log = log;
    this.#self = self;
    this.#ramp = options.ramp;
    this.#keys = new Keys(etcd.prefix);
    this.#gateway = new Gateway(etcd);
    const [gateway, keys] = [this.#gateway, this.#keys];
    this.#mirror = new Mirror({ gateway, prefix: keys.all, log, changed: () => this.#changed() });
    const mirror = this.#mirror;
    this.#leadership = new Leadership({ gateway, mirror, keys, log, id: self.id, instance: this.#instance });
    this.#membership = new Membership({
      gateway,
      keys,
      log,
      member: () => this.#member,
      wanted: () => options.alive() && !this.#isLeaving && !this.#isRetired,
      mayJoin: () => this.#purges.isCaughtUp,
      lost: () => this.#leadership.resign(),
    });
    this.#purges = new PurgeLog({
      gateway,
      mirror,
      keys,
      mark: new PurgeMark(options.purgeMark),
      apply: options.purge,
      applyAll: options.purgeAll,
      log,
    });
    this.claims = new Claims({
      ...options.claims,
      ...{ gateway, mirror, keys, log, id: self.id, instance: this.#instance },
      lease: () => this.#membership.lease,
    });
    const view = new ClusterView(mirror, keys, new MapFile(file), options, log);
    this.#view = view;
    this.#author = new MapAuthor({ ...options, gateway, mirror, keys, leadership: this.#leadership, view });
    this.operator = new Operator({ gateway, mirror, keys, view, author: this.#author, self: self.id });
    this.#state = aloneState(this.#member, options.partitions);
  }

  /** Tells workers what the copy of the map on disk says, or that this edge is alone, until etcd has answered. */
  restore(): void {
    const isRestored = this.#view.restore();
    const { epoch } = this.#view.map ?? { epoch: 0 };
    if (isRestored) this.#log.info({ epoch }, 'the map on disk is in force until etcd answers');
    else
      this.#log.info(
        {},
        'there is no map on disk: this edge serves alone, as the owner of everything, until there is one',
      );
    this.#publish();
  }

  /**
   * Begins to speak to etcd. Resolves when what was purged while this node was away has been, or etcd has not answered
   * for `patience` milliseconds.
   */
  async start(patience: number): Promise<void> {
    this.#mirror.start();
    this.#timer = setInterval(() => this.#tick(), TICK);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([this.#mirror.refresh().then(() => this.#purges.catchUp()), late]);
    clearTimeout(timer);
  }

  /** Gives the lease up for good, so that the others know at once; the state of the cluster is followed on. */
  leave(): void {
    this.#isLeaving = true;
    this.#turn = this.#turn.then(() => this.#membership.leave());
  }

  /** Ends; the last state holds. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.operator.stop();
    clearInterval(this.#timer);
    this.#mirror.stop();
    this.#purges.stop();
    await this.#turn;
    await this.#membership.leave();
    await this.#gateway.close();
  }

  /** Takes what a reload has changed. */
  configure({ self, ramp }: Pick<ControlOptions, 'self' | 'ramp'>): void {
    this.#self = self;
    this.#ramp = ramp;
    this.#publish();
  }

  /**
   * Has all nodes carry purges out; see `PurgeLog`.
   * @throws EdgeError (rejects with)
   */
  purge(purges: readonly string[]): Promise<unknown[]> {
    return this.#purges.tell(purges);
  }

  /** What the workers know. */
  get state(): ClusterState {
    return this.#state;
  }

  /** True when this node is to have no films. */
  get isDraining(): boolean {
    return this.#view.drained.has(this.#self.id);
  }

  /** Id of the node that writes maps. */
  get leader(): string | undefined {
    return this.#leadership.leader;
  }

  /** Zones in which too many nodes are away. Only the leader knows. */
  get frozen(): readonly string[] {
    return this.#author.frozen;
  }

  /** Another node with this node's id; undefined when there is none. */
  get rival(): Member | undefined {
    return this.#membership.rival;
  }

  get isMember(): boolean {
    return this.#membership.lease !== undefined;
  }

  /** etcd as this node meets it. */
  get etcd() {
    const { isFailing, hasRead, silence, revision } = this.#mirror;
    const { endpoint } = this.#gateway;
    return { endpoint, reachable: hasRead && !isFailing, silence: hasRead ? silence : undefined, revision };
  }

  get #member(): Member {
    return { ...this.#self, instance: this.#instance };
  }

  /** Drained long enough for others to have taken what it has cached: it leaves. */
  get #isRetired(): boolean {
    const drain = this.#mirror.get(this.#keys.drain(this.#self.id));
    if (drain === undefined) return false;
    const isMapped = this.#view.map?.record.zones.some(({ nodes }) => nodes.some(({ id }) => id === this.#self.id));
    return isMapped !== true && Date.now() - sinceOf(drain.value) > this.#ramp;
  }

  #tick(): void {
    // Shares of joiners grow, and the grace after a return ends.
    if (this.#mirror.hasRead) this.#view.update(false);
    this.#publish();
    this.#work();
  }

  #changed(): void {
    this.#view.update(this.#wasSilent);
    this.#wasSilent = false;
    this.#publish();
    this.claims.update();
    this.#work();
  }

  /** One turn at a time: renew, campaign, lead. */
  #work(): void {
    if (this.#isBusy || this.#stopped) return;
    this.#isBusy = true;
    this.#turn = this.#turnOnce()
      .catch(error => this.#fail(error))
      .finally(() => {
        this.#isBusy = false;
      });
  }

  async #turnOnce(): Promise<void> {
    if (this.#mirror.isFailing) this.#wasSilent = true;
    await this.#purges.catchUp();
    if (this.#isRetired && this.#membership.lease !== undefined) {
      this.#log.info({}, 'this node is drained and leaves the cluster');
      await this.#membership.leave();
    }
    await this.#membership.tick();
    this.claims.reconcile();
    const { lease } = this.#membership;
    if (lease === undefined || !this.#mirror.hasRead || this.#mirror.isFailing) return;
    await this.#leadership.campaign(lease);
    await this.#author.work();
    this.#failure = '';
  }

  #publish(): void {
    const state = this.#viewed();
    const text = JSON.stringify(state);
    if (text === this.#published) return;
    this.#published = text;
    this.#state = state;
    this.#options.publish(state);
  }

  #viewed(): ClusterState {
    const self = this.#member;
    const { partitions } = this.#options;
    if (this.#membership.rival !== undefined) return aloneState(self, partitions);
    const { map, living, known, drained } = this.#view;
    return viewState({ map, self, living, known, drained, ramp: this.#ramp, partitions }, Date.now());
  }

  /** The mirror tells when etcd is gone; what else goes wrong is told once. */
  #fail(error: unknown): void {
    const { message } = error as Error;
    if (!(error instanceof EtcdError)) this.#log.error({ error }, 'a defect in the part of the cluster');
    else if (!error.isElsewhere && message !== this.#failure) this.#log.error({ error: message }, 'etcd refuses');
    this.#failure = message;
  }
}

function sinceOf(text: string): number {
  try {
    return Number((JSON.parse(text) as { since: number }).since) || 0;
  } catch {
    return 0;
  }
}
