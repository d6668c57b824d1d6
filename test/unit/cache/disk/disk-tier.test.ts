import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { type Log, silentLog } from '../../../../src/base/log.js';
import { inspectDisk } from '../../../../src/cache/disk/disk-inspection.js';
import { DiskReader, type DiskReaderOptions } from '../../../../src/cache/disk/disk-reader.js';
import { checksumOf } from '../../../../src/cache/disk/disk-record.js';
import { batchBlocks, blocksIn, diskFile } from '../../../../src/cache/disk/disk-store.js';
import { DiskWriter, type DiskWriterOptions } from '../../../../src/cache/disk/disk-writer.js';
import { until } from '../../../support/until.js';
import { content, load, MiB, objectId, temporaryFolder, turn } from './support.js';

const root = temporaryFolder(after);
let folders = 0;

function tier(capacity: number, more: Partial<DiskWriterOptions & DiskReaderOptions> = {}) {
  const options = { folder: join(root, String(folders++)), capacity, log: silentLog, ...more };
  return { options, write: () => new DiskWriter(options), read: () => new DiskReader(options) };
}

test('what was offered and committed is loaded back, of any length', async () => {
  const { write, read } = tier(32 * MiB);
  const writer = write();
  const lengths = [BLOCK_SIZE, 1, 4096, BLOCK_SIZE - 1, 100_000];
  for (const [block, length] of lengths.entries())
    assert.ok(writer.offer(objectId(1), block, content(1, block, length)));
  assert.ok(writer.flush());
  const reader = read();
  for (const [block, length] of lengths.entries()) {
    assert.equal(reader.has(objectId(1), block), true);
    assert.deepEqual(await load(reader, 1, block, length), Buffer.from(content(1, block, length)));
  }
  assert.equal(reader.has(objectId(1), lengths.length), false);
  assert.equal(reader.has(objectId(2), 0), false);
  assert.equal(await load(reader, 2, 0), undefined);
  assert.equal(await load(reader, 1, 1, 2), undefined, 'a block of another length is none');
  assert.deepEqual(
    { loads: reader.stats.loads, misses: reader.stats.misses, damaged: reader.stats.checksumFailures },
    { loads: lengths.length, misses: 1, damaged: 1 },
  );
  reader.close();
  await writer.close();
});

test('done is never called from within load, and its bytes are verified before', async () => {
  const { write, read } = tier(32 * MiB);
  const writer = write();
  writer.offer(objectId(1), 0, content(1, 0));
  writer.flush();
  const reader = read();
  for (const block of [0, 1]) {
    let within = true;
    const called = new Promise<boolean>(resolve => reader.load(objectId(1), block, BLOCK_SIZE, () => resolve(within)));
    within = false;
    assert.equal(await called, false);
  }
  reader.close();
  let within = true;
  const called = new Promise<boolean>(resolve => reader.load(objectId(1), 0, BLOCK_SIZE, () => resolve(within)));
  within = false;
  assert.equal(await called, false, 'also when it is closed');
  await writer.close();
});

test("a block in the kernel's memory is read at once, and lies in its buffer until others need that", async () => {
  const { write, read } = tier(32 * MiB);
  const writer = write();
  for (let block = 0; block < 40; block++) writer.offer(objectId(1), block, content(1, block));
  writer.flush();
  const reader = read();
  const id = objectId(1);
  const first = reader.read(id, 0, BLOCK_SIZE);
  assert.ok(first);
  for (let block = 1; block < 40; block++) {
    assert.deepEqual(Buffer.from(reader.read(id, block, BLOCK_SIZE)!), Buffer.from(content(1, block)));
    assert.equal(reader.ahead(id, block, BLOCK_SIZE), true);
    if (block === 1) assert.deepEqual(Buffer.from(first), Buffer.from(content(1, 0)));
  }
  for (const block of [0, 17])
    assert.deepEqual(Buffer.from(reader.read(id, block, BLOCK_SIZE)!), Buffer.from(content(1, block)), 'once more');
  assert.equal(reader.held(id, 1, BLOCK_SIZE), undefined);
  assert.deepEqual(Buffer.from(reader.held(id, 39, BLOCK_SIZE)!), Buffer.from(content(1, 39)));
  assert.equal(reader.held(objectId(2), 39, BLOCK_SIZE), undefined);
  assert.equal(reader.held(id, 39, 5), undefined, 'of another length');
  reader.done(id, 39);
  reader.read(id, 5, BLOCK_SIZE);
  assert.equal(reader.held(id, 39, BLOCK_SIZE), undefined, 'what is done goes first');
  assert.ok(reader.held(id, 38, BLOCK_SIZE));
  assert.equal(reader.read(id, 40, BLOCK_SIZE), undefined);
  assert.deepEqual([reader.stats.loads, reader.stats.misses], [43, 0]);
  reader.close();
  assert.equal(reader.read(id, 1, BLOCK_SIZE), undefined);
  assert.equal(reader.held(id, 38, BLOCK_SIZE), undefined);
  await writer.close();
});

test('blocks leave in the order in which they came, whatever was read between', async () => {
  const capacity = 16 * MiB;
  const left: [number, number][] = [];
  const { write, read } = tier(capacity, { expired: (id, block) => left.push([id[0]!, block]) });
  const writer = write();
  const reader = read();
  const total = blocksIn(capacity) * 3;
  for (let n = 0; n < total; n++) {
    assert.ok(writer.offer(objectId(n % 7), n, content(n % 7, n)));
    if (n % 4 === 0) {
      await load(reader, n % 7, Math.max(0, n - 5));
      await turn();
    }
  }
  writer.flush();
  assert.deepEqual(
    left,
    Array.from({ length: total - writer.stats.blocks }, (_, n) => [n % 7, n]),
  );
  assert.equal(writer.stats.blocks, blocksIn(capacity));
  assert.equal(writer.stats.written, total);
  for (let n = 0; n < total; n++) assert.equal(writer.has(objectId(n % 7), n), n >= left.length);
  reader.close();
  await writer.close();
});

test('a block that is there is not written again', async () => {
  const { write } = tier(32 * MiB);
  const writer = write();
  for (let time = 0; time < 3; time++) assert.ok(writer.offer(objectId(1), 0, content(1, 0)));
  writer.flush();
  assert.ok(writer.offer(objectId(1), 0, content(1, 0)));
  writer.flush();
  assert.equal(writer.stats.written, 1);
  await writer.close();
});

for (const capacity of [64 * MiB, 200 * MiB]) {
  test(`ten turns of a ring of ${capacity / MiB} MiB stay within its size on disk`, async () => {
    const { options, write } = tier(capacity);
    const writer = write();
    const blocks = blocksIn(capacity);
    assert.ok(blocks * BLOCK_SIZE > capacity * 0.93, 'most of the size is for blocks');
    const bytes = content(1, 1);
    const sum = checksumOf(bytes);
    const sizes: number[] = [];
    for (let turn = 0; turn < 10; turn++) {
      for (let n = 0; n < blocks; n++) writer.offer(objectId(turn), n, bytes, sum);
      writer.flush();
      sizes.push(statSync(diskFile(options.folder)).size);
    }
    assert.ok(Math.max(...sizes) <= capacity * 1.02, `${sizes} is within 2 % of ${capacity}`);
    assert.ok(
      Math.max(...sizes) - sizes[2]! < capacity * 0.005,
      `the file does not grow after the third turn: ${sizes}`,
    );
    await writer.close();
  });
}

test('the ring goes on where it was after the writer is started again', async () => {
  const capacity = 16 * MiB;
  const { write, read } = tier(capacity);
  const blocks = blocksIn(capacity);
  for (let life = 0; life < 5; life++) {
    const writer = write();
    for (let n = 0; n < 20; n++) writer.offer(objectId(life), n, content(life, n));
    await writer.close();
    await writer.close();
  }
  const reader = read();
  let found = 0;
  for (let life = 0; life < 5; life++) {
    for (let n = 0; n < 20; n++) {
      const there = life * 20 + n >= 100 - blocks;
      assert.equal(reader.has(objectId(life), n), there);
      if (there && found++ % 5 === 0) assert.deepEqual(await load(reader, life, n), Buffer.from(content(life, n)));
    }
  }
  reader.close();
});

test('a smaller size keeps the newest and gives the space back; a larger one keeps all', async () => {
  const large = 48 * MiB;
  const small = 16 * MiB;
  const { options, write } = tier(large);
  let writer = write();
  const before = blocksIn(large);
  for (let n = 0; n < before; n++) writer.offer(objectId(1), n, content(1, n));
  await writer.close();
  writer = new DiskWriter({ ...options, capacity: small });
  await writer.shrink();
  assert.ok(statSync(diskFile(options.folder)).size <= small * 1.02);
  assert.equal(writer.stats.blocks, blocksIn(small));
  assert.equal(writer.has(objectId(1), before - blocksIn(small) - 1), false);
  assert.equal(writer.has(objectId(1), before - blocksIn(small)), true);
  for (let n = 0; n < 100; n++) writer.offer(objectId(2), n, content(2, n));
  writer.flush();
  assert.ok(statSync(diskFile(options.folder)).size <= small * 1.02);
  await writer.close();
  writer = new DiskWriter({ ...options, capacity: large });
  await writer.shrink();
  assert.equal(writer.stats.blocks, blocksIn(small));
  for (let n = 0; n < 100; n++) writer.offer(objectId(3), n, content(3, n));
  writer.flush();
  assert.equal(writer.stats.blocks, blocksIn(small) + 100);
  await writer.close();
});

test('a reader follows the writer to a new file', async () => {
  const { options, write, read } = tier(48 * MiB, { checkInterval: 20 });
  const reader = read();
  assert.equal(reader.has(objectId(1), 0), false);
  let writer = write();
  for (let n = 0; n < 150; n++) writer.offer(objectId(1), n, content(1, n));
  writer.flush();
  const sees = (n: number) => until('the block', () => reader.has(objectId(n), 0));
  await sees(1);
  await writer.close();
  writer = new DiskWriter({ ...options, capacity: 16 * MiB });
  await writer.shrink();
  writer.offer(objectId(2), 0, content(2, 0));
  writer.flush();
  await sees(2);
  assert.deepEqual(await load(reader, 2, 0), Buffer.from(content(2, 0)));
  assert.equal(reader.has(objectId(1), 0), false);
  reader.close();
  await writer.close();
});

test('flipped bits in a value are found, counted, reported and can be removed', async () => {
  const reported: [number, number][] = [];
  const { options, write, read } = tier(16 * MiB, { onDamage: (id, block) => reported.push([id[0]!, block]) });
  let writer = write();
  for (let n = 0; n < 8; n++) writer.offer(objectId(1), n, content(1, n));
  await writer.close();
  const file = diskFile(options.folder);
  const bytes = readFileSync(file);
  const reader = read();
  // It knows where they lie before that happens.
  for (let n = 0; n < 8; n++) assert.deepEqual(await load(reader, 1, n), Buffer.from(content(1, n)));
  for (const n of [2, 5]) {
    const at = bytes.indexOf(content(1, n).subarray(1000, 1100));
    assert.ok(at > 0);
    const handle = openSync(file, 'r+');
    writeSync(handle, Buffer.from([bytes[at]! ^ 0x10]), 0, 1, at);
    closeSync(handle);
  }
  for (let n = 0; n < 8; n++) {
    const damaged = n === 2 || n === 5;
    assert.deepEqual(await load(reader, 1, n), damaged ? undefined : Buffer.from(content(1, n)));
    assert.equal(reader.has(objectId(1), n), !damaged, 'a damaged block is not asked for again');
  }
  assert.equal(reader.stats.checksumFailures, 2);
  assert.deepEqual(reported, [
    [1, 2],
    [1, 5],
  ]);
  reader.close();
  writer = write();
  writer.remove(reported.map(([n, block]) => ({ id: objectId(n), block })));
  assert.equal(writer.stats.blocks, 6);
  writer.offer(objectId(1), 2, content(1, 2));
  writer.flush();
  const again = read();
  assert.deepEqual(await load(again, 1, 2), Buffer.from(content(1, 2)));
  again.close();
  await writer.close();
});

test('no flip of bits anywhere in a value gives wrong bytes', async () => {
  const { options, write, read } = tier(16 * MiB);
  const writer = write();
  const right = Buffer.from(content(1, 0, 5000));
  writer.offer(objectId(1), 0, right);
  writer.flush();
  await writer.close();
  const file = diskFile(options.folder);
  const bytes = readFileSync(file);
  const header = bytes.indexOf('MVB1');
  assert.ok(header > 0);
  const handle = openSync(file, 'r+');
  const reader = read();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 48 + 5000 - 1 }), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
      writeSync(handle, Buffer.from([bytes[header + at]! ^ bits]), 0, 1, header + at);
      const found = await load(reader, 1, 0, 5000);
      // Bytes of the header that say nothing about the block may be anything.
      const silent = (at >= 12 && at < 16) || (at >= 36 && at < 48);
      assert.deepEqual(found, silent ? right : undefined);
      writeSync(handle, Buffer.from([bytes[header + at]!]), 0, 1, header + at);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(await load(reader, 1, 0, 5000), right);
  reader.close();
  closeSync(handle);
});

test('loads beyond the queue are refused, the others are served', async () => {
  const { write, read } = tier(32 * MiB, { maxQueue: 4, concurrency: 1 });
  const writer = write();
  for (let n = 0; n < 10; n++) writer.offer(objectId(1), n, content(1, n, 1000));
  writer.flush();
  const reader = read();
  const found = await Promise.all(Array.from({ length: 10 }, (_, n) => load(reader, 1, n, 1000)));
  assert.equal(found.filter(bytes => bytes !== undefined).length, 4);
  assert.equal(reader.stats.refused, 6);
  for (const [n, bytes] of found.entries()) {
    if (bytes !== undefined) assert.deepEqual(bytes, Buffer.from(content(1, n, 1000)));
  }
  reader.close();
  await writer.close();
});

test('a writer whose file was removed begins afresh', async () => {
  const { options, write, read } = tier(16 * MiB, { checkInterval: 10 });
  const writer = write();
  writer.offer(objectId(1), 0, content(1, 0));
  writer.flush();
  const reader = read();
  rmSync(diskFile(options.folder));
  writer.offer(objectId(1), 1, content(1, 1));
  assert.ok(writer.flush());
  await until('the block', () => reader.has(objectId(1), 1));
  assert.equal(reader.has(objectId(1), 0), false);
  assert.equal(writer.stats.blocks, 1);
  assert.deepEqual(await load(reader, 1, 1), Buffer.from(content(1, 1)));
  reader.close();
  await writer.close();
});

test('a reader without a tier misses, says so once, and closes', async () => {
  const said: string[] = [];
  const log: Log = { ...silentLog, error: (_, text) => said.push(text), info: (_, text) => said.push(text) };
  const { options, write, read } = tier(16 * MiB, { log, checkInterval: 10 });
  const reader = read();
  for (let n = 0; n < 5; n++) assert.equal(await load(reader, 1, n), undefined);
  await new Promise(resolve => setTimeout(resolve, 50));
  assert.equal(said.length, 1);
  const writer = write();
  await until('both are said', () => said.length === 2);
  assert.match(said[1]!, /again/);
  await writer.close();
  rmSync(options.folder, { recursive: true });
  writeFileSync(options.folder, 'a file where the folder was');
  await until('the loss is said', () => said.length === 3);
  assert.equal(reader.has(objectId(1), 0), false);
  reader.close();
  reader.close();
});

test('a tier can be inspected while it is used; without one there is nothing', async () => {
  const { options, write } = tier(16 * MiB);
  assert.equal(await inspectDisk(options.folder), undefined);
  const writer = write();
  for (let n = 0; n < 90; n++) writer.offer(objectId(n % 3), n, content(n % 3, n));
  writer.flush();
  const found = await inspectDisk(options.folder);
  assert.deepEqual(
    { blocks: found?.blocks, objects: found?.objects, written: found?.written },
    { blocks: blocksIn(16 * MiB), objects: 3, written: 90 },
  );
  assert.equal(found?.fileBytes, statSync(diskFile(options.folder)).size);
  assert.ok(found!.usedBytes > blocksIn(16 * MiB) * BLOCK_SIZE && found!.usedBytes <= found!.fileBytes);
  await writer.close();
});

test('batches are small in a small tier and at most 4 MiB in a large one', () => {
  assert.equal(batchBlocks(64 * MiB), 1);
  assert.equal(batchBlocks(10 * 1024 * MiB), 16);
  for (const capacity of [64 * MiB, 1024 * MiB, 10 * 1024 * MiB, 2 ** 40]) {
    const share = (blocksIn(capacity) * BLOCK_SIZE) / capacity;
    assert.ok(share > 0.93 && share < 1, `${share} of ${capacity}`);
  }
});

test('blocks that are worth it go round again, byte for byte, and the others leave', async () => {
  const capacity = 128 * MiB;
  const left: number[] = [];
  const { write, read } = tier(capacity, {
    renews: (_, block) => block < 40 && block % 2 === 0,
    expired: (_, block) => left.push(block),
  });
  const writer = write();
  assert.equal(writer.room, batchBlocks(capacity) / 2, 'half of a batch is kept for them');
  assert.ok(!writer.isFull, 'however little of its file is allocated yet');
  const total = blocksIn(capacity) + 200;
  for (let n = 0; n < total; n++) {
    assert.ok(writer.offer(objectId(1), n, content(1, n)));
    if (writer.room === 0) assert.ok(writer.flush());
  }
  assert.ok(writer.flush());
  assert.ok(writer.isFull);
  assert.equal(writer.stats.renewed, 20);
  assert.equal(writer.stats.written, total + 20);
  const expected = Array.from(left, (_, i) => (i < 20 ? 2 * i + 1 : 20 + i));
  assert.deepEqual(left, expected);
  const reader = read();
  for (let n = 0; n < 60; n++) assert.equal(reader.has(objectId(1), n), n < 40 && n % 2 === 0, `block ${n}`);
  for (const n of [0, 16, 38]) assert.deepEqual(await load(reader, 1, n), Buffer.from(content(1, n)));
  reader.close();
  await writer.close();
});
