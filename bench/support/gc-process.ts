/* Works with a sparse cache of a given size and says what the garbage collector did meanwhile: see memory-gc.ts. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { BLOCK_SIZE } from '../../src/base/block.js';
import { ABSENT } from '../../src/cache/memory/memory-tier.js';
import { BENCH_ID, sparseTier } from './cache-file.js';

const ROUNDS = 400;
const LOOKUPS = 10_000;
/** Objects that are alive at any time. */
const LIVING = 200_000;

// The benchmark has been interrupted.
process.once('disconnect', () => process.exit());

const [file, size] = process.argv.slice(2);
const blocks = Number(size) / BLOCK_SIZE;
const tier = sparseTier(file!, blocks, 64, { fillShare: 1 });
const pauses: { major: boolean; milliseconds: number }[] = [];
const observer = new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
    pauses.push({ major: kind === constants.NODE_PERFORMANCE_GC_MAJOR, milliseconds: entry.duration });
  }
});
observer.observe({ entryTypes: ['gc'] });
const living: object[] = new Array(LIVING);
let state = 1;
for (let round = 0; round < ROUNDS; round++) {
  for (let i = 0; i < LOOKUPS; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const block = Math.floor((state / 2 ** 32) * blocks);
    if (tier.acquire(BENCH_ID, block) === ABSENT) continue;
    living[(round * LOOKUPS + i) % LIVING] = { view: tier.view(0, 64), block };
    tier.release();
  }
  // The collector's entries come through the event loop.
  await new Promise(resolve => setImmediate(resolve));
}
observer.disconnect();
const durations = pauses.map(pause => pause.milliseconds);
process.send!([
  pauses.length,
  pauses.filter(pause => pause.major).length,
  durations.reduce((sum, duration) => sum + duration, 0),
  Math.max(0, ...durations),
  process.memoryUsage().heapUsed / 1e6,
]);
tier.close();
process.disconnect();
