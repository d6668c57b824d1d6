import { get } from 'node:http';
import { parseArgs } from 'node:util';
import { warmUpFactor } from '../src/cluster/routing/warm-up.js';
import { programPath } from '../test/packages.mjs';
import { Edge } from '../test/support/edge.js';
import { Etcd } from '../test/support/etcd.js';
import { FaultOrigin } from '../test/support/fault-origin.js';
import { freePorts } from '../test/support/ports.js';
import { until } from '../test/support/until.js';
import { CLUSTER_DEFAULTS } from './support/cluster-defaults.js';
import type { Report, Row } from './support/report.js';

const FILMS = 3000;
const FILM_SIZE = 8192;
const EDGES = 4;
/** Views before and while the last edge joins, then until one dies, and after that. */
const PARTS = { before: 5000, join: 1500, until: 2500, after: 1600 };
/** Points of the curve after a death. */
const POINTS = 8;
/** Milliseconds in which a joiner comes to its share, and that the views meanwhile are spread over. */
const RAMP = 10_000;
/** Answers under way at once. */
const PARALLEL = 8;
const SHARES = CLUSTER_DEFAULTS.shares;

/** Somebody asks an edge for a film. */
interface View {
  readonly film: number;
  /** 0 to 1: which of the edges that are there. */
  readonly at: number;
  readonly viewer: number;
}

/**
 * A small trace (Zipf 1.0) on real edges with a real etcd: one edge joins, later one dies. What the storage is asked
 * for is compared with what the model of `cluster-sim` says of the very trace: films are fetched when they are first
 * seen, and those of the dead edge once more when no replica was sent a viewer, by the product's own policy. `--seed N`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { values } = parseArgs({ args: [...args], options: { seed: { type: 'string', default: '1' } }, strict: false });
  if (programPath('etcd') === undefined) throw new Error('expected etcd, found none: apt-get install etcd-server');
  const trace = traceOf(Number(values.seed));
  const [cold, warm] = [await replay(trace, [0]), await replay(trace, SHARES)];
  const rows = (shares: readonly number[], { after, join }: Replayed): Row[] => {
    const name = shares[0] === 0 ? 'nobody warms replicas' : 'as by default';
    const row = (what: string, measured: number, model: number): Row => ({
      name: `${name}: ${what}`,
      values: [measured, model, measured / model],
    });
    const points = after.measured.map((measured, i) => {
      return row(`${((i + 1) * PARTS.after) / POINTS} views after the death`, measured, after.model[i]!);
    });
    return [row('while an edge joins', join.measured, join.model), ...points];
  };
  const excess = ({ after }: Replayed) => after.measured.at(-1)! - after.steady;
  return {
    title: `${EDGES} edges, ${FILMS} films, ${Object.values(PARTS).reduce((a, b) => a + b)} views, Zipf 1.0`,
    tables: [
      {
        title: 'films fetched from the storage',
        columns: [{ title: 'measured' }, { title: 'model' }, { title: 'ratio', digits: 2 }],
        rows: [...rows([0], cold), ...rows(SHARES, warm)],
      },
    ],
    notes: [
      `excess after the death, of that without warm replicas: ${((excess(warm) / excess(cold)) * 100).toFixed(0)} %`,
      'while an edge joins the model is the steady load: only films that are new are fetched',
    ],
  };
}

interface Replayed {
  readonly join: { readonly measured: number; readonly model: number };
  readonly after: { readonly measured: readonly number[]; readonly model: readonly number[]; readonly steady: number };
}

function traceOf(seed: number): View[] {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
  const sums: number[] = [];
  for (let rank = 1; rank <= FILMS; rank++) sums.push((sums.at(-1) ?? 0) + 1 / rank);
  const total = sums.at(-1)!;
  const count = Object.values(PARTS).reduce((a, b) => a + b);
  return Array.from({ length: count }, (_, viewer) => {
    const wanted = random() * total;
    let [low, high] = [0, FILMS - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return { film: low, at: random(), viewer };
  });
}

const pathOf = (film: number) => `/film-${film}.mp4`;

/** What is known of a film by the model. */
interface Modelled {
  seen: boolean;
  /** Probability that no replica was sent a viewer. */
  cold: number;
  /** Times that each edge has seen it begin. */
  readonly begun: number[];
}

async function replay(trace: readonly View[], shares: readonly number[]): Promise<Replayed> {
  const origin = await FaultOrigin.start();
  for (let film = 0; film < FILMS; film++) origin.put(pathOf(film), { size: FILM_SIZE });
  const etcd = await Etcd.start();
  const peerPorts = await freePorts(EDGES);
  const edges: Edge[] = [];
  const start = async (at: number) => {
    const settings = [
      'cluster:',
      `  etcd: { endpoints: ['${etcd.urls[0]}'] }`,
      `  node: { id: edge-${at + 1} }`,
      `  listen: { host: 127.0.0.1, port: ${peerPorts[at]} }`,
      '  secret: a secret of the cluster',
      `  ramp: ${RAMP}ms`,
      `  warmUp: { share: [${shares.map(share => `${share * 100}%`).join(', ')}] }`,
    ];
    return Edge.start({ origin: origin.url, workers: 1, memory: '1GiB', settings: settings.join('\n') });
  };
  const films = Array.from({ length: FILMS }, (): Modelled => {
    return { seen: false, cold: 1, begun: Array<number>(EDGES).fill(0) };
  });
  try {
    edges.push(...(await Promise.all([0, 1, 2].map(start))));
    await mapOf(edges, 3);
    let from = 0;
    const part = (length: number) => {
      from += length;
      return trace.slice(from - length, from);
    };
    const view = async (views: readonly View[], living: readonly Edge[], gap = 0) => {
      for (const { film, at } of views)
        note(films[film]!, edges.indexOf(living[Math.floor(at * living.length)]!), living.length, shares);
      await play(views, living, gap);
    };
    await view(part(PARTS.before), edges);
    edges.push(await start(3));
    await mapOf(edges, 4);
    const joinViews = part(PARTS.join);
    const fresh = new Set(joinViews.flatMap(({ film }) => (films[film]!.seen ? [] : [film]))).size;
    const beforeJoin = fillsOf(origin);
    await view(joinViews, edges, (1.2 * RAMP) / PARTS.join);
    const join = { measured: fillsOf(origin) - beforeJoin, model: fresh };
    await view(part(PARTS.until), edges);
    const victim = edges[1]!;
    const living = edges.filter(edge => edge !== victim);
    const owners = await ownersOf(edges[0]!, trace);
    await victim.killAll();
    const base = fillsOf(origin);
    const [measured, model]: [number[], number[]] = [[], []];
    const again = new Set<number>();
    let [expected, steady] = [0, 0];
    for (let point = 0; point < POINTS; point++) {
      const views = part(PARTS.after / POINTS);
      for (const { film } of views) {
        const known = films[film]!;
        if (!known.seen) {
          expected++;
          steady++;
          known.seen = true;
          again.add(film);
        } else if (owners.get(film) === 'edge-2' && !again.has(film)) {
          expected += known.cold;
          again.add(film);
        }
      }
      await play(views, living);
      measured.push(fillsOf(origin) - base);
      model.push(expected);
    }
    return { join, after: { measured, model, steady } };
  } finally {
    for (const edge of edges) await edge.end();
    await etcd.end();
    await origin.close();
  }
}

/** Films that the storage has sent, each as often as it did. */
function fillsOf(origin: FaultOrigin): number {
  return origin.requests.filter(({ method, status, bytes }) => method === 'GET' && status < 300 && bytes > 0).length;
}

/** A view, as the model takes it: the entry counts it, and sends so many viewers to replicas. */
function note(film: Modelled, entry: number, entries: number, shares: readonly number[]): void {
  film.begun[entry]!++;
  film.seen = true;
  const factor = warmUpFactor(shares, film.begun[entry]! * entries);
  film.cold *= 1 - factor * shares.reduce((sum, share) => sum + share, 0);
}

async function mapOf(edges: readonly Edge[], count: number): Promise<void> {
  await until(`a map of ${count}`, async () => {
    // An idle connection may be closed at the moment at which it is used again.
    const states = await Promise.all(edges.map(async ({ admin }) => (await fetch(`${admin}/cluster`)).json())).catch(
      () => undefined,
    );
    return states?.every(({ nodes }) => nodes.filter(({ owns }: { owns: number }) => owns > 0).length === count);
  });
}

async function ownersOf(edge: Edge, trace: readonly View[]): Promise<Map<number, string>> {
  const owners = new Map<number, string>();
  for (const film of new Set(trace.map(view => view.film))) {
    const answer = await fetch(`${edge.admin}/locate?path=${pathOf(film)}`);
    owners.set(film, ((await answer.json()) as { owner: string }).owner);
  }
  return owners;
}

/** Plays views in order, some at once. @param gap milliseconds between two */
async function play(views: readonly View[], edges: readonly Edge[], gap = 0): Promise<void> {
  const begun = performance.now();
  let next = 0;
  const player = async () => {
    for (let at = next++; at < views.length; at = next++) {
      const late = begun + at * gap - performance.now();
      if (late > 0) await new Promise(resolve => setTimeout(resolve, late));
      const view = views[at]!;
      await ask(edges[Math.floor(view.at * edges.length)]!, pathOf(view.film), view.viewer);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, player));
}

function ask(edge: Edge, path: string, viewer: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'User-Agent': `viewer ${viewer}` };
    get({ host: '127.0.0.1', port: edge.port, path, agent: false, headers }, response => {
      let received = 0;
      response.on('data', bytes => {
        received += bytes.length;
      });
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 && received === FILM_SIZE
          ? resolve()
          : reject(new Error(`${path}: ${response.statusCode}`)),
      );
    }).on('error', reject);
  });
}
