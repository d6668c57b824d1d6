import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EdgeError } from '../../../src/base/errors.js';
import { type Log, silentLog } from '../../../src/base/log.js';
import { Environment, type EnvironmentOptions } from '../../../src/store/environment.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function options(more: Partial<EnvironmentOptions> = {}): EnvironmentOptions {
  return {
    path: join(folder, `store-${files++}.mdb`),
    format: 'test 1',
    tables: ['a', 'b'],
    mapSize: 64 * 1024 * 1024,
    owner: true,
    log: silentLog,
    ...more,
  };
}

const bytes = (text: string) => Buffer.from(text);

/** A log that keeps what it was told. */
function listeningLog(): { log: Log; warnings: { reason?: string; aside?: string }[] } {
  const warnings: { reason?: string; aside?: string }[] = [];
  return { log: { ...silentLog, warn: fields => warnings.push(fields) }, warnings };
}

function asides(path: string): string[] {
  return readdirSync(folder).filter(name => join(folder, name).startsWith(`${path}.`));
}

test('a batch is read back after it is committed, and by an environment opened later', async () => {
  const opened = options();
  const first = Environment.open(opened);
  await first.batch(() => {
    first.table('a').put(bytes('k1'), bytes('v1'));
    first.table('b').put(bytes('k1'), bytes('other'));
  });
  assert.equal(first.table('a').get(bytes('k1'))?.toString(), 'v1');
  await first.close();
  const second = Environment.open({ ...opened, readOnly: true });
  assert.equal(second.table('a').get(bytes('k1'))?.toString(), 'v1');
  assert.equal(second.table('b').get(bytes('k1'))?.toString(), 'other');
  assert.equal(second.table('a').get(bytes('nothing')), undefined);
  assert.equal(second.table('a').has(bytes('k1')), true);
  assert.equal(second.table('a').has(bytes('k2')), false);
  await second.close();
});

test('a shared value has its own length and is overwritten by the next read', async () => {
  const store = Environment.open(options());
  const a = store.table('a');
  store.transaction(() => {
    a.put(bytes('long'), Buffer.alloc(100_000, 1));
    a.put(bytes('short'), Buffer.alloc(10, 2));
  });
  const long = a.getShared(bytes('long'))!;
  assert.equal(long.length, 100_000);
  assert.equal(long[0], 1);
  const short = a.getShared(bytes('short'))!;
  assert.equal(short.length, 10);
  assert.equal(long[0], 2);
  const copy = a.get(bytes('short'))!;
  a.getShared(bytes('long'));
  assert.deepEqual(copy, Buffer.alloc(10, 2));
  await store.close();
});

test('ranges and keys come in the order of their bytes', async () => {
  const store = Environment.open(options());
  const a = store.table('a');
  store.transaction(() => {
    for (const key of [300, 2, 70_000, 1]) {
      const name = Buffer.alloc(8);
      name.writeBigUInt64BE(BigInt(key));
      a.put(name, bytes(String(key)));
    }
  });
  assert.deepEqual(
    [...a.range()].map(entry => entry.value.toString()),
    ['1', '2', '300', '70000'],
  );
  assert.deepEqual(
    [...a.range({ reverse: true, limit: 2 })].map(entry => entry.value.toString()),
    ['70000', '300'],
  );
  assert.deepEqual(
    [...a.keys({ limit: 1 })].map(key => Buffer.from(key).readBigUInt64BE()),
    [1n],
  );
  assert.equal(a.count, 4);
  await store.close();
});

test('a transaction that throws writes nothing and passes the error on', async () => {
  const store = Environment.open(options());
  const mistake = new Error('mine');
  assert.throws(
    () =>
      store.transaction(() => {
        store.table('a').put(bytes('k'), bytes('v'));
        throw mistake;
      }),
    error => error === mistake,
  );
  assert.equal(store.table('a').get(bytes('k')), undefined);
  store.transaction(() => store.table('a').put(bytes('k'), bytes('w')));
  assert.equal(store.table('a').get(bytes('k'))?.toString(), 'w');
  await store.close();
});

test('writing outside of a batch or transaction is a defect', async () => {
  const store = Environment.open(options());
  assert.throws(() => store.table('a').put(bytes('k'), bytes('v')), { code: 'internal' });
  assert.throws(() => store.table('c'), { code: 'internal' });
  await store.close();
});

test('prefetch calls back from the event loop, also for keys that are not there', async () => {
  const store = Environment.open(options());
  const a = store.table('a');
  store.transaction(() => a.put(bytes('k'), Buffer.alloc(262_144)));
  let within = true;
  await new Promise<void>(resolve => {
    a.prefetch([bytes('k'), bytes('missing')], () => {
      assert.equal(within, false);
      resolve();
    });
    within = false;
  });
  await store.close();
});

test('usage counts the pages that hold something', async () => {
  const store = Environment.open(options());
  const before = store.usage();
  store.transaction(() => store.table('a').put(bytes('k'), Buffer.alloc(400_000)));
  const full = store.usage();
  assert.ok(full.usedBytes - before.usedBytes >= 400_000);
  assert.ok(full.usedBytes - before.usedBytes < 440_000);
  assert.ok(full.fileBytes >= full.usedBytes);
  store.transaction(() => store.table('a').remove(bytes('k')));
  assert.ok(store.usage().usedBytes < before.usedBytes + 40_000);
  await store.close();
});

test('a snapshot that is being read lags behind the commits', async () => {
  const store = Environment.open(options());
  const a = store.table('a');
  const commit = () => store.transaction(() => a.put(bytes('k'), Buffer.alloc(100)));
  commit();
  assert.equal(store.snapshotLag(), 0);
  const range = a.range()[Symbol.iterator]();
  range.next();
  for (let i = 0; i < 3; i++) commit();
  assert.equal(store.snapshotLag(), 3);
  range.return!();
  await new Promise(resolve => setTimeout(resolve, 2));
  commit();
  assert.equal(store.snapshotLag(), 0);
  await store.close();
});

test('a compacted copy holds the same without the free pages', async () => {
  const store = Environment.open(options());
  const a = store.table('a');
  for (let i = 0; i < 10; i++) store.transaction(() => a.put(bytes(`k${i}`), Buffer.alloc(100_000, i)));
  for (let i = 0; i < 9; i++) store.transaction(() => a.remove(bytes(`k${i}`)));
  const copy = options();
  await store.compactTo(copy.path);
  assert.ok(statSync(copy.path).size < store.usage().fileBytes / 2);
  await store.close();
  const compact = Environment.open({ ...copy, owner: false });
  assert.deepEqual(compact.table('a').get(bytes('k9')), Buffer.alloc(100_000, 9));
  assert.equal(compact.table('a').count, 1);
  await compact.close();
});

test('a foreign file is moved aside by the owner, kept, and reported', async () => {
  const { log, warnings } = listeningLog();
  const opened = options({ log });
  writeFileSync(opened.path, 'somebody else wrote this, and it is longer than a page of LMDB'.repeat(200));
  assert.throws(
    () => Environment.open({ ...opened, owner: false }),
    (error: unknown) => error instanceof EdgeError && error.code === 'store' && error.message.includes(opened.path),
  );
  const store = Environment.open(opened);
  store.transaction(() => store.table('a').put(bytes('k'), bytes('v')));
  await store.close();
  assert.equal(warnings.length, 1);
  assert.equal(asides(opened.path).length, 1);
  assert.ok(existsSync(warnings[0]!.aside!));
});

test('an environment of another version is moved aside; of such only the last is kept', async () => {
  const { log, warnings } = listeningLog();
  const opened = options({ log });
  for (const format of ['test 1', 'test 2', 'test 3']) {
    const store = Environment.open({ ...opened, format });
    assert.equal(store.table('a').count, 0);
    store.transaction(() => store.table('a').put(bytes('k'), bytes(format)));
    await store.close();
  }
  assert.deepEqual(
    warnings.map(warning => warning.reason),
    ['other-version', 'other-version'],
  );
  assert.equal(asides(opened.path).length, 1);
  await assert.rejects(async () => Environment.open({ ...opened, format: 'test 1', owner: false }), { code: 'store' });
});

test('an LMDB environment of another program is foreign', async () => {
  const { log, warnings } = listeningLog();
  const opened = options({ log });
  const { open } = await import('lmdb');
  const theirs = open({ path: opened.path, noSubdir: true, mapSize: 1 << 20 });
  await theirs.put('theirs', 'data');
  await theirs.put('more', 'data');
  await theirs.close();
  const store = Environment.open(opened);
  assert.equal(store.table('a').count, 0);
  await store.close();
  assert.equal(warnings[0]!.reason, 'foreign');
});

test('a truncated file is found damaged before a page past its end is touched', async () => {
  const { log, warnings } = listeningLog();
  const opened = options({ log });
  const store = Environment.open(opened);
  store.transaction(() => store.table('a').put(bytes('k'), Buffer.alloc(400_000)));
  await store.close();
  truncateSync(opened.path, 100 * 1024);
  const fresh = Environment.open(opened);
  assert.equal(fresh.table('a').count, 0);
  await fresh.close();
  assert.equal(warnings[0]!.reason, 'damaged');
});

test('a damaged lock file, or none, does no harm', async () => {
  const opened = options();
  const store = Environment.open(opened);
  store.transaction(() => store.table('a').put(bytes('k'), bytes('v')));
  await store.close();
  for (const lock of [Buffer.alloc(8192, 0xa5), Buffer.from('x'), undefined]) {
    if (lock) writeFileSync(`${opened.path}-lock`, lock);
    else rmSync(`${opened.path}-lock`);
    const again = Environment.open(opened);
    assert.equal(again.table('a').get(bytes('k'))?.toString(), 'v');
    await again.batch(() => again.table('b').put(bytes('k'), bytes('v')));
    await again.close();
  }
});

test('a smaller map than the file has no effect', async () => {
  const opened = options();
  const store = Environment.open(opened);
  store.transaction(() => store.table('a').put(bytes('k'), Buffer.alloc(4_000_000, 3)));
  await store.close();
  const small = Environment.open({ ...opened, mapSize: 1024 * 1024 });
  assert.equal(small.table('a').get(bytes('k'))?.[3_999_999], 3);
  await small.batch(() => small.table('a').put(bytes('l'), Buffer.alloc(4_000_000, 4)));
  assert.equal(small.table('a').get(bytes('l'))?.[3_999_999], 4);
  await small.close();
});

test('a path that can not be used is an error that says why', () => {
  const opened = options();
  writeFileSync(opened.path, '');
  assert.throws(() => Environment.open({ ...opened, path: join(opened.path, 'below', 'a.mdb') }), {
    code: 'store',
    message: /not a folder/,
  });
  assert.throws(() => Environment.open({ ...opened, path: folder }), { code: 'store' });
  assert.throws(() => Environment.open({ ...options(), readOnly: true, owner: false }), { code: 'store' });
});

test('a closed environment can be closed again and says that it is closed', async () => {
  const store = Environment.open(options());
  await store.close();
  await store.close();
  assert.throws(() => store.transaction(() => {}), { code: 'store' });
  await assert.rejects(
    store.batch(() => {}),
    { code: 'store' },
  );
});
