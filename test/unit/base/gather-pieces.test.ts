import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { native } from '../../../src/base/native.js';

test('any run of the object gives the bytes of the pieces in it, as far as there is room', () => {
  const object = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) % 251);
  const pieces = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(pieces, fc.nat(), fc.nat(999), fc.nat(999), fc.nat(400), (list, place, base, length, room) => {
      const offsets: number[] = [];
      const begins = [0];
      const places: number[] = [];
      for (const [gap, size] of list) {
        const offset = (places.at(-1) ?? -1) + 1 + gap;
        offsets.push(offset);
        for (let i = 0; i < size; i++) places.push(offset + i);
        begins.push(places.length);
      }
      const at = place % places.length;
      const run = object.slice(base, base + length);
      const target = new Uint8Array(room);
      const count = native.gatherPieces(Float64Array.from(offsets), Float64Array.from(begins), at, run, base, target);
      const expected: number[] = [];
      for (let i = at; i < places.length && expected.length < room; i++) {
        if (places[i]! < base || places[i]! >= base + run.length) break;
        expected.push(object[places[i]!]!);
      }
      assert.deepEqual([...target.subarray(0, count)], expected);
    }),
  );
});

test('arguments that do not fit each other are refused', () => {
  const [two, three] = [Float64Array.of(0, 9), Float64Array.of(0, 1, 2)];
  const [run, target] = [new Uint8Array(16), new Uint8Array(16)];
  const call = (...args: unknown[]) => Reflect.apply(native.gatherPieces, native, args);
  assert.throws(() => call(two, two, 0, run, 0, target), RangeError);
  assert.throws(() => call(two, new Float64Array(0), 0, run, 0, target), RangeError);
  assert.throws(() => call(two, three, 0, run, 0, run.subarray(8)), RangeError);
  assert.throws(() => call([0, 9], three, 0, run, 0, target), TypeError);
  assert.throws(() => call(two, Float32Array.of(0, 1, 2), 0, run, 0, target), TypeError);
  assert.throws(() => call(two, three, '0', run, 0, target), TypeError);
  assert.throws(() => call(two, three, 0, run, undefined, target), TypeError);
  assert.throws(() => call(two, three, 0, 'run', 0, target), TypeError);
});
