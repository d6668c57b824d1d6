import type { Log } from '../../base/log.js';
import type { Mirror } from '../etcd/mirror.js';
import { decodeMap, type MapRecord } from '../map/map-record.js';
import type { KeptMap, MapFile } from './map-file.js';
import { decodeMember, type Keys, type Member } from './member.js';
import { LEASE } from './membership.js';

/** Milliseconds after a time without etcd in which nodes that are not there yet are still taken for alive. */
const RETURN_GRACE = 3 * LEASE * 1000;

/** The map in force. */
export interface MapInForce {
  readonly epoch: number;
  readonly record: MapRecord;
}

/** How films are divided; see `MapRecord`. */
type MapShape = Pick<MapRecord, 'partitions' | 'replicas'>;

/**
 * What this node holds for true of the cluster: the newest map that it could read, from etcd or from disk, and who is
 * alive. The map never goes back, and without etcd everything stays as it was.
 */
export class ClusterView {
  readonly #mirror: Mirror;
  readonly #keys: Keys;
  readonly #file: MapFile;
  readonly #log: Log;
  #map: MapInForce | undefined;
  /** Which etcd the map came from. */
  #store = '';
  /** Revision of a map that was refused, so that this is told once. */
  #refused = 0;
  readonly #known = new Map<string, Member>();
  #living: ReadonlyMap<string, Member> = new Map();
  /** While this time has not come, nodes that are missing may just be late. */
  #graceUntil = 0;
  #kept = '';
  #cannotKeep = false;
  readonly #shape: MapShape;
  #isShapeTold = false;

  /** @param shape what the settings of this node say */
  constructor(mirror: Mirror, keys: Keys, file: MapFile, shape: MapShape, log: Log) {
    this.#shape = { partitions: shape.partitions, replicas: shape.replicas };
    this.#mirror = mirror;
    this.#keys = keys;
    this.#file = file;
    this.#log = log;
  }

  get map(): MapInForce | undefined {
    return this.#map;
  }

  /** Nodes that are alive, by id. */
  get living(): ReadonlyMap<string, Member> {
    return this.#living;
  }

  /** Nodes as they were last seen alive. */
  get known(): ReadonlyMap<string, Member> {
    return this.#known;
  }

  /** Ids of nodes that are to have no films. */
  get drained(): ReadonlySet<string> {
    return new Set(this.#mirror.under(this.#keys.drains).map(({ key }) => key.slice(this.#keys.drains.length)));
  }

  /** Revision at which the map in etcd was written; 0 when there is none. */
  get stored(): number {
    return this.#mirror.get(this.#keys.map)?.modified ?? 0;
  }

  /**
   * Takes the copy on disk, before etcd has been asked.
   * @returns false when there is none that can be used
   */
  restore(): boolean {
    try {
      const kept = this.#file.read();
      if (kept === undefined) return false;
      this.#map = { epoch: kept.epoch, record: decodeMap(kept.text) };
      this.#store = kept.store;
      for (const member of kept.members) this.#known.set(member.id, member);
      this.#living = new Map(this.#known);
      return true;
    } catch (error) {
      this.#log.warn(
        { file: this.#file.path, error: (error as Error).message },
        'the copy of the cluster’s map is of no use',
      );
      return false;
    }
  }

  /** Takes what the mirror has. @param wasSilent whether etcd was not heard until now */
  update(wasSilent: boolean): void {
    if (wasSilent) this.#graceUntil = performance.now() + RETURN_GRACE;
    const members = this.#mirror.under(this.#keys.members).flatMap(({ value }) => decodeMember(value) ?? []);
    const living = new Map(members.map(member => [member.id, member]));
    for (const member of members) this.#known.set(member.id, member);
    if (performance.now() < this.#graceUntil) {
      for (const [id, member] of this.#living) if (!living.has(id)) living.set(id, member);
    }
    this.#living = living;
    this.#adopt();
    this.#keep();
  }

  /** True while nodes that are missing are taken for alive. */
  get isInGrace(): boolean {
    return performance.now() < this.#graceUntil;
  }

  #adopt(): void {
    const key = this.#mirror.get(this.#keys.map);
    if (key === undefined || (this.#store === this.#mirror.store && key.modified === this.#map?.epoch)) return;
    const isOlder = this.#store === this.#mirror.store && key.modified < (this.#map?.epoch ?? 0);
    try {
      if (isOlder) throw new Error(`expected a revision from ${this.#map?.epoch} on, found ${key.modified}`);
      this.#map = { epoch: key.modified, record: decodeMap(key.value) };
      this.#store = this.#mirror.store;
      const { partitions, replicas, zones } = this.#map.record;
      const nodes = zones.flatMap(zone => zone.nodes).length;
      this.#log.info({ epoch: key.modified, nodes, partitions, replicas }, 'a map is in force');
      this.#tellOfShape(partitions, replicas);
    } catch (error) {
      if (this.#refused !== key.modified)
        this.#log.error({ revision: key.modified, error: (error as Error).message }, 'a map in etcd is ignored');
      this.#refused = key.modified;
    }
  }

  /** Both hold for the life of a cluster: settings that say otherwise are told of once. */
  #tellOfShape(partitions: number, replicas: number): void {
    const set = this.#shape;
    if (this.#isShapeTold || (set.partitions === partitions && set.replicas === replicas)) return;
    this.#isShapeTold = true;
    this.#log.warn(
      { partitions, replicas, set },
      'the cluster keeps the partitions and replicas of its first map: those set for this node do not count',
    );
  }

  #keep(): void {
    const text = this.#mirror.get(this.#keys.map);
    if (this.#map === undefined || text?.modified !== this.#map.epoch) return;
    const mapped = new Set(this.#map.record.zones.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
    const members = [...this.#known.values()].filter(({ id }) => mapped.has(id) || this.#living.has(id));
    const kept: KeptMap = { store: this.#store, epoch: this.#map.epoch, text: text.value, members };
    const mark = JSON.stringify([kept.store, kept.epoch, members]);
    if (mark === this.#kept) return;
    try {
      this.#file.write(kept);
      this.#kept = mark;
      this.#cannotKeep = false;
    } catch (error) {
      if (!this.#cannotKeep)
        this.#log.warn({ file: this.#file.path, error }, 'the cluster’s map can not be kept on disk');
      this.#cannotKeep = true;
    }
  }
}
