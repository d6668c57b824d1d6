import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopTurns } from '../../../src/base/loop-turns.js';

const immediate = () => new Promise(resolve => setImmediate(resolve));
/** Milliseconds that a piece of work takes by the clock of these tests, of a share of 4. */
const WORK = 1.5;

test('what is due goes on at once until the share of the turn is used up, and the rest in order in later turns', async () => {
  let now = 1000;
  const turns = new LoopTurns(() => now);
  const gone: number[] = [];
  const due = (name: number) =>
    turns.due({
      goOn() {
        gone.push(name);
        now += WORK;
      },
    });
  for (let name = 0; name < 8; name++) due(name);
  assert.deepEqual(gone, [0, 1, 2]);
  await immediate();
  assert.deepEqual(gone, [0, 1, 2, 3, 4, 5]);
  due(8);
  assert.deepEqual(gone, [0, 1, 2, 3, 4, 5], 'nobody goes before those who wait');
  await immediate();
  assert.deepEqual(gone, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  await immediate();
  due(9);
  assert.equal(gone.at(-1), 9);
});

test('who waits for a promise goes on with all that follows from it before the next does', async () => {
  let now = 1000;
  const turns = new LoopTurns(() => now);
  const seen: string[] = [];
  const settled = Promise.resolve();
  const all = Array.from({ length: 1000 }, async (_, name) => {
    await settled;
    await turns.passed();
    await Promise.resolve();
    await Promise.resolve();
    seen.push(`${turns.turn} ${name}`);
    now += WORK;
  });
  await Promise.all(all);
  assert.equal(seen.length, 1000);
  const counts = new Map<string, number>();
  for (const [name, fact] of seen.entries()) {
    const [turn = '', of] = fact.split(' ');
    assert.equal(of, String(name), 'in order');
    counts.set(turn, (counts.get(turn) ?? 0) + 1);
  }
  assert.ok(Math.max(...counts.values()) <= 3, 'no turn has more than its share');
});

test('one that comes while others go on waits behind them', async () => {
  const turns = new LoopTurns(() => 0);
  const seen: string[] = [];
  const first = turns.passed().then(async () => {
    seen.push('first');
    await turns.passed();
    seen.push('third');
  });
  const second = turns.passed().then(() => seen.push('second'));
  await Promise.all([first, second]);
  assert.deepEqual(seen, ['first', 'second', 'third']);
});
