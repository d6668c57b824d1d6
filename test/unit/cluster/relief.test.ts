import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Relief } from '../../../src/cluster/routing/relief.js';

/** Lets an edge be asked for `offered` of the mean load, for so many seconds; its load follows slowly. */
function run(relief: Relief, offered: number, seconds: number, load = offered, from = 0) {
  let kept = 1;
  for (let second = from; second < from + seconds; second++) {
    kept = relief.share('a', load, 1.25, second * 1000);
    load += 0.3 * (offered * kept - load);
  }
  return { load, kept };
}

for (const offered of [1.3, 1.5, 2, 4, 8]) {
  test(`an edge that is asked for ${offered} of the mean comes to its bound`, () => {
    const { load } = run(new Relief(), offered, 90);
    assert.ok(Math.abs(load - 1.25) < 0.05, String(load));
  });
}

test('an edge below its bound keeps all, also again when the crowd has gone', () => {
  const relief = new Relief();
  assert.equal(run(relief, 1.2, 10).kept, 1);
  const crowded = run(relief, 3, 60, 1.2, 10);
  assert.ok(crowded.kept < 0.5);
  assert.equal(run(relief, 1, 60, crowded.load, 70).kept, 1);
});

test('edges are looked at each for itself, and not more often than loads can follow', () => {
  const relief = new Relief();
  const first = relief.share('a', 2, 1, 0);
  assert.equal(relief.share('a', 2, 1, 999), first);
  assert.ok(relief.share('a', 2, 1, 1000) < first);
  assert.equal(relief.share('b', 1, 1, 1000), 1);
});
