/*
 * Looks up the blocks of a cache file for some seconds, when told to, and says how many a second: see
 * memory-contention.ts.
 */
import { SharedMemoryTier } from '../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../test/support/defaults.js';
import { presentBlocks, shuffle, timeLookups } from './cache-file.js';

const [file, blocks, seconds] = process.argv.slice(2);
const tier = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file: file!, role: 'worker' });
const present = shuffle(presentBlocks(tier, Number(blocks)));
timeLookups(tier, present, 100_000, 0);

// The benchmark has been interrupted.
process.once('disconnect', () => process.exit());
process.once('message', () => {
  const start = performance.now();
  let lookups = 0;
  while (performance.now() - start < Number(seconds) * 1000) {
    timeLookups(tier, present, 20_000, 0);
    lookups += 20_000;
  }
  process.send!(lookups / ((performance.now() - start) / 1000));
  tier.close();
  process.disconnect();
});
process.send!('ready');
