import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Log, silentLog } from '../../../src/base/log.js';
import { OpeningLock } from '../../../src/store/opening-lock.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'a.mdb');
writeFileSync(path, '');

function opened(patience?: number): OpeningLock {
  const lock = OpeningLock.open(path, silentLog, patience);
  lock.opened();
  return lock;
}

test('a commit begins when an opening has ended, and commits go side by side', async () => {
  const [first, second] = [opened(), opened()];
  const opening = OpeningLock.open(path, silentLog);
  const order: string[] = [];
  let end = () => {};
  const commit = first.commit(() => {
    order.push('first');
    return new Promise<void>(resolve => {
      end = resolve;
    });
  });
  // Whoever opens may commit, too.
  opening.commitSync(() => order.push('opening'));
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(order, ['opening']);
  opening.opened();
  second.commitSync(() => order.push('second'));
  await second.commit(async () => {
    while (!order.includes('first')) await new Promise(resolve => setImmediate(resolve));
  });
  end();
  await commit;
  assert.deepEqual(order, ['opening', 'second', 'first']);
  for (const lock of [first, second, opening]) lock.close();
});

test('who opens waits no longer than for a process that is stopped, and says so; commits fail with what to do', async () => {
  const said: string[] = [];
  const log: Log = { ...silentLog, warn: (_, text) => said.push(text) };
  const first = opened(20);
  let end = () => {};
  const commit = first.commit(
    () =>
      new Promise<void>(resolve => {
        end = resolve;
      }),
  );
  const late = OpeningLock.open(path, log, 20);
  assert.match(said[0]!, /has not ended a commit/);
  const second = OpeningLock.open(path, log, 20);
  assert.equal(said.length, 2);
  // The one that waits for commits has announced itself, and never goes on.
  end();
  await commit;
  assert.throws(() => first.commitSync(() => assert.fail()), { code: 'store', message: /is one stopped\?/ });
  late.opened();
  assert.equal(
    first.commitSync(() => 1),
    1,
  );
  for (const lock of [first, second, late]) lock.close();
});
