import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstSource } from '../../../src/virtual-file/first-source.js';
import { gathered } from '../../../src/virtual-file/gathered.js';
import { openSection } from '../../../src/virtual-file/sections.js';
import { lengthOf, sliceSpans } from '../../../src/virtual-file/slice.js';
import { literal, type Span, source } from '../../../src/virtual-file/span.js';
import { contentAt } from '../../support/content.js';
import { pieceLists, sectionsOf, wholeOf } from '../../support/span-lists.js';

const object = contentAt('/gathered', 'v1', 0, 4096);

test('any pieces give their bytes, in their order', () => {
  const pieces = fc.array(fc.tuple(fc.nat(4095), fc.nat(300)), { maxLength: 40 });
  fc.assert(
    fc.property(pieces, list => {
      const places = list.map(([offset, length]) => [offset, Math.min(length, 4096 - offset)] as const);
      const spans = gathered(
        places.map(([offset]) => offset),
        places.map(([, length]) => length),
      );
      const expected = Buffer.concat(places.map(([offset, length]) => object.subarray(offset, offset + length)));
      assert.deepEqual(wholeOf(spans, object), expected);
      for (const span of spans) {
        assert.ok(span.length > 0);
        if (span.kind !== 'gathered') continue;
        assert.ok(span.offsets.length > 1, 'one piece is a source span');
        for (let i = 1; i < span.offsets.length; i++) {
          const end = span.offsets[i - 1]! + span.begins[i]! - span.begins[i - 1]!;
          assert.ok(span.offsets[i]! > end, 'pieces ascend, and neighbours are one');
        }
      }
    }),
  );
});

test('neighbours are one piece, empty ones none, and what is left of one piece is a source span', () => {
  assert.deepEqual(gathered([10, 15, 99, 20], [5, 5, 0, 4]), [source(10, 14)]);
  assert.deepEqual(gathered([], []), []);
  assert.deepEqual(gathered([7], [0]), []);
  const [span] = gathered([10, 30], [5, 5]);
  assert.deepEqual(sliceSpans([span!], 5, 9), [source(30, 4)]);
  assert.deepEqual(sliceSpans([span!], 1, 5), [source(11, 4)]);
});

test('a span holds no pieces between which a block lies that holds neither', () => {
  const near = gathered([10, 2 * BLOCK_SIZE - 1], [5, 5]);
  assert.equal(near.length, 1);
  const far = gathered([10, 2 * BLOCK_SIZE, 2 * BLOCK_SIZE + 9], [5, 5, 5]);
  assert.deepEqual(
    far.map(({ kind }) => kind),
    ['source', 'gathered'],
  );
  const back = gathered([30, 10, 20], [5, 5, 5]);
  assert.deepEqual(
    back.map(({ kind }) => kind),
    ['source', 'gathered'],
  );
});

test('the source of an answer goes from its first piece to the end of its last', () => {
  const spans = [literal(Buffer.from('moof')), ...gathered([100, 200, 300], [10, 10, 10])];
  assert.deepEqual(firstSource(spans, 0, 34), { offset: 100, end: 310 });
  assert.deepEqual(firstSource(spans, 0, 6), { offset: 100, end: 102 });
  assert.deepEqual(firstSource(spans, 15, 10), { offset: 201, end: 301 });
  assert.deepEqual(firstSource(spans, 14, 10), { offset: 200, end: 210 });
});

test('opened section after section, a span of sections is its bytes', async () => {
  const lists = fc.array(pieceLists(object.length), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(lists, fc.nat(), fc.nat(), fc.nat(31), async (sections, a, b, later) => {
      const whole = sectionsOf(sections, i => ((later >> i) & 1) === 1);
      const from = a % whole.length;
      const to = from + 1 + (b % (whole.length - from));
      const parts: Buffer[] = [];
      let rest: Span | undefined = sliceSpans([whole], from, to)[0];
      for (let opens = 1; rest !== undefined; opens++) {
        assert.ok(rest.kind === 'sectioned' && opens <= sections.length);
        const spans: readonly Span[] = await openSection(rest, 0);
        assert.equal(lengthOf(spans), rest.length);
        const last: Span = spans.at(-1)!;
        rest = last.kind === 'sectioned' ? last : undefined;
        parts.push(wholeOf(rest === undefined ? spans : spans.slice(0, -1), object));
      }
      assert.deepEqual(Buffer.concat(parts), wholeOf([whole], object).subarray(from, to));
    }),
  );
});

test('a section that is not of its length is not believed', async () => {
  for (const later of [false, true]) {
    const span = sectionsOf([[source(0, 10)], [source(20, 10)]], () => later);
    assert.ok(span.kind === 'sectioned');
    const wrong = { ...span, begins: Float64Array.of(0, 9, 20) };
    await assert.rejects(async () => openSection(wrong, 3), { code: 'internal', message: /section 0 .* 10 bytes/ });
  }
});
