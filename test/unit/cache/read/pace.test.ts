import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Pace } from '../../../../src/cache/read/pace.js';

describe('Pace', () => {
  it('is unbounded until there is something to tell it by', () => {
    const pace = new Pace(1000);
    pace.restart(50);
    assert.equal(pace.blocks(50), Number.POSITIVE_INFINITY);
    assert.equal(pace.blocks(5000), Number.POSITIVE_INFINITY);
    pace.advance(50);
    assert.equal(pace.blocks(50), Number.POSITIVE_INFINITY);
  });

  it('is what a steady reader reads in a span, however long it goes on', () => {
    const steps = fc.integer({ min: 1, max: 500 });
    const interval = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(steps, interval, (count, each) => {
        const pace = new Pace(1000);
        pace.restart(0);
        for (let step = 1; step <= count; step++) pace.advance(step * each);
        assert.ok(Math.abs(pace.blocks(count * each) - 1000 / each) <= 1);
      }),
    );
  });

  it('forgets a rush, and what was before it began anew', () => {
    const pace = new Pace(1000);
    pace.restart(0);
    for (let step = 0; step < 100; step++) pace.advance(step);
    assert.ok(pace.blocks(100) >= 1000);
    for (let step = 1; step <= 20; step++) pace.advance(100 + step * 500);
    assert.ok(pace.blocks(10_100) <= 4, `${pace.blocks(10_100)}`);
    pace.restart(20_000);
    pace.advance(20_500);
    assert.equal(pace.blocks(20_500), 2);
  });

  it('knows no bound without a span', () => {
    const pace = new Pace(Number.POSITIVE_INFINITY);
    pace.restart(0);
    pace.advance(10);
    assert.equal(pace.blocks(20), Number.POSITIVE_INFINITY);
  });
});
