import { join } from 'node:path';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { fillCatalog, objectPath } from './support/full-catalog.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { measure } from './support/steady.js';
import { writeRequests } from './support/wrk.js';

/** Different objects that are asked for: more than the entries that a worker keeps in memory. */
const ASKED = 200_000;
/** Seconds. */
const WARM_UP = 10;

/**
 * What start-up, a known object and a new one cost, and the memory of the edge, by objects that the catalog knows.
 * `--objects A,B,…`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, { objects: '1000,10000,100000,1000000' });
  const counts = rest.objects!.split(',').map(Number);
  const folder = runFolder(4 * 2 ** 30);
  const origin = await startNoiseOrigin();
  const rows: Row[] = [];
  for (const count of counts) {
    const file = join(folder, `${count}.cache`);
    const stored = await fillCatalog(`${file}.catalog`, count);
    rows.push({
      name: count.toLocaleString('en'),
      values: [...(await grow(count, file, folder, origin.url, rounds, seconds)), stored / 2 ** 20],
    });
  }
  origin.close();
  const table = {
    title: 'objects at random',
    axis: { title: 'objects', at: counts },
    columns: [
      { title: 'ms start-up' },
      { title: 'CPU µs/request of a known object', digits: 1 },
      { title: 'CPU µs/request of a new object', digits: 1 },
      { title: 'memory MiB', digits: 1 },
      { title: 'failed' },
      { title: 'catalog MiB on disk', digits: 1 },
    ],
    rows,
  };
  const notes = [
    'the catalog was filled through its own store; known objects are asked for with If-None-Match, so that no block takes part; new ones have 4 KiB, which are fetched',
    `a worker keeps 64 MiB of entries in its heap, about 30,000; of the others each request reads the store; at most ${ASKED.toLocaleString('en')} different objects are asked for`,
    'memory is what belongs to no file, of all processes of the edge, while known objects are asked for',
  ];
  return { title: 'growth with objects', tables: [table], notes };
}

async function grow(count: number, file: string, folder: string, origin: string, rounds: number, seconds: number) {
  const step = Math.max(1, count / ASKED);
  const known = writeRequests(
    join(folder, 'known'),
    Array.from({ length: Math.min(count, ASKED) }, (_, i) => ({
      path: objectPath(Math.floor(i * step)),
      ifNoneMatch: '*',
    })),
  );
  const created = writeRequests(join(folder, 'new'), [{ path: objectPath('#') }]);
  const start = () => startEdge({ origin, folder, memory: '1GiB', memoryFile: file });
  const startUps: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const edge = await start();
    startUps.push(edge.startUp);
    await edge.stop();
  }
  const edge = await start();
  // Until what is kept in memory is there, and the heap has found its size.
  await measure(edge, known, WARM_UP);
  const old = [];
  const fresh = [];
  for (let round = 0; round < rounds; round++) {
    old.push(await measure(edge, known, seconds));
    fresh.push(await measure(edge, created, seconds));
  }
  await edge.stop();
  const sample = (values: readonly number[]) => new Sample(values);
  return [
    sample(startUps),
    sample(old.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    sample(fresh.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    sample(old.map(({ anonymous }) => anonymous / 2 ** 20)),
    sample([...old, ...fresh].map(({ failed }) => failed)),
  ];
}
