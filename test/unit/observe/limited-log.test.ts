import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.js';
import { LimitedLog } from '../../../src/observe/limited-log.js';

test('each kind is written ten times in a window, then counted, and the count is told when the window closes', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: object[] = [];
  const log = new LimitedLog({ ...silentLog, warn: fields => void lines.push(fields) });
  for (let i = 0; i < 25; i++) log.warn('a', { i }, 'text');
  for (let i = 0; i < 3; i++) log.warn('b', { b: i }, 'text');
  assert.equal(lines.length, 13);
  t.mock.timers.tick(10_000);
  assert.deepEqual(lines.slice(13), [{ i: 24, count: 15 }]);
  log.warn('a', { i: 99 }, 'text');
  assert.deepEqual(lines.at(-1), { i: 99 });
  t.mock.timers.tick(10_000);
  assert.equal(lines.length, 15);
});

test('kinds without end are bounded', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let lines = 0;
  const log = new LimitedLog({ ...silentLog, warn: () => void lines++ });
  for (let i = 0; i < 50_000; i++) log.warn(`${i}`, {}, 'text');
  assert.equal(lines, 1000 + 10);
});
