import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ratesOf } from '../../../../../src/view/packaging/presentation/rates.js';
import { sums } from '../../../../support/presentation.js';

it('the peak is that of any run of segments from half to one and a half target durations', () => {
  const segment = fc.record({ ticks: fc.integer({ min: 1, max: 9000 }), bytes: fc.nat(10_000_000) });
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 9 }),
      (segments, target) => {
        const begins = sums(segments.map(({ ticks }) => ticks));
        const sizes = Float64Array.from(segments, ({ bytes }) => bytes);
        const { peak, average } = ratesOf(begins, sizes, 1000, target);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const mean = (total * 8000) / begins.at(-1)!;
        assert.equal(average, Math.ceil((total / begins.at(-1)!) * 8000));
        let most = mean;
        for (let i = 0; i < sizes.length; i++) {
          for (let j = i; j < sizes.length; j++) {
            const seconds = (begins[j + 1]! - begins[i]!) / 1000;
            const bits = 8 * sizes.subarray(i, j + 1).reduce((sum, size) => sum + size, 0);
            if (seconds >= target / 2 && seconds <= target * 1.5) most = Math.max(most, bits / seconds);
          }
        }
        assert.ok(Math.abs(peak - most) <= 1 + most * 1e-9, `${peak} is ${most}`);
      },
    ),
  );
});

it('segments without duration make no rate', () => {
  assert.deepEqual(ratesOf(sums([0]), Float64Array.of(5), 1000, 6), { peak: 0, average: 0 });
});
