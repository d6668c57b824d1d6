import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { EdgeError } from '../../../../src/base/errors.js';
import { inspectMemoryTier } from '../../../../src/cache/memory/memory-inspection.js';
import { ABSENT } from '../../../../src/cache/memory/memory-tier.js';
import { SharedMemoryTier } from '../../../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { until } from '../../../support/until.js';
import { TemporaryTier, temporaryCacheFile } from '../../../unit/cache/memory/temporary-tier.js';
import { PATTERN_ID, pattern, patternLength } from './pattern.js';
import { TierProcess } from './tier-process.js';

function read(tier: SharedMemoryTier, block: number): number {
  const readable = tier.acquire(PATTERN_ID, block);
  if (readable === ABSENT) return readable;
  assert.ok(pattern(block, 0, readable).equals(tier.view(0, readable)), `wrong bytes in block ${block}`);
  tier.release();
  return readable;
}

describe('the memory tier and its processes', () => {
  const tiers: SharedMemoryTier[] = [];
  after(() => {
    for (const tier of tiers) tier.close();
  });
  const supervisor = (blocks: number) => {
    const tier = new TemporaryTier(blocks);
    tiers.push(tier);
    return tier;
  };

  it('two workers share blocks; one follows the other as the bytes come', async () => {
    const { file } = supervisor(16);
    const [a, b] = await Promise.all([0, 1].map(() => TierProcess.start({ file, role: 'worker' })));
    assert.equal(await a!.tell({ do: 'claim', block: 0 }), 0);
    assert.equal(await b!.tell({ do: 'claim', block: 0 }), 'following');
    let followed = b!.tell({ do: 'wait', block: 0, seen: 0 });
    await a!.tell({ do: 'append', block: 0, to: 1000 });
    assert.equal(await followed, 1000);
    followed = b!.tell({ do: 'wait', block: 0, seen: 1000 });
    await a!.tell({ do: 'append', block: 0, to: BLOCK_SIZE });
    assert.equal(await followed, BLOCK_SIZE);
    assert.equal(await b!.tell({ do: 'claim', block: 0 }), 'present');
    await Promise.all([a!.kill(), b!.kill()]);
  });

  it('a filler that is killed is taken over where it stopped, without anybody telling its waiters', async () => {
    const { file } = supervisor(16);
    const [a, b] = await Promise.all([0, 1].map(() => TierProcess.start({ file, role: 'worker' })));
    await a!.tell({ do: 'claim', block: 1 });
    await a!.tell({ do: 'append', block: 1, to: 100_000 });
    const followed = b!.tell({ do: 'wait', block: 1, seen: 100_000 });
    await a!.kill();
    assert.equal(await followed, 100_000);
    assert.equal(await b!.tell({ do: 'claim', block: 1 }), 100_000);
    await b!.tell({ do: 'append', block: 1, to: BLOCK_SIZE });
    assert.equal(await b!.tell({ do: 'read', block: 1 }), BLOCK_SIZE);
    await b!.kill();
  });

  it('a process whose doorbell is rung while it ends, ends well', async () => {
    const { file } = supervisor(16);
    const process = await TierProcess.start({ file, role: 'worker' });
    await process.tell({ do: 'ring at the end', block: 0 });
    assert.equal(await process.exit(), 0);
  });

  it('the supervisor that knows of a death has it over at once', async () => {
    const tier = supervisor(16);
    const a = await TierProcess.start({ file: tier.file, role: 'worker' });
    await a.tell({ do: 'claim', block: 2 });
    await a.tell({ do: 'append', block: 2, to: 5 });
    await a.kill();
    assert.equal(tier.stats().filling, 1);
    assert.equal(tier.reap(), 1);
    assert.equal(tier.reap(), 0);
    assert.equal(tier.stats().filling, 0);
    assert.equal(read(tier, 2), 5);
  });

  it('a process that dies with a pin holds nothing', async () => {
    const tier = supervisor(1);
    const fill = tier.claim(PATTERN_ID, 3, patternLength(3));
    if (typeof fill === 'string') assert.fail(fill);
    fill.append(pattern(3, 0, patternLength(3)));
    const a = await TierProcess.start({ file: tier.file, role: 'worker' });
    assert.equal(await a.tell({ do: 'pin', block: 3 }), patternLength(3));
    assert.equal(tier.stats().pinned, 1);
    assert.equal(tier.claim(PATTERN_ID, 4, patternLength(4)), 'full');
    await a.kill();
    assert.equal(tier.stats().pinned, 0);
    assert.notEqual(typeof tier.claim(PATTERN_ID, 4, patternLength(4)), 'string');
  });

  it('a process that ends by itself without closing its tier leaves nothing behind, and the stop is clean', async () => {
    const { file, remove } = temporaryCacheFile();
    const a = await TierProcess.start({ file, role: 'supervisor', size: 8 * BLOCK_SIZE });
    await a.tell({ do: 'claim', block: 0 });
    await a.tell({ do: 'append', block: 0, to: 10 });
    await a.tell({ do: 'claim', block: 1 });
    assert.equal(inspectMemoryTier(file).filling, 2);
    assert.equal(await a.exit(), 0);
    const found = inspectMemoryTier(file);
    assert.deepEqual([found.filling, found.partialBlocks, found.clean, found.attached], [0, 1, true, []]);
    remove();
  });

  it('a second supervisor is told who has the file; a take-over is on purpose', async () => {
    const { file, remove } = temporaryCacheFile();
    const first = await TierProcess.start({ file, role: 'supervisor', size: 8 * BLOCK_SIZE });
    await first.tell({ do: 'claim', block: 0 });
    await first.tell({ do: 'append', block: 0, to: BLOCK_SIZE });
    const year = new Date().getFullYear();
    assert.throws(
      () => new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', size: 8 * BLOCK_SIZE }),
      (error: unknown) =>
        error instanceof EdgeError &&
        error.code === 'cache_file' &&
        error.message.includes(`pid ${first.pid}, started at ${year}`),
    );
    const second = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', takeOver: true });
    tiers.push(second);
    assert.equal(second.first, false);
    assert.equal(second.isHolder, true);
    assert.equal(read(second, 0), BLOCK_SIZE);
    // Old and new share the file until the old one is gone.
    assert.equal(await first.tell({ do: 'claim', block: 1 }), 0);
    assert.equal(second.claim(PATTERN_ID, 1, BLOCK_SIZE), 'following');
    await first.kill();
    assert.notEqual(typeof second.claim(PATTERN_ID, 1, BLOCK_SIZE), 'string');
    remove();
  });

  it('kill -9 at random, one and all: no wrong byte, and what was whole is there', async () => {
    const { file, remove } = temporaryCacheFile();
    const blocks = 300;
    let seed = 1;
    const start = async () => {
      const worker = await TierProcess.start({ file, role: 'worker' });
      await worker.tell({ do: 'hammer', blocks: 400, seed: seed++ });
      return worker;
    };
    const tree = async () => {
      const supervisor = await TierProcess.start({ file, role: 'supervisor', size: blocks * BLOCK_SIZE });
      return { supervisor, workers: await Promise.all([start(), start(), start()]) };
    };
    for (let round = 0; round < 2; round++) {
      const { supervisor, workers } = await tree();
      for (let kill = 0; kill < 3; kill++) {
        await new Promise(resolve => setTimeout(resolve, 60));
        await workers.shift()!.kill();
        workers.push(await start());
      }
      await until('much of it to be whole', () => inspectMemoryTier(file).wholeBlocks > blocks / 2);
      for (const worker of workers) assert.equal(worker.exitCode, null, 'a worker saw a wrong byte');
      const all = [supervisor, ...workers];
      for (const each of all) process.kill(each.pid, 'SIGSTOP');
      const before = inspectMemoryTier(file);
      await Promise.all(all.map(each => each.kill()));
      const tier = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor' });
      assert.deepEqual([tier.first, tier.clean], [true, false]);
      let whole = 0;
      for (let block = 0; block < 400; block++) if (read(tier, block) === patternLength(block)) whole++;
      assert.ok(before.wholeBlocks > blocks / 2);
      assert.ok(whole >= before.wholeBlocks * 0.99, `${whole} of ${before.wholeBlocks} blocks`);
      const { filling, checksumFailures } = tier.stats();
      assert.deepEqual({ filling, checksumFailures }, { filling: 0, checksumFailures: 0 });
      tier.close();
    }
    remove();
  });
});
