/** One edge of the cluster. */
export interface ClusterNode {
  /** Its place in the map: stable over restarts and moves. */
  readonly id: string;
  readonly zone: string;
  /** Share of the films in relation to the other weights. */
  readonly weight: number;
  /** Where its peers reach it. */
  readonly host: string;
  readonly port: number;
  /** Public address, for redirects; undefined when players are never sent there. */
  readonly url: string | undefined;
  /** `away`: its lease is gone. `draining`: it takes no new viewers, but still has what it has cached. */
  readonly state: 'up' | 'away' | 'draining';
  /** How much of its share it has by now, 0 to 1: less than 1 while it has newly joined. */
  readonly share: number;
}

/**
 * What an edge knows of its cluster: plain data that survives JSON, made by the supervisor and given to the workers.
 * It is advice: who acts on an old one makes a second fill, never a wrong byte.
 */
export interface ClusterState {
  /** Revision of the map; 0 for an edge that has none. */
  readonly epoch: number;
  /** This edge's id; it may be missing among the nodes before it has joined. */
  readonly self: string;
  readonly nodes: readonly ClusterNode[];
  /** Of this edge's zone: owner and replicas of each partition, as indexes into `nodes`. */
  readonly map: readonly (readonly number[])[];
  /** Of the map before: owner of each partition, -1 when there was none; who joins fills from there. */
  readonly previousOwners: readonly number[];
  /** Owners of each partition in other zones, one list a zone, as indexes into `nodes`. */
  readonly otherZones: readonly (readonly number[])[];
}
