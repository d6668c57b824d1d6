import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DiskWriterProcess } from '../../../../src/app/services/disk-writer-process.js';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { type Log, silentLog } from '../../../../src/base/log.js';
import { native } from '../../../../src/base/native.js';
import { DiskReader } from '../../../../src/cache/disk/disk-reader.js';
import { diskFile } from '../../../../src/cache/disk/disk-store.js';
import { admitByViews } from '../../../../src/cache/memory/admission.js';
import { SharedMemoryTier } from '../../../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { mountSmallDisk } from '../../../support/small-disk.js';
import { until } from '../../../support/until.js';
import { content, load, MiB, objectId, temporaryFolder } from '../../../unit/cache/disk/support.js';

const root = temporaryFolder(after);
const FREE_SHARE = 0.1;

/** An edge's memory tier and disk writer, which are stopped when the test ends. */
function machine(t: TestContext, name: string) {
  const said: string[] = [];
  const say = (_: object, text: string) => said.push(text);
  const log: Log = { ...silentLog, warn: say, error: say };
  const folder = join(root, name);
  const memoryFile = join(root, `${name}.cache`);
  const memory = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file: memoryFile, role: 'supervisor', size: 64 * MiB });
  const writer = new DiskWriterProcess({
    folder,
    capacity: 64 * MiB,
    policy: 'lru',
    admit: 'views',
    minHits: 2,
    memoryFile,
    freeShare: FREE_SHARE,
    log,
    restartDelay: 10,
  });
  t.after(async () => {
    await writer.stop();
    memory.close();
  });
  const read = () => new DiskReader({ folder, capacity: 64 * MiB, log: silentLog, checkInterval: 20 });
  return { said, folder, memory, writer, read };
}

/** Fills block `block` of object `n` and views it `views` times, as players do. */
async function watch(memory: SharedMemoryTier, n: number, block: number, views: number): Promise<void> {
  for (;;) {
    const claim = memory.claim(objectId(n), block, BLOCK_SIZE);
    if (claim === 'full') {
      await new Promise(resolve => setTimeout(resolve, 2));
      continue;
    }
    assert.ok(typeof claim === 'object');
    claim.append(content(n, block));
    break;
  }
  for (let view = 0; view < views; view++) {
    memory.acquire(objectId(n), block);
    memory.release();
  }
}

/** Waits until every cold block that is wanted on disk is there. */
async function written(memory: SharedMemoryTier): Promise<void> {
  await until('cold blocks written', () => memory.coldest(0.05, admitByViews(2), 1).length === 0);
}

/** Has blocks of object `n` watched until one of them is on disk, and returns which. */
async function firstOnDisk(memory: SharedMemoryTier, reader: DiskReader, n: number): Promise<number> {
  for (let last = 0; ; last++) {
    await watch(memory, n, last, 2);
    await written(memory);
    for (let block = 0; block <= last; block++) if (reader.has(objectId(n), block)) return block;
  }
}

test('what memory evicts after enough views is found on disk, the rest is not; a writer that is killed goes on', async t => {
  const { said, memory, writer, read } = machine(t, 'tiers');
  await writer.start();
  const reader = read();
  const total = Math.floor(memory.capacity / BLOCK_SIZE) * 2;
  for (let block = 0; block < total; block++) {
    await watch(memory, 1, block, block % 2 === 0 ? 3 : 1);
    if (block === total / 2) process.kill(writer.pid!, 'SIGKILL');
    await written(memory);
  }
  await until('the writer again', () => said.some(text => /died/.test(text)) && writer.stats.written > 0);
  let found = 0;
  for (let block = 0; block < total; block++) {
    const onDisk = reader.has(objectId(1), block);
    if (block % 2 === 1) assert.equal(onDisk, false, `block ${block} was seen once`);
    if (!onDisk) continue;
    found++;
    assert.deepEqual(await load(reader, 1, block), Buffer.from(content(1, block)));
  }
  // Half of all were wanted; half of those are in memory still.
  assert.ok(found >= total / 4 - 32, `${found} of ${total / 2}`);
  assert.equal(said.filter(text => /died/.test(text)).length, 1);
  const { dropped, evictedToDisk } = native.inspectMemoryTier(join(root, 'tiers.cache'));
  assert.ok(evictedToDisk > 0 && dropped > 0);
  reader.close();
  await writer.stop();
  assert.equal(writer.pid, undefined);
});

test('a tier that damages those who touch it is moved aside when they are gone, and begun afresh', async t => {
  const { said, folder, memory, writer, read } = machine(t, 'damaged');
  await writer.start();
  let reader = read();
  for (let block = 0; block < 250; block++) {
    await watch(memory, 1, block, 2);
    await written(memory);
  }
  await until('the block on disk', () => reader.has(objectId(1), 0));
  reader.close();
  truncateSync(diskFile(folder), 16 * 4096);
  writer.suspect({ code: null, signal: 'SIGBUS' });
  await until('it is said', () => said.some(text => /moved aside/.test(text)));
  reader = read();
  const found = await firstOnDisk(memory, reader, 2);
  assert.deepEqual(await load(reader, 2, found), Buffer.from(content(2, found)));
  assert.equal(reader.has(objectId(1), 0), false);
  reader.close();
});

test('a tier on a read-only file system is said once and used as soon as it can be written', async t => {
  const { said, folder, memory, writer, read } = machine(t, 'read-only');
  const disk = mountSmallDisk(folder, 'size=200m,ro');
  if (disk === undefined) return t.skip('mounting a tmpfs is not permitted');
  const reader = read();
  try {
    await writer.start();
    await until('it is said', () => said.length > 0);
    assert.match(said[0]!, /can not be opened/);
    await new Promise(resolve => setTimeout(resolve, 2500));
    assert.equal(said.length, 1);
    assert.equal(reader.has(objectId(1), 0), false);
    disk.remount('rw');
    await until('the file', () => writer.stats.fileBytes > 0);
    const found = await firstOnDisk(memory, reader, 1);
    assert.deepEqual(await load(reader, 1, found), Buffer.from(content(1, found)));
  } finally {
    reader.close();
    await writer.stop();
    disk.unmount();
  }
});

test('a writer whose supervisor dies before it has begun ends by itself', async t => {
  const { folder, memory } = machine(t, 'orphan');
  const task = {
    folder,
    capacity: 64 * MiB,
    policy: 'lru',
    admit: 'views',
    minHits: 2,
    memoryFile: join(root, 'orphan.cache'),
    freeShare: FREE_SHARE,
  };
  const main = fileURLToPath(new URL('../../../../src/app/disk-writer-main.ts', import.meta.url));
  const child = fork(main, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  child.disconnect();
  const [status] = await once(child, 'exit', { signal: AbortSignal.timeout(20_000) }).finally(() =>
    child.kill('SIGKILL'),
  );
  assert.equal(status, 0);
  assert.equal(memory.stats().processes, 1);
});
