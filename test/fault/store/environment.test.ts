import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../../src/base/log.js';
import { Environment, type EnvironmentOptions } from '../../../src/store/environment.js';
import { examine } from '../../../src/store/examination.js';
import { onSmallDisk } from '../../support/small-disk.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function options(path: string): EnvironmentOptions {
  return { path, format: 'test 1', tables: ['a'], mapSize: 64 * 1024 * 1024, owner: true, log: silentLog };
}

test('a full disk fails the batch, keeps what was there, and goes on when there is space again', t =>
  onSmallDisk(t, join(folder, 'full'), 'size=2m', async disk => {
    const store = Environment.open(options(join(disk.path, 'a.mdb')));
    const a = store.table('a');
    await store.batch(() => a.put(Buffer.from('first'), Buffer.alloc(200_000, 1)));
    const big = Buffer.alloc(3_000_000, 2);
    await assert.rejects(
      store.batch(() => a.put(Buffer.from('big'), big)),
      { code: 'store', message: /full/ },
    );
    assert.throws(() => store.transaction(() => a.put(Buffer.from('big'), big)), { code: 'store' });
    assert.deepEqual(a.get(Buffer.from('first')), Buffer.alloc(200_000, 1));
    assert.equal(a.get(Buffer.from('big')), undefined);
    await store.batch(() => a.put(Buffer.from('second'), Buffer.alloc(100_000, 3)));
    assert.deepEqual(a.get(Buffer.from('second')), Buffer.alloc(100_000, 3));
    await store.close();
  }));

test('LMDB never meets a full disk itself, because it ends the process that does', t =>
  onSmallDisk(t, join(folder, 'fills-up'), 'size=6m', async disk => {
    const child = fork(fileURLToPath(new URL('./full-disk.ts', import.meta.url)), [join(disk.path, 'a.mdb')], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr!.on('data', text => {
      said += text;
    });
    const found = once(child, 'message') as Promise<[{ committed: number; refused: number; lost: number }]>;
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    assert.deepEqual({ status, signal, said }, { status: 0, signal: null, said: '' });
    const [{ committed, refused, lost }] = await found;
    assert.deepEqual({ refused, lost }, { refused: 100, lost: 0 });
    assert.ok(committed > 10, `${committed} were committed`);
  }));

test('an environment can not be begun on a full disk, and the process lives', t =>
  onSmallDisk(t, join(folder, 'none'), 'size=128k', disk => {
    assert.throws(() => Environment.open(options(join(disk.path, 'a.mdb'))), { code: 'store', message: /full/ });
    writeFileSync(join(disk.path, 'filler'), Buffer.alloc(8192));
    assert.throws(() => Environment.open(options(join(disk.path, 'below', 'a.mdb'))), {
      code: 'store',
      message: /full/,
    });
  }));

test('on a read-only file system an environment can be read but not opened for writing', t =>
  onSmallDisk(t, join(folder, 'read-only'), 'size=8m', async disk => {
    const opened = options(join(disk.path, 'a.mdb'));
    const store = Environment.open(opened);
    store.transaction(() => store.table('a').put(Buffer.from('k'), Buffer.from('v')));
    await store.close();
    disk.remount('ro');
    assert.throws(() => Environment.open(opened), { code: 'store', message: /read-only/ });
    const reader = Environment.open({ ...opened, readOnly: true, owner: false });
    assert.equal(reader.table('a').get(Buffer.from('k'))?.toString(), 'v');
    await reader.close();
    disk.remount('rw');
    const again = Environment.open(opened);
    await again.batch(() => again.table('a').put(Buffer.from('l'), Buffer.from('w')));
    await again.close();
  }));

test('a store whose trees are damaged is found without ending this process, moved aside, and begun afresh', async () => {
  const opened = options(join(folder, 'trees.mdb'));
  const fresh = Environment.open(opened);
  fresh.transaction(() => {
    for (let i = 0; i < 20_000; i++) fresh.table('a').put(Buffer.from(`key-${i}`), Buffer.alloc(64, i));
  });
  // What follows is allocated, and holds nothing.
  const size = fresh.usage().endBytes;
  await fresh.close();
  assert.equal(await examine(opened, { values: true }), true);
  const sound = readFileSync(opened.path);
  for (const [name, damage] of Object.entries({
    zeros: (file: number) => writeSync(file, Buffer.alloc(size / 2), 0, size / 2, size / 4),
    noise: (file: number) => writeSync(file, randomBytes(size - 8192), 0, size - 8192, 8192),
    cut: (file: number) => ftruncateSync(file, size - 16 * 4096),
  })) {
    writeFileSync(opened.path, sound);
    const file = openSync(opened.path, 'r+');
    damage(file);
    closeSync(file);
    // Noise may not even look like a store; setting that aside is left to the owner's opening.
    const isDamaged = !(await examine(opened, { values: true }));
    if (isDamaged) assert.equal(existsSync(opened.path), false, name);
    else assert.equal(name, 'noise');
    const again = Environment.open(opened);
    assert.equal(again.table('a').count, 0, name);
    again.transaction(() => again.table('a').put(Buffer.from('k'), Buffer.from('v')));
    await again.close();
  }
  assert.equal(readdirSync(folder).filter(name => name.startsWith('trees.mdb.damaged')).length, 1, 'one is kept');
});

test('examining a store that is missing or of another version leaves it to who opens it', async () => {
  const opened = options(join(folder, 'other.mdb'));
  assert.equal(await examine(opened), true);
  const store = Environment.open({ ...opened, format: 'test 0' });
  await store.close();
  assert.equal(await examine(opened), true);
});

const writer = fileURLToPath(new URL('./writer.ts', import.meta.url));

/** A process that writes batches of ten values of one round and says each round that is committed. */
function startWriter(path: string): ChildProcess {
  return fork(writer, [path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

test('kill -9 in the middle of writing keeps every committed batch whole and leaves no lock behind', async () => {
  const path = join(folder, 'killed.mdb');
  const reader = Environment.open(options(path));
  let committed = -1;
  for (let life = 0; life < 4; life++) {
    const child = startWriter(path);
    const start = committed;
    child.on('message', round => {
      committed = round as number;
      if (committed >= start + 20 * (life + 1)) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    const rounds = new Map<number, number>();
    for (const { value } of reader.table('a').range()) {
      const round = value.readUInt32LE(0);
      assert.deepEqual(value, Buffer.alloc(20_000).fill(value.subarray(0, 4)), 'a value is torn');
      rounds.set(round, (rounds.get(round) ?? 0) + 1);
    }
    assert.ok(committed >= start + 20);
    // Every batch writes the same ten keys, so one whole round is there: the last that was reported, or one after it.
    assert.equal(rounds.size, 1);
    const [[round, count]] = [...rounds] as [[number, number]];
    assert.equal(count, 10);
    assert.ok(round >= committed);
    committed = round;
    await reader.batch(() => reader.table('a').put(Buffer.from('mine'), Buffer.alloc(0)));
    await reader.batch(() => reader.table('a').remove(Buffer.from('mine')));
  }
  reader.checkReaders();
  assert.ok(statSync(path).size < 8 * 1024 * 1024);
  await reader.close();
});
