import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { pbkdf2, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Log, silentLog } from '../../../../src/base/log.js';
import { DiskReader } from '../../../../src/cache/disk/disk-reader.js';
import { checksumOf } from '../../../../src/cache/disk/disk-record.js';
import { blocksIn, diskFile } from '../../../../src/cache/disk/disk-store.js';
import { DiskWriter, type DiskWriterStats } from '../../../../src/cache/disk/disk-writer.js';
import { onSmallDisk } from '../../../support/small-disk.js';
import { assertSoon } from '../../../support/stopwatch.js';
import { told } from '../../../support/told.js';
import { until } from '../../../support/until.js';
import { content, load, MiB, objectId, temporaryFolder, turn } from '../../../unit/cache/disk/support.js';

const root = temporaryFolder(after);

const children: ChildProcess[] = [];
// A test that fails would leave them, and the file would not come to its end.
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

function start(name: string, ...args: (string | number)[]): ChildProcess {
  const child = fork(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), args.map(String), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.push(child);
  return child;
}

interface Found {
  right: number;
  missing: number;
  wrong: number;
  stats: DiskReader['stats'];
}

async function stopReading(child: ChildProcess): Promise<Found> {
  const answer = told<Found>(child);
  const gone = once(child, 'exit');
  child.send('stop');
  const found = await answer;
  await gone;
  return found;
}

test('readers in other processes never see a wrong byte while the ring is overwritten and its writer is killed', async () => {
  const folder = join(root, 'ring');
  const capacity = 64 * MiB;
  const args = [folder, capacity, 5, 100] as const;
  let writer = start('writer-loop', ...args);
  await told(writer);
  const readers = [start('reader-process', ...args), start('reader-process', ...args)];
  await Promise.all(readers.map(told));
  for (let life = 0; life < 4; life++) {
    await told(writer);
    await told(writer);
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    writer = start('writer-loop', ...args);
    const stats = await told<DiskWriterStats>(writer);
    assert.ok(stats.blocks <= blocksIn(capacity));
    const size = statSync(diskFile(folder)).size / capacity;
    assert.ok(size <= 1.02, `${size} of the size`);
  }
  // A reader that is killed must not keep pages from being used again.
  const victim = start('reader-process', ...args);
  await told(victim);
  victim.kill('SIGKILL');
  await once(victim, 'exit');
  for (let turn = 0; turn < 4; turn++) await told(writer);
  const size = statSync(diskFile(folder)).size / capacity;
  assert.ok(size <= 1.02, `${size} of the size`);
  const found = await Promise.all(readers.map(stopReading));
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  for (const { right, wrong, stats } of found) {
    assert.equal(wrong, 0);
    assert.ok(right > 100, `${right} blocks were read`);
    assert.equal(stats.failedReads, 0);
    assert.equal(stats.checksumFailures, 0, 'a snapshot keeps what is being read');
  }
});

test('on a full disk the ring turns in what it has, drops nothing, says it once, and grows when there is space', t =>
  onSmallDisk(t, join(root, 'full'), 'size=40m', async ({ path: folder }) => {
    const said: string[] = [];
    const log: Log = { ...silentLog, error: (_, text) => said.push(text), info: (_, text) => said.push(text) };
    const writer = new DiskWriter({ folder, capacity: 64 * MiB, log, growDelay: 20 });
    const reader = new DiskReader({ folder, capacity: 64 * MiB, log: silentLog });
    const filler = join(folder, 'filler');
    let n = 0;
    const offer = async (count: number) => {
      for (const end = n + count; n < end; n++) {
        // A snapshot of the reader lasts for a turn of the event loop.
        if (n % 5 === 0) await turn();
        assert.ok(writer.offer(objectId(1), n, content(1, n)));
      }
      await turn();
    };
    const expectNewest = async () => {
      const { blocks } = writer.stats;
      assert.equal(reader.has(objectId(1), n - blocks - 1), false);
      for (let block = n - blocks; block < n; block += 7) {
        assert.deepEqual(await load(reader, 1, block), Buffer.from(content(1, block)));
      }
    };
    await offer(60);
    assert.deepEqual(said, []);
    writeFileSync(filler, Buffer.alloc(18 * MiB));
    for (let time = 0; time < 10; time++) {
      await offer(25);
      await expectNewest();
    }
    const { blocks } = writer.stats;
    assert.ok(blocks >= 60 && blocks < 100, `${blocks} blocks`);
    assert.equal(said.length, 1);
    assert.match(said[0]!, /no space for the whole disk tier/);
    rmSync(filler);
    await until(
      'the ring grows',
      () => writer.offer(objectId(1), n, content(1, n++)) && writer.stats.blocks > blocks + 10,
    );
    await expectNewest();
    assert.equal(said.length, 2);
    assert.match(said[1]!, /space for the disk tier again/);
    assert.deepEqual([writer.stats.dropped, writer.stats.failedCommits], [0, 0]);
    reader.close();
    await writer.close();
  }));

test('a full disk gives up what was moved aside', t =>
  onSmallDisk(t, join(root, 'aside'), 'size=24m', async ({ path: folder }) => {
    writeFileSync(`${diskFile(folder)}.damaged-20260101T000000`, randomBytes(20 * MiB));
    const writer = new DiskWriter({ folder, capacity: 64 * MiB, log: silentLog, retryDelay: 1 });
    for (let n = 0; n < 60; n++) {
      await until('room in the queue', () => writer.room > 0);
      writer.offer(objectId(1), n, content(1, n));
    }
    assert.deepEqual(
      readdirSync(folder).filter(name => name.includes('damaged')),
      [],
    );
    assert.ok(writer.stats.blocks > 50, `${writer.stats.blocks} blocks`);
    await writer.close();
  }));

test('a smaller size for which there is no space beside the larger begins the tier afresh, and says so once', t =>
  onSmallDisk(t, join(root, 'shrink'), 'size=52m', async ({ path: folder }) => {
    const said: string[] = [];
    const say = (_: object, text: string) => said.push(text);
    const log: Log = { ...silentLog, warn: say, error: say };
    let writer = new DiskWriter({ folder, capacity: 48 * MiB, log });
    for (let n = 0; n < 300; n++) assert.ok(writer.offer(objectId(1), n, content(1, n)));
    await writer.close();
    const capacity = 24 * MiB;
    writer = new DiskWriter({ folder, capacity, log });
    await writer.shrink();
    for (let n = 0; n < 200; n++) assert.ok(writer.offer(objectId(2), n, content(2, n)));
    assert.deepEqual(said, ['the disk tier can not be shrunk; it begins afresh']);
    assert.ok(statSync(diskFile(folder)).size <= capacity * 1.02);
    assert.equal(writer.stats.blocks, blocksIn(capacity));
    const reader = new DiskReader({ folder, capacity, log: silentLog });
    assert.equal(reader.has(objectId(1), 299), false);
    assert.deepEqual(await load(reader, 2, 199), Buffer.from(content(2, 199)));
    reader.close();
    await writer.close();
  }));

test('a disk that does not answer costs its loads and no more', async () => {
  const folder = join(root, 'slow');
  const writer = new DiskWriter({ folder, capacity: 16 * MiB, log: silentLog });
  for (let n = 0; n < 10; n++) writer.offer(objectId(1), n, content(1, n));
  writer.flush();
  const reader = new DiskReader({ folder, capacity: 16 * MiB, log: silentLog, timeout: 30, concurrency: 2 });
  assert.equal(reader.has(objectId(1), 0), true);
  // Threads that wait for something else stand for threads that wait for a disk.
  const busy = Array.from(
    { length: 4 },
    () => new Promise<void>(resolve => pbkdf2('a', 'b', 500_000, 64, 'sha512', () => resolve())),
  );
  const begun = performance.now();
  const found = await Promise.all(Array.from({ length: 6 }, (_, n) => load(reader, 1, n)));
  assertSoon(performance.now() - begun, 300, 'an answer to each');
  assert.ok(found.every(bytes => bytes === undefined));
  assert.equal(reader.stats.refused, 6);
  assert.equal(reader.has(objectId(1), 0), false, 'no more are sent after them');
  await Promise.all(busy);
  // On a busy machine one may be late again.
  for (let n = 0; n < 10; n++) {
    const bytes = await until(`block ${n}`, () => (reader.has(objectId(1), n) ? load(reader, 1, n) : undefined));
    assert.deepEqual(bytes, Buffer.from(content(1, n)));
  }
  reader.close();
  await writer.close();
});

test('two hours of evictions in fast time: the newest are there, the file keeps its size, memory does not grow', async () => {
  const folder = join(root, 'soak');
  const capacity = 24 * MiB;
  const writer = new DiskWriter({ folder, capacity, log: silentLog });
  const reader = new DiskReader({ folder, capacity, log: silentLog });
  const bytes = content(0, 0, 1000);
  const sum = checksumOf(bytes);
  let before = 0;
  // One block a second is evicted.
  for (let second = 0; second < 7200; second++) {
    writer.offer(objectId(0), second, bytes, sum);
    if (second % 100 === 99) {
      writer.flush();
      // A snapshot lasts for a turn of the event loop.
      await turn();
      const there = second - Math.floor(Math.random() * (writer.stats.blocks - 1));
      assert.equal(reader.has(objectId(0), there), true);
      assert.deepEqual(await load(reader, 0, there, 1000), Buffer.from(bytes));
      assert.equal(reader.has(objectId(0), second - writer.stats.blocks), false);
      await turn();
    }
    if (second === 2000) before = process.memoryUsage.rss();
  }
  assert.equal(writer.stats.blocks, blocksIn(capacity));
  assert.ok(statSync(diskFile(folder)).size <= capacity * 1.02);
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 48 * MiB, `${grown / MiB} MiB`);
  reader.close();
  await writer.close();
});
