import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Overlap } from '../../../../src/origin/http/overlap.js';

/** What came of a continuation that came in pieces. */
function continues(overlap: Overlap, body: Uint8Array, before: number, cuts: readonly number[]): boolean {
  let left = before + overlap.length;
  let at = 0;
  for (const cut of [...cuts, body.length]) {
    const chunk = body.subarray(at, Math.max(at, cut));
    if (left > 0 && !overlap.repeats(chunk, left)) return false;
    left -= Math.min(left, chunk.length);
    at += chunk.length;
  }
  return true;
}

test('a continuation is taken if and only if it repeats the end of what was there', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 9000, max: 3 });
  fc.assert(
    fc.property(
      fc.array(bytes, { minLength: 1, maxLength: 5 }),
      bytes,
      fc.nat(),
      fc.array(fc.nat(9000)),
      (chunks, rest, at, cuts) => {
        const overlap = new Overlap();
        for (const chunk of chunks) overlap.push(chunk);
        const had = Buffer.concat(chunks);
        assert.equal(overlap.length, Math.min(4096, had.length));
        // From anywhere before the overlap on.
        const from = at % (had.length - overlap.length + 1);
        const body = Buffer.concat([had.subarray(from), rest]);
        const order = cuts.toSorted((a, b) => a - b).filter(cut => cut < body.length);
        const before = had.length - overlap.length - from;
        assert.ok(continues(overlap, body, before, order));
        const wrong = Buffer.from(body);
        const place = before + (at % overlap.length);
        wrong[place] = 255;
        assert.ok(!continues(overlap, wrong, before, order));
      },
    ),
  );
});

test('padding tells nothing', () => {
  const overlap = new Overlap();
  overlap.push(Buffer.alloc(10_000));
  assert.equal(overlap.tells, false);
  overlap.push(Buffer.from(Array.from({ length: 100 }, (_, i) => i)));
  assert.equal(overlap.tells, true);
});
