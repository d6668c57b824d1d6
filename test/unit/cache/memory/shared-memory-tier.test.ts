import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statfsSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { totalmem } from 'node:os';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { MemoryKeeper } from '../../../../src/app/services/memory-keeper.js';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { EdgeError } from '../../../../src/base/errors.js';
import type { Log } from '../../../../src/base/log.js';
import { native } from '../../../../src/base/native.js';
import { admitByViews } from '../../../../src/cache/memory/admission.js';
import { inspectMemoryTier } from '../../../../src/cache/memory/memory-inspection.js';
import { allowedMemory, defaultMemorySize, MIN_MEMORY_SIZE } from '../../../../src/cache/memory/memory-size.js';
import { ABSENT, type BlockFill } from '../../../../src/cache/memory/memory-tier.js';
import { SharedMemoryTier } from '../../../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { idOf, TemporaryTier, temporaryCacheFile } from './temporary-tier.js';

function fill(tier: SharedMemoryTier, object: number, block: number, bytes: Uint8Array): void {
  const claim = tier.claim(idOf(object), block, bytes.length);
  if (typeof claim === 'string') assert.fail(claim);
  claim.append(bytes);
}

function read(tier: SharedMemoryTier, object: number, block: number, counted = true): Buffer | undefined {
  const readable = tier.acquire(idOf(object), block, counted);
  if (readable === ABSENT) return undefined;
  const bytes = Buffer.from(tier.view(0, readable));
  tier.release();
  return bytes;
}

test('views do not copy, also past the first window, and are empty after the tier is closed', () => {
  // More than 4 GiB of blocks, but sparse: only a few are touched.
  const tier = new TemporaryTier(4 * 4096 + 2400, { reserve: false, fillShare: 1 });
  const before = process.memoryUsage.rss();
  const bytes = Buffer.alloc(BLOCK_SIZE);
  const offsets = new Set<number>();
  const windows = new Set<ArrayBufferLike>();
  // Blocks fall into all stripes, and so into both windows.
  for (let block = 0; block < 200; block++) {
    bytes.fill(block);
    bytes.writeUInt32LE(block, BLOCK_SIZE - 4);
    fill(tier, 1, block, bytes);
    tier.acquire(idOf(1), block);
    const view = tier.view(BLOCK_SIZE - 8, BLOCK_SIZE);
    windows.add(view.buffer);
    offsets.add(view.byteOffset);
    assert.equal(Buffer.from(view.buffer, view.byteOffset, 8).readUInt32LE(4), block);
    assert.equal(tier.view(0, BLOCK_SIZE)[BLOCK_SIZE - 5], block);
    tier.release();
  }
  assert.equal(windows.size, 2);
  for (const window of windows) assert.ok(window.byteLength % BLOCK_SIZE === 0 && window.byteLength <= 2 ** 32);
  assert.ok(process.memoryUsage.rss() - before < 200 * BLOCK_SIZE * 2 + (20 << 20));
  tier.acquire(idOf(1), 3);
  const view = tier.view(0, 100);
  tier.release();
  tier.close();
  assert.equal(view.length, 0);
  assert.throws(() => tier.acquire(idOf(1), 3), /closed/);
  tier.close();
});

test('a second acquire without release is a mistake that is told', () => {
  const tier = new TemporaryTier(4);
  fill(tier, 1, 0, Buffer.alloc(10));
  tier.acquire(idOf(1), 0);
  assert.throws(() => tier.acquire(idOf(1), 0), /release/);
  assert.throws(() => tier.copyBlock(idOf(1), 0, new Uint8Array(10)), /release/);
  assert.throws(() => tier.scrub(1), /release/);
  tier.release();
  assert.throws(() => tier.view(0, 1), RangeError);
  assert.equal(tier.acquire(idOf(1), 0), 10);
  tier.release();
  tier.close();
});

test('block numbers and ids use all of their bits', () => {
  const tier = new TemporaryTier(16, { fillShare: 1 });
  const ids = [0, 1, 2, 3].map(word => {
    const id = idOf(0);
    id[word] = 0xffffffff;
    return id;
  });
  for (const [i, id] of ids.entries()) {
    const claim = tier.claim(id, 0xffffffff, 1);
    if (typeof claim === 'string') assert.fail(claim);
    claim.append(Uint8Array.of(i));
  }
  for (const [i, id] of ids.entries()) {
    assert.equal(tier.acquire(id, 0xffffffff), 1);
    assert.deepEqual([...tier.view(0, 1)], [i]);
    tier.release();
    assert.equal(tier.acquire(id, 0), ABSENT);
  }
  for (const block of [2 ** 32, -1, 0.5, Number.NaN]) {
    assert.throws(() => tier.acquire(ids[0]!, block), RangeError);
    assert.throws(() => tier.claim(ids[0]!, block, 1), RangeError);
  }
  tier.close();
});

test('lets go of a block that is not wanted, but for one that is read or filled', () => {
  const tier = new TemporaryTier(10);
  for (const block of [0, 1]) fill(tier, 1, block, Buffer.alloc(1000, block));
  assert.equal(tier.drop(idOf(1), 2), false, 'it is not there');
  const filling = tier.claim(idOf(1), 3, 1000) as BlockFill;
  assert.equal(tier.drop(idOf(1), 3), false);
  assert.ok(tier.acquire(idOf(1), 0) > 0);
  assert.equal(tier.drop(idOf(1), 0), false);
  tier.release();
  assert.equal(tier.drop(idOf(1), 0), true);
  assert.deepEqual([tier.has(idOf(1), 0), tier.has(idOf(1), 1)], [false, true]);
  filling.append(Buffer.alloc(1000));
  assert.equal(tier.drop(idOf(1), 3), true);
  tier.close();
});

test('hands cold blocks to the disk tier and evicts ahead of need', () => {
  const tier = new TemporaryTier(100);
  for (let block = 0; block < 100; block++) fill(tier, 1, block, Buffer.alloc(1000, block));
  for (const block of [0, 1]) for (let view = 0; view < 2; view++) read(tier, 1, block);
  // A reader that goes on in a block counts no view.
  for (let go = 0; go < 5; go++) read(tier, 1, 2, false);
  for (let block = 2; block < 100; block++) read(tier, 1, block);
  const cold = tier.coldest(0.05, admitByViews(2), 100);
  assert.deepEqual(
    cold.map(({ id, block, length }) => ({ id: [...id], block, length })),
    [0, 1].map(block => ({ id: [...idOf(1)], block, length: 1000 })),
  );
  assert.equal(tier.coldest(0.05, admitByViews(2), 1).length, 1);
  const target = new Uint8Array(BLOCK_SIZE);
  assert.equal(tier.copyBlock(cold[1]!.id, cold[1]!.block, target), 1000);
  assert.deepEqual(target.subarray(0, 1000), new Uint8Array(1000).fill(1));
  assert.equal(tier.copyBlock(idOf(2), 0, target), undefined);
  assert.equal(tier.markOnDisk(idOf(1), 1), true);
  assert.equal(tier.markOnDisk(idOf(2), 1), false);
  assert.equal(tier.evictAhead(0.05, admitByViews(2)), 5);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map(block => tier.has(idOf(1), block)),
    [true, false, false, false, false, false, true],
  );
  const { evictedToDisk, dropped, blocks, usedBytes, capacityBytes } = tier.stats();
  assert.deepEqual(
    { evictedToDisk, dropped, blocks, usedBytes, capacityBytes },
    { evictedToDisk: 1, dropped: 4, blocks: 95, usedBytes: 95 * BLOCK_SIZE, capacityBytes: 100 * BLOCK_SIZE },
  );
  // A block that came from disk is there already.
  const claim = tier.claim(idOf(3), 0, 10, true);
  if (typeof claim === 'string') assert.fail(claim);
  claim.append(Buffer.alloc(10));
  for (let block = 200; block < 299; block++) fill(tier, 1, block, Buffer.alloc(10));
  fill(tier, 1, 299, Buffer.alloc(10));
  fill(tier, 1, 300, Buffer.alloc(10));
  assert.equal(tier.has(idOf(3), 0), false);
  assert.equal(tier.stats().evictedToDisk, 2);
  tier.close();
});

test('figures: what is held, looked up, pinned, and how old', async () => {
  const tier = new TemporaryTier(8);
  const other = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file: tier.file, role: 'worker' });
  assert.equal(tier.stats().oldestAge, 0);
  fill(tier, 1, 0, Buffer.alloc(10));
  const claim = tier.claim(idOf(1), 1, 10);
  if (typeof claim === 'string') assert.fail(claim);
  read(other, 1, 0);
  read(other, 1, 0, false);
  read(other, 1, 7);
  other.acquire(idOf(1), 0, false);
  await new Promise(resolve => setTimeout(resolve, 30));
  const stats = tier.stats();
  const { oldestAge, ...rest } = stats;
  assert.deepEqual(rest, {
    capacityBytes: 8 * BLOCK_SIZE,
    usedBytes: 2 * BLOCK_SIZE,
    fillingBytes: BLOCK_SIZE,
    blocks: 2,
    filling: 1,
    pinned: 1,
    processes: 2,
    hits: 1,
    misses: 1,
    evictedToDisk: 0,
    dropped: 0,
    checksumFailures: 0,
    repairs: 0,
    residency: 86_400,
    partedWait: 0,
    knownObjects: 0,
  });
  assert.ok(oldestAge >= 0.02 && oldestAge < 5, `${oldestAge}`);
  // From outside, the same.
  const inspection = inspectMemoryTier(tier.file);
  for (const [name, value] of Object.entries(rest)) assert.equal(Object(inspection)[name], value, name);
  assert.equal(inspection.attached.length, 2);
  assert.deepEqual(inspection.attached.map(({ pid, role }) => `${pid} ${role}`).sort(), [
    `${process.pid} supervisor`,
    `${process.pid} worker`,
  ]);
  other.release();
  other.close();
  tier.close();
});

test('bytes are received from a socket into a block, and seen when they are appended', async () => {
  const tier = new TemporaryTier(8, { verify: 'always' });
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = (await accepted) as [Socket];
  peer.on('error', () => {});
  try {
    const { fd } = (peer as unknown as { _handle: { fd: number } })._handle;
    const fill = tier.claim(idOf(1), 0, 1000) as BlockFill;
    fill.append(Buffer.from('head'));
    assert.equal(fill.receive!(fd, 1000)!.length, 0, 'nothing has come');
    await new Promise(written => client.write(Buffer.alloc(2000, 'b'), written));
    const some = await untilReceived(() => fill.receive!(fd, 10)!);
    assert.equal(Buffer.from(some).toString(), 'bbbbbbbbbb');
    assert.equal(tier.acquire(idOf(1), 0), 4, 'nobody sees them yet');
    tier.release();
    fill.append(some);
    const rest = await untilReceived(() => fill.receive!(fd, 5000)!);
    assert.equal(rest.length, 986, 'no more than the block has room for');
    fill.append(rest);
    assert.equal(fill.receive!(fd, 10), undefined, 'the fill has ended');
    assert.equal(tier.acquire(idOf(1), 0), 1000);
    assert.equal(Buffer.from(tier.view(0, 1000)).toString(), `head${'b'.repeat(996)}`);
    tier.release();

    const other = tier.claim(idOf(2), 0, BLOCK_SIZE) as BlockFill;
    client.resetAndDestroy();
    const broken = { code: 'ECONNRESET', syscall: 'read' };
    await assert.rejects(async () => {
      for (;;) {
        // What has come before it is told first, or lost.
        other.receive!(fd, BLOCK_SIZE);
        await tick();
      }
    }, broken);
    other.abandon();
    assert.equal(other.receive!(fd, 10), undefined);
  } finally {
    peer.destroy();
    client.destroy();
    server.close();
    tier.close();
  }
});

/** What is received as soon as something is. */
async function untilReceived(receive: () => Uint8Array): Promise<Uint8Array> {
  for (;;) {
    const bytes = receive();
    if (bytes.length > 0) return bytes;
    await tick();
  }
}

test('by demand, what a viewer comes to next outlives what was read later, until he leaves', () => {
  const tier = new TemporaryTier(100);
  const worker = new SharedMemoryTier({
    ...DEFAULTS.memoryTier,
    file: tier.file,
    role: 'worker',
    notesDemand: true,
  });
  tier.evictBy('demand');
  for (let block = 0; block < 30; block++) fill(tier, 1, block, Buffer.alloc(100, block));
  for (let block = 0; block < 8; block++) read(worker, 1, block);
  const crawl = (from: number) => {
    for (let object = from; object < from + 65; object++) {
      fill(tier, object, 0, Buffer.alloc(100));
      read(worker, object, 0);
      worker.leave(idOf(object), 0);
      tier.evictAhead(0.1);
    }
  };
  const next = () => [8, 9, 10, 11].filter(block => tier.has(idOf(1), block)).length;
  crawl(100);
  // The least recently used are just these four, so that none would be left.
  assert.equal(next(), 4);
  const { awaited, wanted, unwanted, knownObjects } = inspectMemoryTier(tier.file);
  assert.ok(awaited >= next() && awaited < 30 && awaited + wanted + unwanted === tier.stats().blocks, `${awaited}`);
  assert.equal(knownObjects, 66);
  // A crawler's blocks went: one view of each object in the first minute, which is taken for no more than that.
  assert.ok(tier.stats().partedWait >= 10, `${tier.stats().partedWait}`);
  worker.leave(idOf(1), 7);
  assert.equal(inspectMemoryTier(tier.file).awaited, 0);
  worker.close();
  tier.close();
});

test('the keeper evicts ahead, scrubs at its rate and ends the fills of the dead', async () => {
  const tier = new TemporaryTier(100);
  for (let block = 0; block < 100; block++) fill(tier, 1, block, Buffer.alloc(BLOCK_SIZE, block));
  const keeper = new MemoryKeeper({ tier, scrubRate: 0, interval: 3_600_000, freeShare: 0.1 });
  keeper.round();
  assert.equal(tier.stats().blocks, 90);
  tier.acquire(idOf(1), 50);
  const view = tier.view(7, 8);
  tier.release();
  view[0]! ^= 1;
  keeper.round();
  assert.equal(tier.stats().checksumFailures, 0);
  const scrubber = new MemoryKeeper({ tier, scrubRate: 1e9, interval: 3_600_000, freeShare: 0.1 });
  while (tier.stats().checksumFailures === 0) {
    await new Promise(resolve => setTimeout(resolve, 5));
    scrubber.round();
  }
  scrubber.close();
  assert.equal(tier.has(idOf(1), 50), false);
  assert.equal(tier.stats().checksumFailures, 1);
  // Another supervisor has taken over: this keeper leaves all as it is.
  const next = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file: tier.file, role: 'supervisor', takeOver: true });
  for (let block = 200; block < 240; block++) fill(next, 1, block, Buffer.alloc(10));
  const { blocks } = tier.stats();
  keeper.round();
  assert.equal(tier.stats().blocks, blocks);
  new MemoryKeeper({ tier: next, scrubRate: 0, interval: 3_600_000, freeShare: 0.3 }).round();
  assert.equal(tier.stats().blocks, 70);
  keeper.close();
  next.close();
  tier.close();
});

test('verify: always finds damage at every use', () => {
  const tier = new TemporaryTier(8, { verify: 'always' });
  fill(tier, 1, 0, Buffer.alloc(1000, 7));
  for (let turn = 0; turn < 2; turn++) assert.deepEqual(read(tier, 1, 0), Buffer.alloc(1000, 7));
  tier.acquire(idOf(1), 0);
  tier.view(500, 501)[0]! ^= 0x10;
  tier.release();
  assert.equal(read(tier, 1, 0), undefined);
  assert.equal(tier.stats().checksumFailures, 1);
  fill(tier, 1, 0, Buffer.alloc(1000, 7));
  assert.deepEqual(read(tier, 1, 0), Buffer.alloc(1000, 7));
  tier.close();
});

test('the size: kept from run to run when none is asked for; another one keeps what fits', () => {
  const { file, remove } = temporaryCacheFile();
  const lines: string[] = [];
  const info = (fields: object, text: string) => lines.push(`${text}: ${(fields as { reason?: string }).reason}`);
  const log = { info, warn: info, error: info, debug() {} } satisfies Log;
  const first = new SharedMemoryTier({
    ...DEFAULTS.memoryTier,
    file,
    role: 'supervisor',
    size: 20 * BLOCK_SIZE + 5,
    log,
  });
  assert.equal(first.capacity, 20 * BLOCK_SIZE);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  // Reserved, not sparse.
  assert.ok(statSync(file).blocks * 512 >= 20 * BLOCK_SIZE);
  fill(first, 1, 0, Buffer.from('kept'));
  first.bumpGeneration(5);
  first.close();
  const second = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', log });
  assert.equal(second.capacity, 20 * BLOCK_SIZE);
  assert.equal(second.first && second.clean, true);
  assert.equal(read(second, 1, 0)?.toString(), 'kept');
  assert.equal(second.generation(5), 1);
  second.close();
  const third = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', size: 21 * BLOCK_SIZE, log });
  assert.equal(third.capacity, 21 * BLOCK_SIZE);
  assert.equal(read(third, 1, 0)?.toString(), 'kept');
  assert.match(first.secret, /^[0-9a-f]{16}$/);
  assert.deepEqual([second.secret, third.secret], [first.secret, first.secret]);
  third.close();
  remove();
  const another = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', size: BLOCK_SIZE });
  assert.notEqual(another.secret, first.secret);
  another.close();
  remove();
  assert.deepEqual(lines, [
    'made a new cache file: there was none',
    'opened the cache file: undefined',
    'made a new cache file: the size has changed from 20 to 21 blocks; 1 blocks were taken along',
  ]);
});

test('the default size is a quarter of what is allowed and at most half of what is free', () => {
  const free = statfsSync('/dev/shm');
  const half = (free.bavail * free.bsize) / 2;
  assert.ok(allowedMemory() <= totalmem());
  const gigabyte = 1024 ** 3;
  if (half > gigabyte) assert.equal(defaultMemorySize('/dev/shm/x', 4 * gigabyte), gigabyte);
  assert.equal(defaultMemorySize('/dev/shm/x', 1000), MIN_MEMORY_SIZE);
  const limited = defaultMemorySize('/dev/shm/x', 1e18);
  assert.ok(Math.abs(limited - Math.min(half, 512 * gigabyte)) < gigabyte);
  assert.throws(
    () => defaultMemorySize('/nonexistent/dir/x'),
    (error: unknown) => error instanceof EdgeError && error.code === 'cache_file' && /ENOENT/.test(error.message),
  );
});

test('crc32c is the one of RFC 3720', () => {
  assert.equal(native.crc32c(0, Buffer.from('123456789')), 0xe3069283);
  assert.equal(native.crc32c(native.crc32c(0, Buffer.from('1234')), Buffer.from('56789')), 0xe3069283);
  assert.equal(native.crc32c(0, Buffer.alloc(32)), 0x8a9136aa);
});
