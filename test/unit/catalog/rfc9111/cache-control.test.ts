import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isUnqualified,
  namedFields,
  parseCacheControl,
  parseTargeted,
  secondsOf,
} from '../../../../src/catalog/rfc9111/cache-control.js';

const plain = (value: string) => Object.fromEntries(parseCacheControl(value));

describe('parseCacheControl', () => {
  for (const [value, expected] of [
    ['max-age=60', { 'max-age': '60' }],
    ['Max-Age=60, NO-STORE', { 'max-age': '60', 'no-store': undefined }],
    ['max-age="60"', { 'max-age': '60' }],
    ['private="set-cookie, x-a" , max-age=5', { private: 'set-cookie, x-a', 'max-age': '5' }],
    ['max-age =5, s-maxage= 5, public', { 'max-age': undefined, 's-maxage': '', public: undefined }],
    ['ext="a\\"b,c", public', { ext: 'a"b,c', public: undefined }],
    ['max-age=1, max-age=2', { 'max-age': '1' }],
    [',, ,no-cache,,', { 'no-cache': undefined }],
    ['@@@, public', { public: undefined }],
    ['max-age=60; public', { 'max-age': '60;' }],
    ['', {}],
  ] as const) {
    it(JSON.stringify(value), () => assert.deepEqual(plain(value), expected));
  }

  it('ends, whatever it is given', () => {
    fc.assert(fc.property(fc.string({ maxLength: 300 }), value => void parseCacheControl(value)));
    parseCacheControl('"'.repeat(100_000));
    parseCacheControl('a="\\'.repeat(20_000));
    assert.ok(parseCacheControl('a,b,c,'.repeat(10_000)).size <= 64);
  });

  it('seconds: what is no number is 0, what is too large is 2^31', () => {
    for (const [value, expected] of [
      ['max-age=60', 60],
      ['max-age=-1', 0],
      ['max-age=1.5', 0],
      ['max-age=', 0],
      ['max-age', 0],
      ['max-age=99999999999999999999', 2 ** 31],
      ['public', undefined],
    ] as const) {
      assert.equal(secondsOf(parseCacheControl(value), 'max-age'), expected, value);
    }
  });

  it('tells a directive for named fields from one for the whole answer', () => {
    const directives = parseCacheControl('private="Set-Cookie", no-cache');
    assert.deepEqual(namedFields(directives, 'private'), ['set-cookie']);
    assert.ok(!isUnqualified(directives, 'private'));
    assert.ok(isUnqualified(directives, 'no-cache'));
    assert.ok(!isUnqualified(directives, 'no-store'));
  });
});

describe('parseTargeted (RFC 9213)', () => {
  for (const [value, expected] of [
    ['max-age=600', { 'max-age': '600' }],
    ['max-age=600, stale-while-revalidate=30;x="y"', { 'max-age': '600', 'stale-while-revalidate': '30' }],
    ['no-store', { 'no-store': undefined }],
    ['no-store=?1, private=?0', { 'no-store': undefined }],
    ['max-age=60, max-age=120', { 'max-age': '120' }],
    // Malformed as Structured Fields, so the whole field is ignored.
    ['Max-Age=60', undefined],
    ['max-age=60,,no-store', undefined],
    ['max-age=60 no-store', undefined],
    ['max-age="a', undefined],
    ['max-age="60"', undefined],
    ['max-age', undefined],
    ['stale-if-error=?1', undefined],
    ['', undefined],
    ['   ', undefined],
    [undefined, undefined],
  ] as const) {
    it(JSON.stringify(value) ?? 'absent', () => {
      const parsed = parseTargeted(value);
      assert.deepEqual(parsed && Object.fromEntries(parsed), expected);
    });
  }

  it('ends, whatever it is given', () => {
    fc.assert(fc.property(fc.string({ maxLength: 300 }), value => void parseTargeted(value)));
    parseTargeted(`a${';a'.repeat(50_000)}"`);
  });
});
