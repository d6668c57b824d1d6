import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstSource } from '../../../src/virtual-file/first-source.js';
import { lengthOf, sliceSpans } from '../../../src/virtual-file/slice.js';
import { literal, source } from '../../../src/virtual-file/span.js';
import { contentAt } from '../../support/content.js';
import { addPatch, spanLists, wholeOf } from '../../support/span-lists.js';

const object = contentAt('/slice', 'v1', 0, 4096);

test('a slice of any span list holds the slice of its bytes', () => {
  fc.assert(
    fc.property(spanLists(object.length), fc.nat(), fc.nat(), (spans, a, b) => {
      const size = lengthOf(spans);
      const [from, to] = [a % (size + 1), b % (size + 1)].sort((x, y) => x - y) as [number, number];
      const slice = sliceSpans(spans, from, to);
      assert.equal(lengthOf(slice), to - from);
      assert.deepEqual(wholeOf(slice, object), wholeOf(spans, object).subarray(from, to));
    }),
  );
});

test('a slice of a slice is right, patches shifted twice included', () => {
  const spans = [addPatch(0, 100, 4, 8, 0xfffffff0)];
  const twice = sliceSpans(sliceSpans(spans, 13, 700), 9, 500);
  assert.deepEqual(wholeOf(twice, object), wholeOf(spans, object).subarray(22, 513));
});

test('what lies past the end is left out', () => {
  assert.deepEqual(sliceSpans([source(10, 5)], 3, 100), [source(13, 2)]);
  assert.deepEqual(sliceSpans([source(10, 5)], 5, 100), []);
});

test('the first source bytes of an answer are found behind literals', () => {
  const spans = [literal(Buffer.from('head')), source(100, 10), addPatch(200, 4, 4, 8, 1)];
  assert.deepEqual(firstSource(spans, 0, 46), { offset: 100, end: 110 });
  assert.deepEqual(firstSource(spans, 0, 6), { offset: 100, end: 102 });
  assert.deepEqual(firstSource(spans, 6, 2), { offset: 102, end: 104 });
  assert.deepEqual(firstSource(spans, 22, 20), { offset: 204, end: 216 });
  assert.equal(firstSource(spans, 0, 4), undefined);
});
