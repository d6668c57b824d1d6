import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IndexReader, IndexWriter } from '../../../../src/media/io/index-bytes.js';

const rising = fc
  .array(fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat()), { maxLength: 50 })
  .map(numbers => numbers.sort((a, b) => a - b));

test('what is written is read again', () => {
  fc.assert(
    fc.property(rising, fc.uint8Array(), fc.nat(255), fc.double({ noNaN: true }), (row, bytes, u8, f64) => {
      const writer = new IndexWriter().rising(row).bytes(bytes).u8(u8).f64(f64).text('avc1');
      const reader = new IndexReader(writer.finish());
      assert.deepEqual([...reader.rising(Number.MAX_SAFE_INTEGER, false)], row);
      assert.deepEqual(reader.bytes(1000), bytes);
      assert.deepEqual([reader.u8(), reader.f64(), reader.text()], [u8, f64, 'avc1']);
      reader.end();
    }),
  );
});

test('bytes that are something else are refused with RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      const reader = new IndexReader(bytes);
      try {
        reader.rising(1e6, true);
        reader.bytes(1e6);
        reader.whole(10);
        reader.end();
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
  );
});

test('bounds hold: a limit, a strict rise, the length of bytes, left-over bytes', () => {
  const written = new IndexWriter().rising([5, 5, 9]).finish();
  assert.throws(() => new IndexReader(written).rising(8, false), RangeError);
  assert.throws(() => new IndexReader(written).rising(9, true), RangeError);
  assert.deepEqual([...new IndexReader(written).rising(9, false)], [5, 5, 9]);
  assert.throws(() => new IndexReader(new IndexWriter().bytes(new Uint8Array(3)).finish()).bytes(2), RangeError);
  assert.throws(() => new IndexReader(written).end(), RangeError);
  assert.throws(() => new IndexReader(new IndexWriter().f64(1.5).finish()).whole(9), RangeError);
  const huge = new IndexWriter().u32(0xffffffff).finish();
  assert.throws(() => new IndexReader(huge).rising(9, false), RangeError);
});
