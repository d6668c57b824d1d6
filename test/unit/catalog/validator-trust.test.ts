import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ValidatorTrust } from '../../../src/catalog/validator-trust.js';
import { hasValidator } from '../../../src/origin/fields.js';

const validator = (etag: string) => ({ etag: `"${etag}"`, lastModified: undefined });

/** One URL, asked about at times in seconds. */
function bench() {
  let now = 1_000_000_000;
  const trust = new ValidatorTrust(() => now);
  return {
    pass: (seconds: number) => {
      now += seconds * 1000;
    },
    isTrusted: (etag: string) => hasValidator(trust.trusted('film', validator(etag))),
    /** A version that this process has had for so long is gone. */
    gone: (etag: string, age: number) => trust.gaveWay('film', validator(etag), now - age * 1000),
  };
}

describe('validators', () => {
  it('of a file that is replaced after a while are trusted', () => {
    const { isTrusted, gone } = bench();
    assert.ok(isTrusted('a'));
    gone('a', 60);
    assert.ok(isTrusted('b'));
  });

  it('of a file that is replaced soon, once, are trusted again when the next one stays for two seconds', () => {
    const { isTrusted, gone, pass } = bench();
    gone('a', 5);
    assert.equal(isTrusted('b'), false);
    pass(1);
    assert.equal(isTrusted('b'), false);
    pass(1);
    assert.ok(isTrusted('b'));
    assert.ok(isTrusted('b'));
  });

  it('that are replaced soon again within ten minutes have to stay for a minute', () => {
    const { isTrusted, gone, pass } = bench();
    gone('a', 5);
    isTrusted('b');
    pass(2);
    assert.ok(isTrusted('b'));
    pass(30);
    gone('b', 32);
    assert.equal(isTrusted('c'), false);
    pass(59);
    assert.equal(isTrusted('c'), false);
    pass(1);
    assert.ok(isTrusted('c'));
    pass(601);
    gone('c', 5);
    assert.equal(isTrusted('d'), false);
    pass(2);
    assert.ok(isTrusted('d'), 'what was long ago is forgotten');
  });

  for (const [what, next] of [
    ['another one', ['b', 'c', 'c']],
    ['the one that was gone', ['a', 'a', 'a']],
    ['that one in turns', ['b', 'a', 'a']],
  ] as const) {
    it(`that contradict each other have to stay for a minute: ${what}`, () => {
      const { isTrusted, gone, pass } = bench();
      gone('a', 5);
      for (const etag of next) {
        assert.equal(isTrusted(etag), false);
        pass(3);
      }
      assert.equal(isTrusted(next[2]), false);
      pass(60);
      assert.ok(isTrusted(next[2]));
    });
  }

  it('that are different in each answer are never trusted, once a version of it gave way', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 30 }), pauses => {
        const { isTrusted, gone, pass } = bench();
        gone('first', 1);
        for (const [index, seconds] of pauses.entries()) {
          pass(seconds);
          assert.equal(isTrusted(String(index)), false);
        }
      }),
    );
  });
});
