import { execFile, execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MIN_USES } from '../../src/cache/disk/disk-admission.js';
import type { ResultTable, Row } from './report.js';

/** A line of the model: shares of requests that were found, and writes to disk for a request. */
interface Found {
  readonly trace: string;
  readonly cell: string;
  readonly policy: string;
  readonly memory: number;
  readonly ring: number;
  readonly writes: number;
}

/** Films, viewers at once and requests of a trace; a film has 1,717 blocks, and a view 71 on average. */
type Scale = readonly [films: number, viewers: number, requests: number];

/** That of docs/cache-policy.md, and an eighth of it for the matrix. */
const FULL: Scale = [20_000, 3000, 12_000_000];
const EIGHTH: Scale = [2500, 375, 1_000_000];

const POLICIES = ['lru', 's3-fifo', 'sieve', 'demand', 'belady'] as const;
const SKEWS = [0.8, 1, 1.2];
const MEMORIES = [0.3, 1, 3];
const RINGS = [0, 3, 10];

/** Loads that were made against policies, by their settings for the model; sizes of the tiers in per cent. */
const ADVERSARIES: readonly (readonly [name: string, trace: string, cells: readonly string[]])[] = [
  ['a third of viewers crawl', 'films,crawlers=0.33', ['0.3/0', '0.3/3']],
  ['all viewers crawl', 'films,crawlers=1', ['0.3/0', '0.3/3']],
  ['loop that fits', 'loop,loop=0.29', ['0.3/0', '0.3/3']],
  ['loop that does not', 'loop,loop=0.45', ['0.3/0', '0.3/3']],
  ['a flash crowd of half of all', 'films,crowd=0.5', ['0.3/0', '0.3/3']],
  ["yesterday's hits forgotten", 'films,forgotten=1', ['0.3/0', '0.3/3']],
  ['all from the start', 'films,start=1', ['0.3/0', '0.3/3']],
  ['all seek at random', 'films,start=0,length=3', ['0.3/0', '0.3/3']],
  ['tiny cache', 'films,zipf=0.8', ['0.01/0', '0.01/0.1']],
];

/**
 * What policies keep on traces of viewers, by the model that is linked to the product's own table of demand. The
 * matrix of skews and sizes beside other policies; loads that were made against policies; the two cells of the full
 * catalogue.
 * @param folder where it is compiled
 */
export async function modelPolicies(folder: string): Promise<ResultTable[]> {
  const program = compile(folder);
  const jobs: (() => Promise<Found[]>)[] = [];
  const later = (scale: Scale, traces: string[], cells: string[], policies: readonly string[]) => {
    const found: Found[] = [];
    for (const policy of policies) {
      jobs.push(async () => {
        found.push(...(await run(program, scale, traces, cells, [policy])));
        return found;
      });
    }
    return found;
  };
  // The longest first, so that the processors are busy to the end.
  const full = later(
    FULL,
    ['films,zipf=0.8'],
    ['0.3/0', '0.3/3'],
    ['demand', 'belady', 'lru-demand', 'lru', 'lru-all'],
  );
  const known = [
    later(FULL, ['films,zipf=0.8'], ['0.3/0'], ['known']),
    ...SKEWS.map(skew =>
      later(
        EIGHTH,
        [`films,zipf=${skew}`],
        MEMORIES.map(memory => `${memory}/0`),
        ['known'],
      ),
    ),
  ];
  const cells = MEMORIES.flatMap(memory => RINGS.map(ring => `${memory}/${ring}`));
  const matrix = SKEWS.map(skew => later(EIGHTH, [`films,zipf=${skew}`], cells, [...POLICIES].reverse()));
  const against = ADVERSARIES.map(([, trace, sizes]) =>
    later(EIGHTH, [trace], [...sizes], ['demand', 'lru', 's3-fifo', 'sieve']),
  );
  const next = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, next));
  return [
    fullTable(full),
    ...matrix.map((found, i) => matrixTable(`Zipf ${SKEWS[i]}`, cells, found)),
    adversaryTable(against),
    knownTable(known.map((found, i) => [...found, ...[full, ...matrix][i]!])),
  ];
}

function compile(folder: string): string {
  const source = (path: string) => fileURLToPath(new URL(`../../native/${path}.cc`, import.meta.url));
  const program = join(folder, 'cache-model');
  const parts = ['shm_crc', 'shm_demand', 'shm_history', 'shm_layout', 'shm_system'].map(source);
  const main = fileURLToPath(new URL('./cache-model.cc', import.meta.url));
  execFileSync(process.env.CXX ?? 'g++', ['-O2', '-std=c++17', main, ...parts, '-o', program]);
  return program;
}

async function run(
  program: string,
  scale: Scale,
  traces: readonly string[],
  cells: readonly string[],
  policies: readonly string[],
): Promise<Found[]> {
  const words = [...scale, MIN_USES].map(String);
  const { stdout } = await promisify(execFile)(program, [...words, ...traces, ...cells, ...policies]);
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Found);
}

/** Share of requests, in per cent, that a policy kept from the origin. */
function kept(found: readonly Found[], cell: string, policy: string): number {
  const line = found.find(one => one.cell === cell && one.policy === policy)!;
  return (line.memory + line.ring) * 100;
}

const titled = (titles: readonly string[]) => titles.map(title => ({ title, digits: 1 }));

function matrixTable(title: string, cells: readonly string[], found: readonly Found[]): ResultTable {
  const rows = cells.map((cell): Row => {
    const values = POLICIES.map(policy => kept(found, cell, policy));
    return { name: `${cell.replace('/', ' % + ')} %`, values: [...values, (values[3]! / values[4]!) * 100] };
  });
  return {
    title: `kept from the origin in %, ${title}: memory + disk of ${EIGHTH[0]} films; Belady has one tier as large as both`,
    columns: titled([...POLICIES, 'demand : belady']),
    rows,
  };
}

function adversaryTable(against: readonly (readonly Found[])[]): ResultTable {
  const policies = ['lru', 's3-fifo', 'sieve', 'demand'];
  const rows = ADVERSARIES.flatMap(([name, , cells], i) =>
    cells.map((cell): Row => {
      const values = policies.map(policy => kept(against[i]!, cell, policy));
      return { name: `${name}, ${cell.replace('/', ' + ')}`, values: [...values, values[3]! - values[0]!] };
    }),
  );
  return { title: 'kept from the origin in %, against policies', columns: titled([...policies, 'demand - lru']), rows };
}

/** How near to Belady an estimate of demand can come: as near as who need not estimate. */
function knownTable(known: readonly (readonly Found[])[]): ResultTable {
  const scales = [`${FULL[0]} films, Zipf 0.8`, ...SKEWS.map(skew => `${EIGHTH[0]} films, Zipf ${skew}`)];
  const rows = known.flatMap((found, i) =>
    [...new Set(found.filter(({ policy }) => policy === 'known').map(({ cell }) => cell))].map((cell): Row => {
      const [knowing, demand, belady] = ['known', 'demand', 'belady'].map(policy => kept(found, cell, policy));
      const shares = [knowing!, demand!].map(value => (value / belady!) * 100);
      return {
        name: `${scales[i]}, ${cell.split('/')[0]} %`,
        values: [demand!, knowing!, belady!, shares[1]!, shares[0]!],
      };
    }),
  );
  const title =
    'kept from the origin in %, memory alone, beside who knows the popularity of films and where viewers are';
  return { title, columns: titled(['demand', 'known', 'belady', 'demand : belady', 'known : belady']), rows };
}

function fullTable(found: readonly Found[]): ResultTable {
  const rows = found
    .filter(({ cell, policy }) => cell !== '0.3/0' || !['lru-all', 'lru-demand'].includes(policy))
    .sort((a, b) => a.cell.localeCompare(b.cell) || a.memory + a.ring - b.memory - b.ring)
    .map(({ cell, policy, memory, ring, writes }): Row => {
      return { name: `${cell} ${policy}`, values: [(memory + ring) * 100, memory * 100, ring * 100, writes * 100] };
    });
  return {
    title: `Zipf 0.8, ${FULL[0]} films, memory of 0.3 %, with and without a disk of 3 %`,
    columns: titled(['kept from origin %', 'memory %', 'disk %', 'writes per 100 requests']),
    rows,
  };
}
