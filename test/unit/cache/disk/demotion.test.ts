import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ObjectId } from '../../../../src/base/block.js';
import { silentLog } from '../../../../src/base/log.js';
import { type ColdBlocks, Demotion } from '../../../../src/cache/disk/demotion.js';
import { DiskWriter } from '../../../../src/cache/disk/disk-writer.js';
import { type Admission, admitByViews } from '../../../../src/cache/memory/admission.js';
import { until } from '../../../support/until.js';
import { content, MiB, objectId, temporaryFolder } from './support.js';

const root = temporaryFolder(after);

/** A memory tier with blocks 0 to `count - 1` of object 1, the first the coldest, block n with n views. */
class FakeMemory implements ColdBlocks {
  readonly onDisk = new Set<number>();
  readonly gone = new Set<number>();
  readonly evictions: (number | undefined)[] = [];
  readonly asked: number[] = [];

  constructor(readonly count: number) {}

  coldest(
    _freeShare: number,
    { minViews }: Admission,
    limit: number,
  ): { id: ObjectId; block: number; length: number }[] {
    this.asked.push(limit);
    const cold = [];
    for (let block = minViews; block < this.count && cold.length < limit; block++) {
      if (!this.onDisk.has(block)) cold.push({ id: objectId(1), block, length: 1000 });
    }
    return cold;
  }

  copyBlock(_id: ObjectId, block: number, target: Uint8Array): number | undefined {
    if (this.gone.has(block)) {
      this.onDisk.add(block);
      return undefined;
    }
    target.set(content(1, block, 1000));
    return 1000;
  }

  markOnDisk(_id: ObjectId, block: number): void {
    this.onDisk.add(block);
  }

  evictAhead(_freeShare: number, admission?: Admission): void {
    this.evictions.push(admission?.minViews);
  }
}

test('cold blocks that were watched often enough go to disk, and then memory is made free', async () => {
  const writer = new DiskWriter({ folder: join(root, 'a'), capacity: 64 * MiB, log: silentLog });
  const memory = new FakeMemory(40);
  memory.gone.add(10);
  const demotion = new Demotion({ freeShare: 0.02, memory, writer, admission: () => admitByViews(3) });
  while (demotion.pass() > 0);
  for (let block = 0; block < 40; block++) {
    assert.equal(writer.has(objectId(1), block), block >= 3 && block !== 10, `block ${block}`);
    assert.equal(memory.onDisk.has(block), block >= 3);
  }
  assert.ok(memory.evictions.every(minViews => minViews === 3));
  assert.ok(Math.max(...memory.asked) <= 16, 'no more is asked for than a batch');
  await writer.close();
});

test('while the disk fails, blocks are evicted without it, and nothing is called on disk that is not', async () => {
  const writer = new DiskWriter({
    folder: join(root, 'b'),
    capacity: 64 * MiB,
    log: silentLog,
    retryDelay: 30,
  });
  const memory = new FakeMemory(8);
  const broken = writer.flush;
  writer.flush = () => {
    writer.flush = broken;
    Object.defineProperty(writer, 'room', { get: () => 0, configurable: true });
    return false;
  };
  const demotion = new Demotion({ freeShare: 0.02, memory, writer, admission: () => admitByViews(1) });
  demotion.pass();
  assert.equal(memory.onDisk.size, 0);
  assert.equal(memory.evictions.at(-1), undefined);
  assert.equal(demotion.pass(), 0);
  assert.equal(memory.evictions.at(-1), undefined);
  Reflect.deleteProperty(writer, 'room');
  while (demotion.pass() > 0);
  assert.equal(memory.onDisk.size, 7);
  await writer.close();
});

test('no block of a batch that was dropped is called on disk', async () => {
  const writer = new DiskWriter({ folder: join(root, 'd'), capacity: 512 * MiB, log: silentLog });
  const memory = new FakeMemory(32);
  const offer = writer.offer.bind(writer);
  let offers = 0;
  writer.offer = (id, block, bytes, sum) => {
    if (++offers !== 5) return offer(id, block, bytes, sum);
    writer.stats.dropped += 5;
    return false;
  };
  new Demotion({ freeShare: 0.02, memory, writer, admission: () => admitByViews(1) }).pass();
  assert.equal(memory.onDisk.size, 0);
  await writer.close();
});

test('a demotion that was started works by itself until it is stopped', async () => {
  const writer = new DiskWriter({ folder: join(root, 'c'), capacity: 64 * MiB, log: silentLog });
  const memory = new FakeMemory(30);
  const demotion = new Demotion({ freeShare: 0.02, memory, writer, admission: () => admitByViews(2), interval: 5 });
  demotion.start();
  await until('28 blocks on disk', () => memory.onDisk.size === 28);
  demotion.stop();
  assert.equal(writer.stats.written, 28);
  await writer.close();
});
