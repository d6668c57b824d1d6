import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../../src/base/log.js';
import { allocate, expectSpace } from '../../../src/store/allocation.js';
import { Environment } from '../../../src/store/environment.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-allocation-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

test('a file grows by zeros to what is wanted, never shrinks, and is the one that is meant', () => {
  const path = join(folder, 'grows');
  writeFileSync(path, 'bytes');
  const { ino } = statSync(path);
  allocate(path, ino, 1_000_000);
  assert.deepEqual(readFileSync(path), Buffer.concat([Buffer.from('bytes'), Buffer.alloc(999_995)]));
  assert.ok(statSync(path).blocks * 512 >= 1_000_000, 'on the disk, too');
  allocate(path, ino, 10);
  assert.equal(statSync(path).size, 1_000_000);
  assert.throws(() => allocate(path, ino + 1, 2_000_000), { code: 'ESTALE' });
  assert.throws(() => allocate(path, ino, 2 ** 60), { code: 'ENOSPC' });
  assert.equal(statSync(path).size, 1_000_000, 'nothing is taken of a disk that has not enough');
  assert.throws(() => allocate(join(folder, 'none'), 1, 1), { code: 'ENOENT' });
  assert.throws(() => expectSpace(folder, 2 ** 60), { code: 'ENOSPC' });
});

/** A put of a value of so many bytes, or a remove. */
const change = fc.record({
  table: fc.constantFrom('a', 'b'),
  key: fc.integer({ min: 0, max: 300 }),
  keyBytes: fc.constantFrom(1, 28, 900),
  bytes: fc.option(fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.constantFrom(4080, 4081, 20_000, 262_192))),
});
const commit = fc.record({
  changes: fc.array(change, { maxLength: 60 }),
  inBatch: fc.boolean(),
});

test('what is allocated before a commit is always enough for it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(commit, { minLength: 1, maxLength: 12 }), async commits => {
      const path = join(folder, `store-${files++}.mdb`);
      const store = Environment.open({
        path,
        format: 'test 1',
        tables: ['a', 'b'],
        mapSize: 2 ** 28,
        owner: true,
        log: silentLog,
      });
      let allocated = statSync(path).size;
      const original = store.allocate.bind(store);
      store.allocate = bytes => {
        allocated = Math.max(allocated, bytes);
        original(bytes);
      };
      for (const { changes, inBatch } of commits) {
        const work = () => {
          for (const { table, key, keyBytes, bytes } of changes) {
            const name = Buffer.alloc(keyBytes + 2);
            name.writeUInt16BE(key, keyBytes);
            if (bytes === null) store.table(table).remove(name);
            else store.table(table).put(name, Buffer.alloc(bytes, key));
          }
        };
        if (inBatch) await store.batch(work);
        else store.transaction(work);
        const { fileBytes, endBytes } = store.usage();
        assert.ok(endBytes <= allocated, `${endBytes} of ${allocated} bytes are in use`);
        assert.equal(fileBytes, allocated, 'LMDB has not made the file larger');
      }
      await store.close();
      rmSync(path);
      rmSync(`${path}-lock`);
    }),
    { numRuns: 60 },
  );
});
