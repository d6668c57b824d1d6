import { parseArgs } from 'node:util';
import { partitionOf } from '../src/cluster/map/partition-of.js';
import { type PlacedMap, type PlanNode, planMap } from '../src/cluster/map/plan.js';
import { warmUpFactor } from '../src/cluster/routing/warm-up.js';
import { MapFigures, moved, planNodes } from '../test/support/map-figures.js';
import { CLUSTER_DEFAULTS } from './support/cluster-defaults.js';
import type { Column, Report, ResultTable, Row } from './support/report.js';

const REPLICAS = 2;
const DAY = 86_400;
/** Films and views of the cluster that the simulation stands for. */
const FILMS = 28_000_000;
const VIEWS_PER_DAY = 70_000_000;
/** Films that are looked at one by one, those seen most and then every n-th of the rest. */
const SAMPLED = 200_000;

/**
 * The product's own map over clusters of 10, 20 and 40 nodes: how evenly films lie, what a death, two, a join, a drain,
 * another weight and the loss of a data centre move, and what storage has to give in the time after a death, by how
 * much replicas are warmed. Loads are expectations over films by Zipf's law; a film is cached where it was seen within
 * the residency. `--partitions N --share 10,2` (percent)
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      partitions: { type: 'string', default: String(CLUSTER_DEFAULTS.partitions) },
      share: { type: 'string', default: CLUSTER_DEFAULTS.shares.map(share => share * 100).join(',') },
    },
  });
  const partitions = Number(values.partitions);
  const shares = values.share.split(',').map(share => Number(share) / 100);
  return {
    title: `maps of ${partitions} partitions with ${REPLICAS} replicas`,
    tables: [balance(partitions), movement(partitions), ...deathTables(partitions, shares), views(partitions)],
    notes: [
      `whole partitions for each pair of nodes are the limit: 40 nodes have ${(partitions / (40 * 39)).toFixed(2)} for each`,
      `what is set: ${shares.map(share => `${share * 100} %`).join(', ')} by films; of ${NODES} nodes with ${WORKERS} workers, each of which guesses by its own viewers`,
      `${FILMS / 1e6} million films, ${VIEWS_PER_DAY / 1e6} million views a day`,
    ],
  };
}

function plan(nodes: readonly PlanNode[], partitions: number, before?: PlacedMap): PlacedMap {
  return planMap({ nodes, partitions, replicas: REPLICAS }, before);
}

function columns(titles: readonly string[], digits: number): Column[] {
  return titles.map(title => ({ title, digits }));
}

function balance(partitions: number): ResultTable {
  const titles = ['max/mean', 'after a death', 'after two', 'inherited', 'map without one', 'its inherited'];
  const kinds: [name: string, nodes: readonly PlanNode[]][] = [
    ...[10, 20, 40].map(count => [`${count} nodes`, planNodes(count)] as [string, PlanNode[]]),
    ['10 nodes of weight 1 to 3', planNodes(10, i => 1 + (i % 3))],
  ];
  const rows = kinds.map(([name, nodes]) => {
    const map = plan(nodes, partitions);
    const figures = new MapFigures(map, nodes);
    const others = nodes.slice(1);
    const without = new MapFigures(plan(others, partitions, map), others);
    const own = [figures.mostLoaded(), figures.mostLoadedAfterDeath, figures.mostLoadedAfterTwo, figures.mostInherited];
    return { name, values: [...own, without.mostLoaded(), without.mostInherited] };
  });
  return { title: 'share of the most loaded node, of its even share', columns: columns(titles, 3), rows };
}

function movement(partitions: number): ResultTable {
  const rows = [10, 20, 40].flatMap(count => {
    const nodes = planNodes(count);
    const map = plan(nodes, partitions);
    const owned = (ids: readonly string[]) => map.filter(([owner]) => ids.includes(owner!)).length;
    const row = (name: string, after: readonly PlanNode[], least: number): Row => {
      const next = plan(after, partitions, map);
      const share = (moved(map, next) / partitions) * 100;
      const figures = new MapFigures(next, after);
      return { name: `${count} nodes: ${name}`, values: [share, (least / partitions) * 100, figures.mostLoaded()] };
    };
    const joined = [...nodes, { id: 'z', weight: 1 }];
    const heavier = nodes.map((node, i) => (i === 0 ? { ...node, weight: 2 } : node));
    const half = nodes.slice(count / 2);
    const gone = (ids: number) => owned(nodes.slice(0, ids).map(({ id }) => id));
    return [
      row('a death or drain', nodes.slice(1), gone(1)),
      row('two deaths', nodes.slice(2), gone(2)),
      row('a join', joined, Math.floor(partitions / (count + 1))),
      row('a weight doubled', heavier, (2 * partitions) / (count + 1) - partitions / count),
      row('half of them lost', half, gone(count / 2)),
    ];
  });
  return { title: 'films that change owners', columns: columns(['moved %', 'least %', 'max/mean'], 2), rows };
}

/** A film that stands for `count` alike, by views a second. */
interface Sampled {
  readonly partition: number;
  readonly rate: number;
  readonly count: number;
}

/** Films by Zipf's law: those seen most one by one, the rest by samples of growing classes. */
function sampledFilms(exponent: number, partitions: number): Sampled[] {
  const ranks: { rank: number; count: number }[] = [];
  for (let rank = 1; rank <= SAMPLED / 2; rank++) ranks.push({ rank, count: 1 });
  const growth = (FILMS / (SAMPLED / 2)) ** (1 / (SAMPLED / 2));
  for (let from = SAMPLED / 2; from < FILMS; ) {
    const to = Math.min(FILMS, Math.max(from + 1, from * growth));
    ranks.push({ rank: (from + to) / 2, count: to - from });
    from = to;
  }
  const sum = ranks.reduce((total, { rank, count }) => total + count * rank ** -exponent, 0);
  return ranks.map(({ rank, count }) => ({
    partition: partitionOf(`/films/${Math.round(rank)}.mp4`, partitions),
    rate: ((VIEWS_PER_DAY / DAY) * rank ** -exponent) / sum,
    count,
  }));
}

/** Share of a film's viewers who warm its replicas, by the film's views while it stays cached. */
type WarmUp = (views: number) => number;

const NODES = 10;
const WORKERS = 4;

/** What the product's own policy comes to: each worker sees its part of the viewers, by chance. */
function setWarmUp(shares: readonly number[], views: number): number {
  const parts = NODES * WORKERS;
  const mean = views / parts;
  const both = shares.reduce((sum, share) => sum + share, 0);
  if (mean > 50) return both * warmUpFactor(shares, views);
  let chance = Math.exp(-mean);
  let factor = 0;
  for (let seen = 0; seen < 200; seen++) {
    factor += chance * warmUpFactor(shares, seen * parts);
    chance *= mean / (seen + 1);
  }
  return both * factor;
}

const warmUps = (shares: readonly number[]): readonly [name: string, warmUp: WarmUp][] => [
  ['nobody', () => 0],
  ...[0.01, 0.02, 0.05, 0.1].map(share => [`${share * 100} % of all films`, () => share] as [string, WarmUp]),
  ['what is set', views => setWarmUp(shares, views)],
];

function deathTables(partitions: number, shares: readonly number[]): ResultTable[] {
  return [
    [1, 24],
    [0.8, 24],
    [0.8, 72],
  ].map(([exponent = 1, hours = 24]) => deathTable(exponent, hours, partitions, shares));
}

function deathTable(exponent: number, hours: number, partitions: number, shares: readonly number[]): ResultTable {
  const films = sampledFilms(exponent, partitions);
  const map = plan(planNodes(NODES), partitions);
  const orphans = new Set(map.flatMap(([owner], partition) => (owner === 'n00' ? [partition] : [])));
  const residency = hours * 3600;
  const ways = warmUps(shares);
  const [[, nobody]] = ways as [[string, WarmUp]];
  const load = (warm: WarmUp, seconds: number) => storageLoad(films, orphans, warm, residency, seconds);
  const steady = storageLoad(films, new Set(), nobody, residency, 0);
  const rows = ways.map(([name, warm]) => ({
    name,
    values: [
      ...[0, 60, 3600].map(seconds => load(warm, seconds) / steady),
      ...[0, 60].map(seconds => ((load(warm, seconds) - steady) / (load(nobody, seconds) - steady)) * 100),
      ...priceOf(films, warm, residency),
    ],
  }));
  const titles = ['at once', 'first 60 s', 'first hour', 'excess at once %', 'excess in 60 s %'];
  return {
    title: `storage load when one of ${NODES} nodes has died, of the steady one: Zipf ${exponent}, ${hours} h residency`,
    columns: columns([...titles, 'viewers sent %', 'kept twice %'], 2),
    rows,
  };
}

/** Percent of the viewers that are sent to replicas, and of the cached films that are there twice for it. */
function priceOf(films: readonly Sampled[], warm: WarmUp, residency: number): [number, number] {
  let [views, sent, cached, twice] = [0, 0, 0, 0];
  for (const { rate, count } of films) {
    const own = rate * residency;
    const share = warm(own);
    views += count * own;
    sent += count * own * share;
    cached += count * -Math.expm1(-own);
    twice += count * -Math.expm1(-own * share);
  }
  return [(sent / views) * 100, (twice / cached) * 100];
}

/**
 * Fills from the storage, in films a second. Replicas fill from the owner while it lives, to which a view that was sent
 * to a replica is one more view; and from one another when it is gone, so that a film is there when any has it.
 * @param orphans partitions whose owner has died; their first replica serves them
 * @param seconds since the death over which the mean is taken; 0 is the moment itself
 */
function storageLoad(
  films: readonly Sampled[],
  orphans: ReadonlySet<number>,
  warm: WarmUp,
  residency: number,
  seconds: number,
): number {
  let load = 0;
  for (const { partition, rate, count } of films) {
    const own = rate * residency;
    if (orphans.has(partition)) {
      // A film that has come since the death is there.
      const since = rate * seconds;
      const still = since < 1e-9 ? 1 : -Math.expm1(-since) / since;
      load += count * rate * Math.exp(-warm(own) * own) * still;
    } else load += count * rate * Math.exp(-own);
  }
  return load;
}

/** Views of the busiest node, where hot films are not spread. */
function views(partitions: number): ResultTable {
  const rows = [10, 20, 40].map(count => {
    const nodes = planNodes(count);
    const map = plan(nodes, partitions);
    const values = [1, 0.8].map(exponent => {
      const loads = new Map(nodes.map(({ id }) => [id, 0]));
      for (const { partition, rate, count } of sampledFilms(exponent, partitions)) {
        const [owner = ''] = map[partition]!;
        loads.set(owner, loads.get(owner)! + rate * count);
      }
      return Math.max(...loads.values()) / (VIEWS_PER_DAY / DAY / count);
    });
    return { name: `${count} nodes`, values };
  });
  return {
    title: 'views of the busiest node, of the mean, when no film has copies elsewhere',
    columns: columns(['Zipf 1.0', 'Zipf 0.8'], 2),
    rows,
  };
}
