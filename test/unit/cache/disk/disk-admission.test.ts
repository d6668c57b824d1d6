import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { type AdmissionOptions, DiskAdmission } from '../../../../src/cache/disk/disk-admission.js';
import { ADMIT_NONE } from '../../../../src/cache/memory/admission.js';

const DAY = 86_400;

/** An admission over a ring and a clock that the test moves. */
function admissionOf(options: AdmissionOptions, blocks = 10_000) {
  const ring = { blocks, written: 0, isFull: true };
  const clock = { seconds: 5000 };
  return { ring, clock, admission: new DiskAdmission(options, ring, () => clock.seconds) };
}

test('by views, a block needs as many as are set, and none expects anything of the table of demand', () => {
  const { admission } = admissionOf({ admit: 'views', minHits: 3 });
  assert.deepEqual(admission.admission, { minViews: 3, minUses: 0, seconds: 0 });
  assert.equal(admission.renewal, undefined);
});

test('by demand, a ring that is not full takes everything, and a full one what is used while it stays', () => {
  const { admission, ring, clock } = admissionOf({ admit: 'demand', minHits: 2 });
  ring.isFull = false;
  assert.deepEqual(admission.admission, { minViews: 0, minUses: 0, seconds: 0 });
  assert.equal(admission.renewal, undefined);
  ring.isFull = true;
  // Two blocks a second: the 10,000 of the ring stay for 5,000 s.
  for (let second = 0; second < 20_000; second += 10) {
    ring.written += 20;
    clock.seconds += 10;
    void admission.admission;
  }
  const { minViews, minUses, seconds } = admission.admission;
  assert.equal(minViews, 0);
  assert.equal(minUses, 0.7);
  assert.ok(Math.abs(seconds / 5000 - 1) < 0.02, `${seconds}`);
  assert.deepEqual(admission.renewal, admission.admission);
  // Nobody writes any more: what is there stays for long.
  clock.seconds += 10 * DAY;
  assert.equal(admission.admission.seconds, 7 * DAY);
});

test('when the budget grows short, more is asked of blocks, and in the end none is written', () => {
  for (const admit of ['views', 'demand'] as const) {
    const { admission, ring, clock } = admissionOf({ admit, minHits: 2, writeBudget: 800 * BLOCK_SIZE });
    // A quarter of a day's budget is there at the start, and a day later all of it.
    assert.equal(admission.stats.budgetBytes, 200 * BLOCK_SIZE);
    clock.seconds += DAY;
    assert.equal(admission.stats.budgetBytes, 800 * BLOCK_SIZE);
    const asked = () => (admit === 'views' ? admission.admission.minViews : admission.admission.minUses);
    const before = asked();
    ring.written += 600;
    assert.ok(asked() >= 2 * before);
    ring.written += 150;
    assert.ok(asked() >= 7 * before);
    assert.equal(admission.renewal, undefined, 'nothing goes round again while the budget is short');
    ring.written += 50;
    assert.equal(admission.admission, ADMIT_NONE);
    clock.seconds += DAY / 2;
    assert.equal(asked(), before);
  }
});

test('whatever is asked and written, writes stay within the budget, but for the batch at hand', () => {
  const steps = fc.array(fc.record({ seconds: fc.nat(DAY), batch: fc.integer({ min: 1, max: 16 }) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 2000 }), (all, budget) => {
      const { admission, ring, clock } = admissionOf({
        admit: 'demand',
        minHits: 0,
        writeBudget: budget * BLOCK_SIZE,
      });
      const begin = clock.seconds;
      for (const { seconds, batch } of all) {
        clock.seconds += seconds;
        const { minViews, minUses } = admission.admission;
        assert.ok(minUses >= 0 && Number.isFinite(minUses));
        if (minViews === 0) ring.written += batch;
        const days = (clock.seconds - begin) / DAY;
        assert.ok(ring.written <= budget * (days + 0.25) + 16, `${ring.written} in ${days} days`);
      }
    }),
  );
});
