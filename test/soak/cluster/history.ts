/** What a player asked, and what came of it. Times are milliseconds of one monotonic clock. */
export interface Asked {
  readonly at: number;
  readonly took: number;
  readonly edge: string;
  readonly path: string;
  /** `whole`: every byte was there and right. */
  readonly outcome: 'whole' | 'wrong' | 'failed';
  readonly why: string;
}

/** What an edge said of the cluster. */
export interface Seen {
  readonly at: number;
  readonly edge: string;
  readonly epoch: number;
  readonly checksum: string;
  readonly nodes: readonly {
    readonly id: string;
    readonly state: string;
    readonly share: number;
    readonly owns: number;
  }[];
}

/** A change in etcd. */
export interface Stored {
  readonly revision: number;
  readonly key: 'leader' | 'map';
  /** Id of the leader; undefined when the key was removed, and for maps. */
  readonly leader?: string | undefined;
  readonly isRemoved: boolean;
}

/** A time in which players of an edge must expect failures, since it was killed, stopped or restarted. */
export interface Trouble {
  readonly edge: string;
  readonly from: number;
  to: number;
  readonly what: string;
}

/** Everything that checkers look at. */
export interface History {
  readonly asked: Asked[];
  readonly seen: Seen[];
  readonly stored: Stored[];
  readonly troubles: Trouble[];
  /** Which edge says that it wrote the map of a revision. */
  readonly writers: Map<number, string>;
  /** Requests of players beside which nothing went on, and the hops that edges counted meanwhile. */
  readonly traced: { readonly path: string; readonly hops: number }[];
  /** How often the storage sent each block of films that were asked for in quiet times. */
  readonly fetched: { readonly path: string; readonly times: readonly number[] }[];
}

export function emptyHistory(): History {
  return { asked: [], seen: [], stored: [], troubles: [], writers: new Map(), traced: [], fetched: [] };
}

/** A check: what is wrong with a history, in words. */
export type Checker = (history: History) => string[];

const wrongBytes: Checker = ({ asked }) =>
  asked.flatMap(({ outcome, edge, path, why }) => (outcome === 'wrong' ? [`${edge} ${path}: ${why}`] : []));

const unexplained: Checker = ({ asked, troubles }) =>
  asked.flatMap(({ outcome, edge, path, why, at, took }) => {
    if (outcome !== 'failed') return [];
    const reason = troubles.find(each => each.edge === edge && each.from <= at + took && at <= each.to);
    return reason === undefined ? [`${edge} ${path} failed at ${Math.round(at)} for no fault: ${why}`] : [];
  });

const fallingEpochs: Checker = ({ seen }) => {
  const last = new Map<string, number>();
  return seen.flatMap(({ edge, epoch }) => {
    // Of an edge that has no map.
    if (epoch === 0) return [];
    const before = last.get(edge) ?? 0;
    last.set(edge, Math.max(before, epoch));
    return epoch < before ? [`${edge} went back from epoch ${before} to ${epoch}`] : [];
  });
};

const differingMaps: Checker = ({ seen }) => {
  const maps = new Map<number, Seen>();
  return seen.flatMap(each => {
    const first = maps.get(each.epoch) ?? each;
    maps.set(each.epoch, first);
    if (each.epoch === 0 || first.checksum === each.checksum) return [];
    return [`${first.edge} and ${each.edge} have two maps of epoch ${each.epoch}`];
  });
};

const unledMaps: Checker = ({ stored, writers }) => {
  let leader: string | undefined;
  return stored.flatMap(({ key, revision, isRemoved, leader: id }) => {
    if (key === 'leader') {
      leader = isRemoved ? undefined : id;
      return [];
    }
    const writer = writers.get(revision);
    if (leader === undefined) return [`the map of revision ${revision} was written while nobody led`];
    return writer === undefined || writer === leader
      ? []
      : [`the map of revision ${revision} was written by ${writer} while ${leader} led`];
  });
};

const longWays: Checker = ({ traced }) =>
  traced.flatMap(({ path, hops }) => (hops > 1 ? [`${path} took ${hops} hops`] : []));

const fetchedTwice: Checker = ({ fetched }) =>
  fetched.flatMap(({ path, times }) =>
    times.some(each => each > 1) ? [`${path} was fetched ${times.join(' ')} times from the storage`] : [],
  );

/** Milliseconds by which what edges say of a joiner may lie behind. */
const LATE = 3000;

/** @param ramp milliseconds in which a joiner comes to its share */
export function steepRamps(ramp: number): Checker {
  return ({ seen }) => {
    const first = new Map<string, number>();
    const founders = new Set(
      seen.find(({ epoch }) => epoch > 0)?.nodes.flatMap(({ id, owns }) => (owns > 0 ? [id] : [])),
    );
    /** Newest map by which a node owned nothing: edges that have not heard of it yet still tell of the one before. */
    const without = new Map<string, number>();
    return seen.flatMap(({ at, edge, epoch, nodes }) =>
      nodes.flatMap(({ id, share, owns }) => {
        if (owns === 0) {
          first.delete(id);
          founders.delete(id);
          without.set(id, Math.max(epoch, without.get(id) ?? 0));
          return [];
        }
        if (founders.has(id) || epoch < (without.get(id) ?? 0)) return [];
        const joined = first.get(id) ?? at;
        first.set(id, joined);
        const most = Math.max(0.05, (at - joined + LATE) / ramp);
        return share > most + 0.01
          ? [`${id} has ${share} of its share after ${Math.round(at - joined)} ms, says ${edge}`]
          : [];
      }),
    );
  };
}

/** All checks by name, but for the ramp's, which needs to know how long that is. */
export const CHECKERS: Readonly<Record<string, Checker>> = {
  'every byte is right': wrongBytes,
  'every failed request is explained by a fault': unexplained,
  'the epoch of a node never falls': fallingEpochs,
  'one epoch is one map': differingMaps,
  'each map was written by the leader of its time': unledMaps,
  'no request takes more than one hop': longWays,
  'each block comes from the storage once': fetchedTwice,
};
