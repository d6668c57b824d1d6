import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OffsetMap } from '../../../../../src/media/mp4/box/regions.js';
import { NibblePatch, OffsetPatch, WordPatch } from '../../../../../src/media/mp4/table/table-patch.js';
import type { Patch } from '../../../../../src/virtual-file/span.js';

const BASE = 64;

/** Applies `patch` to the window `[from, to)`, with exactly the bytes that it asks for. */
function apply(patch: Patch, object: Uint8Array, from: number, to: number): Buffer {
  const target = Buffer.alloc(to - from);
  patch.apply(object.slice(patch.sourceFrom(from), patch.sourceTo(to)), from, to, target);
  return target;
}

/** Any window of the patch gives the bytes of `expected`. */
function checkWindows(patch: Patch, object: Uint8Array, expected: Buffer, cuts: readonly number[]): void {
  const points = [...new Set([0, expected.length, ...cuts.map(cut => cut % (expected.length + 1))])].sort(
    (a, b) => a - b,
  );
  for (let i = 1; i < points.length; i++) {
    const [from, to] = [points[i - 1]!, points[i]!];
    assert.equal(
      apply(patch, object, from, to).toString('hex'),
      expected.subarray(from, to).toString('hex'),
      `${from} to ${to}`,
    );
  }
}

/** An object with `words` from `BASE` on. */
function objectOf(words: readonly number[]): Buffer {
  const object = Buffer.alloc(BASE + words.length * 4);
  for (const [i, word] of words.entries()) object.writeUInt32BE(word, BASE + i * 4);
  return object;
}

const cuts = fc.array(fc.nat(5000), { maxLength: 8 });
const word = fc.integer({ min: 0, max: 0xffff_ffff });

describe('patches of tables', () => {
  it('add to one word of each entry', () => {
    const shape = fc.constantFrom([4, 0], [8, 4], [12, 0]);
    fc.assert(
      fc.property(
        shape,
        fc.array(word, { minLength: 12, maxLength: 120 }),
        fc.integer({ min: -1e9, max: 1e9 }),
        cuts,
        ([size, at], all, delta, cut) => {
          const words = all.slice(0, all.length - (all.length % (size! / 4)));
          const object = objectOf(words);
          const expected = Buffer.from(object.subarray(BASE));
          for (let i = at!; i < expected.length; i += size!)
            expected.writeUInt32BE((expected.readUInt32BE(i) + delta) >>> 0, i);
          checkWindows(new WordPatch(BASE, size!, at!, delta), object, expected, cut);
        },
      ),
    );
  });

  it('move offsets by one distance, 32-bit to 32-bit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 2 ** 31, max: 0xffff_ffff }), { minLength: 1, maxLength: 60 }),
        fc.nat(2 ** 31),
        cuts,
        (words, less, cut) => {
          const map = new OffsetMap();
          map.place(2 ** 31, 2 ** 31 - less);
          const expected = Buffer.concat(words.map(offset => objectOf([offset - less]).subarray(BASE)));
          checkWindows(new OffsetPatch(BASE, 4, 4, map), objectOf(words), expected, cut);
        },
      ),
    );
  });

  it('move offsets region by region, and widen them', () => {
    const regions = fc.array(fc.record({ gap: fc.nat(2 ** 34), to: fc.nat(2 ** 42) }), { minLength: 1, maxLength: 5 });
    const offsets = fc.array(fc.nat(2 ** 36), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(regions, offsets, fc.boolean(), cuts, (list, wanted, fromWide, cut) => {
        const map = new OffsetMap();
        const places: { from: number; to: number }[] = [];
        for (const { gap, to } of list) {
          const from = (places.at(-1)?.from ?? 0) + gap;
          places.push({ from, to: to + from });
          map.place(from, to + from);
        }
        const values = wanted.map(offset => (fromWide ? offset : offset % 2 ** 32));
        const object = fromWide
          ? objectOf(values.flatMap(value => [Math.floor(value / 2 ** 32), value % 2 ** 32]))
          : objectOf(values);
        const expected = Buffer.alloc(values.length * 8);
        for (const [i, value] of values.entries()) {
          const place = places.findLast(({ from }) => from <= value) ?? places[0]!;
          expected.writeBigUInt64BE(BigInt(value + place.to - place.from), i * 8);
        }
        checkWindows(new OffsetPatch(BASE, fromWide ? 8 : 4, 8, map), object, expected, cut);
      }),
    );
  });

  it('move entries of 4 bits by half a byte', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(15), { minLength: 1, maxLength: 40 }), cuts, (values, cut) => {
        const hex = `f${values.map(value => value.toString(16)).join('')}`;
        const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `${hex}0`, 'hex');
        const object = Buffer.concat([Buffer.alloc(BASE), bytes]);
        const even = hex.slice(1);
        const expected = Buffer.from(even.length % 2 === 0 ? even : `${even}0`, 'hex');
        checkWindows(new NibblePatch(BASE, BASE + bytes.length), object, expected, cut);
      }),
    );
  });
});
