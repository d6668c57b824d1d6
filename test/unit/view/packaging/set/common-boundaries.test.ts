import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { areDense, commonCut, commonPoints, leadsOf } from '../../../../../src/view/packaging/set/common-boundaries.js';

const every = (step: number, count: number, from = 0) =>
  Float64Array.from({ length: count }, (_, i) => from + i * step);

it('common points are those of all files, the earliest of each', () => {
  assert.deepEqual(commonPoints([every(2, 10), every(3, 10)]), [0, 6, 12, 18]);
  assert.deepEqual(commonPoints([every(2, 3), Float64Array.of(0.001, 1.998, 4.02)]), [0, 1.998]);
  assert.deepEqual(commonPoints([every(2, 3)]), [0, 2, 4]);
  assert.deepEqual(commonPoints([]), []);
});

it('a set is cut at the first common point at or after each multiple of the length', () => {
  assert.deepEqual([...commonCut([...every(2, 10)], 0, 6).boundaries], [6, 12, 18]);
  assert.deepEqual([...commonCut([...every(4, 6)], 0, 6).boundaries], [8, 12, 20]);
  assert.deepEqual([...commonCut([...every(10, 4)], 0, 6).boundaries], [10, 20, 30]);
  const clip = commonCut([...every(2, 10)], 5.9, 4);
  assert.deepEqual([clip.start, ...clip.boundaries], [4, 4, 8, 12]);
  assert.equal(commonCut([...every(2, 10)], 6, 4).start, 6);
  assert.equal(commonCut([...every(2, 10, 1)], 0, 4).start, 0);
});

it('common points are enough when they are no rarer than the longest GOP, or than two segments', () => {
  const dense = (...points: Float64Array[]) => areDense(commonPoints(points), points, 6);
  assert.ok(dense(every(2, 300), every(2, 300)));
  assert.ok(dense(every(2, 300), every(3, 200)), 'every 6 s');
  assert.ok(dense(every(30, 20), every(30, 20)), 'GOPs of 30 s in both');
  assert.ok(dense(every(2, 300), every(30, 20)), 'GOPs of 30 s in one');
  assert.ok(!dense(every(2, 300), every(2.3, 260)));
  assert.ok(!dense(every(2, 300), every(2, 300, 0.5)));
});

it('files whose pictures begin a little before those of others wait for them', () => {
  assert.deepEqual(leadsOf([every(2, 3), every(2, 3, 0.0625), every(2, 3, 0.03125)]), [0.0625, 0, 0.03125]);
  assert.deepEqual(leadsOf([every(2, 3), every(2, 3, 0.5)]), [0, 0], 'that is more than what edit lists hide');
  assert.deepEqual(leadsOf([every(2, 3), new Float64Array()]), [0, 0]);
  assert.deepEqual(leadsOf([]), []);
});

it('boundaries rise, are common, and are no nearer than they must be', () => {
  const points = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 80 }).map(steps => {
    let sum = 0;
    return [0, ...steps].map(step => {
      sum += step / 10;
      return sum;
    });
  });
  fc.assert(
    fc.property(points, fc.integer({ min: 1, max: 100 }), fc.nat(1000), (common, target, wanted) => {
      const { start, boundaries } = commonCut(common, wanted / 10, target / 10);
      assert.ok(common.includes(start) && start <= wanted / 10 + 0.005);
      let before = 0;
      for (const second of boundaries) {
        assert.ok(second > before);
        assert.ok(common.some(point => Math.abs(point - start - second) < 1e-9));
        assert.ok(Math.floor((second + 0.005) / (target / 10)) > Math.floor((before + 0.005) / (target / 10)));
        before = second;
      }
    }),
  );
});
