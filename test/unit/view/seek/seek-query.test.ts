import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseSeek } from '../../../../src/view/seek/seek-query.js';

const parse = (start?: string, end?: string) => parseSeek({ start, end });

describe('start and end', () => {
  it('are seconds with decimals', () => {
    assert.deepEqual(parse('10'), { start: 10, end: undefined });
    assert.deepEqual(parse('10.25', '20.5'), { start: 10.25, end: 20.5 });
    assert.deepEqual(parse('.5', '1.'), { start: 0.5, end: 1 });
    assert.deepEqual(parse(undefined, '7'), { start: 0, end: 7 });
    assert.deepEqual(parse('0'), { start: 0, end: undefined });
  });

  it('are ignored when they are malformed, negative, or end before they start', () => {
    for (const text of [
      'undefined',
      'NaN',
      '',
      ' 1',
      '1 ',
      '-1',
      '+1',
      '1e3',
      '0x10',
      'Infinity',
      '1,5',
      '.',
      '1.2.3',
      '٣',
      '9'.repeat(33),
    ]) {
      assert.equal(parse(text), undefined, text);
      assert.equal(parse(text, text), undefined, text);
      assert.deepEqual(parse('3', text), { start: 3, end: undefined }, text);
      assert.deepEqual(parse(text, '3'), { start: 0, end: 3 }, text);
    }
    assert.deepEqual(parse('5', '5'), { start: 5, end: undefined });
    assert.deepEqual(parse('5', '4'), { start: 5, end: undefined });
    assert.equal(parse(undefined, '0'), undefined);
    assert.equal(parse(), undefined);
  });

  it('never come out as anything but finite numbers in order', () => {
    fc.assert(
      fc.property(
        fc.option(fc.string(), { nil: undefined }),
        fc.option(fc.string({ unit: fc.constantFrom(...'0123456789.-') }), { nil: undefined }),
        (a, b) => {
          for (const seek of [parse(a, b), parse(b, a), parse(b, b)]) {
            if (seek === undefined) continue;
            assert.ok(Number.isFinite(seek.start) && seek.start >= 0);
            assert.ok(seek.end === undefined || (Number.isFinite(seek.end) && seek.end > seek.start));
          }
        },
      ),
    );
  });
});
