import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchCommits, type Gathering } from '../../../src/store/batch-commits.js';
import { Changes } from '../../../src/store/changes.js';

/** A database that notes when it commits, and what. */
function commits(gathering?: Gathering) {
  const begun: number[] = [];
  const made: string[][] = [];
  let written: string[] = [];
  const database = {
    batch: async (work: () => void) => {
      begun.push(performance.now());
      written = [];
      work();
      made.push(written);
    },
  };
  const batches = new BatchCommits(database, '/a/file', () => {}, gathering);
  const add = (name: string) => {
    const changes = new Changes(true);
    changes.remove(() => written.push(name));
    return batches.add(changes);
  };
  return { add, begun, made };
}

test('batches that come while one is gathered share its commit', async () => {
  const { add, made } = commits({ gathered: 1, apart: 0 });
  await Promise.all([add('a'), add('b')]);
  await add('c');
  assert.deepEqual(made, [['a', 'b'], ['c']]);
});

test('commits of what comes all the time begin apart, and take along what has come meanwhile', async () => {
  const { add, begun, made } = commits({ gathered: 1, apart: 200 });
  await add('a');
  const second = add('b');
  await new Promise(resolve => setImmediate(resolve));
  await Promise.all([second, add('c')]);
  assert.deepEqual(made, [['a'], ['b', 'c']]);
  // The first is noted when the database is called, which a busy machine may let come late.
  assert.ok(begun[1]! - begun[0]! >= 100, `${begun[1]! - begun[0]!} ms`);
});

test('without gathering a batch is committed at once, those that come meanwhile by the next commit', async () => {
  const { add, made } = commits();
  const first = add('a');
  await Promise.resolve();
  await Promise.all([first, add('b'), add('c')]);
  assert.equal(made.flat().join(''), 'abc');
  assert.deepEqual(made[0], ['a']);
});
