import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EdgeError, type ErrorCode } from '../../../../src/base/errors.js';
import { answerFreshness } from '../../../../src/catalog/lookup.js';
import { ageOf, freshnessOf, servesOnError } from '../../../../src/catalog/rfc9111/freshness.js';
import { negativeFreshness } from '../../../../src/catalog/rfc9111/negative-lifetime.js';
import { requestCacheControlOf, useOf } from '../../../../src/catalog/rfc9111/request-cache-control.js';
import { notStored, varyNames } from '../../../../src/catalog/rfc9111/storable.js';
import type { Route } from '../../../../src/catalog/route.js';
import type { OriginAnswer } from '../../../../src/origin/origin.js';
import { DEFAULTS } from '../../../support/defaults.js';

const { freshness: FRESHNESS } = DEFAULTS.catalog;

const DATE = Date.parse('Tue, 06 Jan 2026 10:00:00 GMT');
const http = (seconds: number) => new Date(DATE + seconds * 1000).toUTCString();
/** The answer came at once, at its own date. */
const AT_ONCE = { requestTime: DATE, responseTime: DATE };
const cc = (value: string, more: Record<string, string> = {}) => ({ 'cache-control': value, date: http(0), ...more });

describe('freshness_lifetime (RFC 9111 section 4.2.1)', () => {
  it('is the default where no share of the age of Last-Modified is wanted', () => {
    const lifetime = (fields: Record<string, string>) =>
      freshnessOf(fields, AT_ONCE, { ...FRESHNESS, heuristic: 0 }).lifetime;
    assert.equal(lifetime({ date: http(0), 'last-modified': http(-1e6) }), 600_000);
    assert.equal(lifetime(cc('max-age=7', { 'last-modified': http(-1e6) })), 7000);
  });

  it('is the default of a route where that states one, whatever the age of Last-Modified', () => {
    const lifetime = (route: Partial<Route>, fields: Record<string, string>) =>
      answerFreshness({ freshness: FRESHNESS }, fields, { ...AT_ONCE } as OriginAnswer, route as Route).lifetime;
    const old = { date: http(0), 'last-modified': http(-1e6) };
    assert.equal(lifetime({ freshness: { default: 2000 } }, old), 2000);
    assert.equal(lifetime({ freshness: { default: 2000 }, defaultLifetime: 1000 }, old), 2000, 'of a directory');
    assert.equal(lifetime({ freshness: { max: 9000 } }, old), 9000);
    assert.equal(lifetime({ freshness: { default: 2000 } }, cc('max-age=7')), 7000, 'the origin says so');
  });

  for (const [name, fields, seconds] of [
    ['max-age', cc('max-age=60'), 60],
    ['s-maxage before max-age', cc('max-age=60, s-maxage=10'), 10],
    ['max-age before Expires', cc('max-age=60', { expires: http(1000) }), 60],
    ['Expires less Date', { date: http(-20), expires: http(100) }, 120],
    ['Expires of 0 is in the past', { date: http(0), expires: '0' }, 0],
    ['Expires that is no date is in the past', { date: http(0), expires: 'tomorrow' }, 0],
    ['Expires before Date', { date: http(0), expires: http(-5) }, 0],
    ['Expires in any case of letters', { date: http(0), expires: http(60).toLowerCase() }, 60],
    ['Expires of two dates is none', { date: http(0), expires: `${http(60)}, ${http(90)}` }, 0],
    ['Expires in another zone is none', { date: http(0), expires: http(60).replace('GMT', 'UTC') }, 0],
    ['CDN-Cache-Control of another type is ignored', cc('max-age=60', { 'cdn-cache-control': 'max-age="7"' }), 60],
    ['the first of two max-age', cc('max-age=1, max-age=100'), 1],
    ['max-age that is no number is stale', cc('max-age=soon'), 0],
    ['max-age beyond 2^31 is bounded by the maximum', cc('max-age=99999999999'), 365 * 86_400],
    ['Age that is no number is of any age', cc('max-age=60', { age: 'x' }), 0],
    ['Age below 0 is of any age', cc('max-age=60', { age: '-1' }), 0],
    ['Age with a fraction is of any age', cc('max-age=60', { age: '1.0' }), 0],
    ['Age without a value is of any age', cc('max-age=60', { age: '' }), 0],
    ['Age of several members is that of the first', cc('max-age=60', { age: '1, x' }), 60],
    ['immutable has no lifetime of its own', cc('max-age=60, immutable'), 60],
    ['no-cache', cc('no-cache, max-age=60'), 0],
    ['no-cache for a field only', cc('no-cache="set-cookie", max-age=60'), 60],
    ['heuristic: a tenth of the age of Last-Modified', { date: http(0), 'last-modified': http(-1000) }, 100],
    ['heuristic is bounded', { date: http(0), 'last-modified': http(-1e9) }, 86_400],
    ['heuristic of a date ahead', { date: http(0), 'last-modified': http(1000) }, 0],
    ['heuristic with Cache-Control that says nothing of it', cc('public', { 'last-modified': http(-1000) }), 100],
    ['nothing at all', {}, 600],
    [
      'CDN-Cache-Control before all others',
      cc('max-age=60', { 'cdn-cache-control': 'max-age=7', expires: http(99) }),
      7,
    ],
    [
      'CDN-Cache-Control without a lifetime leaves Expires aside',
      { 'cdn-cache-control': 'public', expires: http(99) },
      600,
    ],
    ['CDN-Cache-Control that is malformed is ignored', cc('max-age=60', { 'cdn-cache-control': 'max-age=7,,' }), 60],
  ] as [string, Record<string, string>, number][]) {
    it(name, () => assert.equal(freshnessOf(fields, AT_ONCE, FRESHNESS).lifetime, seconds * 1000));
  }

  it('keeps within the configured bounds', () => {
    const options = { ...FRESHNESS, min: 30_000, max: 50_000 };
    for (const [value, seconds] of [
      ['max-age=1', 30],
      ['max-age=40', 40],
      ['max-age=90', 50],
      ['no-cache', 0],
    ] as const) {
      assert.equal(freshnessOf(cc(value), AT_ONCE, options).lifetime, seconds * 1000, value);
    }
  });

  it('takes what is configured for the origin where the answer is silent', () => {
    assert.equal(freshnessOf({}, AT_ONCE, FRESHNESS, 5000).lifetime, 5000);
    assert.equal(freshnessOf(cc('max-age=60'), AT_ONCE, FRESHNESS, 5000).lifetime, 60_000);
  });
});

describe('current_age (RFC 9111 section 4.2.3)', () => {
  for (const [name, fields, delay, seconds] of [
    ['from Date', { date: http(-30) }, 0, 30],
    ['from Age', { date: http(0), age: '50' }, 0, 50],
    ['the greater of both', { date: http(-70), age: '50' }, 0, 70],
    ['Age plus the delay of the answer', { date: http(0), age: '50' }, 4, 54],
    ['the delay alone', { date: http(4) }, 4, 4],
    ['a Date ahead of us is now', { date: http(500) }, 0, 0],
    ['without Date', {}, 0, 0],
    ['Age that is no number tells none', { date: http(0), age: 'x' }, 0, 0],
    ['Age below 0 tells none', { date: http(0), age: '-50' }, 0, 0],
    ['Age with a fraction tells none', { date: http(0), age: '50.0' }, 0, 0],
    ['Age with a parameter', { date: http(0), age: '50;a=1' }, 0, 50],
    ['the first Age of a list', { date: http(0), age: '50, 0' }, 0, 50],
    ['the first Age of a list, though another is greater', { date: http(0), age: '0, 50' }, 0, 0],
    ['an Age that begins with what is none', { date: http(0), age: ', 50' }, 0, 0],
    ['Age beyond 2^31', { date: http(0), age: '9'.repeat(30) }, 0, Math.min(2 ** 31, Math.floor(DATE / 1000))],
    ['a Date that is none', { date: 'yesterday' }, 0, 0],
  ] as [string, Record<string, string>, number, number][]) {
    it(name, () => {
      const times = { requestTime: DATE, responseTime: DATE + delay * 1000 };
      const freshness = freshnessOf(fields, times, FRESHNESS);
      assert.equal(ageOf(freshness, times.responseTime), seconds * 1000);
      assert.equal(ageOf(freshness, times.responseTime + 10_000), seconds * 1000 + 10_000);
    });
  }
});

describe('use of a stored answer', () => {
  const options = { ...FRESHNESS, staleIfError: 100_000 };
  const use = (value: string, age: number, wish = '', markedStale = false) => {
    const freshness = freshnessOf(cc(value), AT_ONCE, options);
    const now = DATE + age * 1000;
    const wished = requestCacheControlOf(name => (name === 'cache-control' ? wish : ''));
    const onError = servesOnError(freshness, now, markedStale);
    return `${useOf(freshness, ageOf(freshness, now), now, markedStale, wished)}${onError ? ' or on error' : ''}`;
  };
  for (const [value, age, wish, expected] of [
    ['max-age=60', 59, '', 'fresh or on error'],
    ['max-age=60', 60, '', 'revalidate or on error'],
    ['max-age=60', 159, '', 'revalidate or on error'],
    ['max-age=60', 160, '', 'revalidate'],
    ['max-age=60, stale-while-revalidate=30', 89, '', 'background or on error'],
    ['max-age=60, stale-while-revalidate=30', 90, '', 'revalidate or on error'],
    ['max-age=60, stale-if-error=10', 69, '', 'revalidate or on error'],
    ['max-age=60, stale-if-error=10', 70, '', 'revalidate'],
    ['max-age=60, must-revalidate', 61, '', 'revalidate'],
    ['max-age=60, must-revalidate, stale-while-revalidate=30, stale-if-error=30', 61, '', 'revalidate'],
    ['max-age=60, proxy-revalidate', 61, '', 'revalidate'],
    ['s-maxage=60', 61, '', 'revalidate'],
    ['s-maxage=60, stale-while-revalidate=30', 61, '', 'background'],
    ['no-cache', 0, '', 'revalidate'],
    ['max-age=60', 30, 'no-cache', 'revalidate or on error'],
    ['max-age=60', 30, 'max-age=30', 'fresh or on error'],
    ['max-age=60', 31, 'max-age=30', 'revalidate or on error'],
    ['max-age=60', 30, 'min-fresh=30', 'fresh or on error'],
    ['max-age=60', 31, 'min-fresh=30', 'revalidate or on error'],
    ['max-age=60', 70, 'max-stale=10', 'stale or on error'],
    ['max-age=60', 71, 'max-stale=10', 'revalidate or on error'],
    ['max-age=60', 99_999, 'max-stale', 'stale'],
    ['max-age=60, must-revalidate', 61, 'max-stale', 'revalidate'],
    ['max-age=60', 30, 'max-stale=x', 'fresh or on error'],
  ] as [string, number, string, string][]) {
    it(`${value} at ${age} s${wish && ` when asked for ${wish}`}`, () => assert.equal(use(value, age, wish), expected));
  }

  it('marked stale by a purge', () => {
    assert.equal(use('max-age=60', 1, '', true), 'revalidate or on error');
    assert.equal(use('max-age=60, stale-while-revalidate=5', 1, '', true), 'background or on error');
    assert.equal(use('max-age=60, must-revalidate', 1, '', true), 'revalidate');
  });
});

describe('storing (RFC 9111 section 3)', () => {
  const context = { authorized: false, setCookie: 'drop' as const };
  for (const [value, authorized, expected] of [
    ['', false, undefined],
    ['no-store', false, 'no-store'],
    ['no-store, must-understand', false, undefined],
    ['private', false, 'private'],
    ['private="x-a"', false, undefined],
    ['max-age=60', true, 'authorization'],
    ['public', true, undefined],
    ['s-maxage=60', true, undefined],
    ['must-revalidate', true, undefined],
    ['public, no-store', true, 'no-store'],
  ] as const) {
    it(`${value || 'silence'}${authorized ? ' to Authorization' : ''}: ${expected ?? 'stored'}`, () => {
      assert.equal(notStored({ 'cache-control': value }, { ...context, authorized }), expected);
    });
  }

  it('Vary', () => {
    assert.deepEqual(varyNames({ vary: ' Origin,accept-ENCODING ,, X-B, origin' }), ['origin', 'x-b']);
    assert.equal(notStored({ vary: 'Origin, *' }, context), 'vary');
    assert.equal(notStored({ vary: 'a,b,c,d,e,f,g,h' }, context), undefined);
    assert.equal(notStored({ vary: 'a,b,c,d,e,f,g,h,i' }, context), 'vary');
  });

  it('Set-Cookie by policy', () => {
    assert.equal(notStored({ 'set-cookie': 'a=1' }, context), undefined);
    assert.equal(notStored({ 'set-cookie': 'a=1' }, { ...context, setCookie: 'bypass' }), 'set-cookie');
  });
});

describe('errors', () => {
  for (const [code, value, seconds] of [
    ['not_found', '', 10],
    ['gone', '', 10],
    ['not_found', 'max-age=3', 3],
    ['not_found', 'no-store', 0],
    ['origin_unavailable', '', 1],
    ['origin_unavailable', 'max-age=500', 500],
    ['forbidden', 's-maxage=7, max-age=500', 7],
    ['forbidden', 'private', 0],
    ['forbidden', 'no-cache', 0],
    ['origin_protocol', 'max-age=0', 0],
    ['origin_timeout', '', 1],
    ['forbidden', '', 1],
    ['overloaded', '', 0],
    ['object_changed', '', 0],
    ['internal', '', 0],
  ] as [ErrorCode, string, number][]) {
    it(`${code} with ${value || 'silence'} is remembered for ${seconds} s`, () => {
      const answer = { status: 404, fields: { 'cache-control': value }, size: undefined };
      const { lifetime } = negativeFreshness(new EdgeError(code, ''), answer, FRESHNESS, [], Date.now());
      assert.equal(lifetime, seconds * 1000);
    });
  }

  it('the head of a body that was of no use says nothing of the refusal', () => {
    for (const status of [200, 206, 304]) {
      const answer = { status, fields: { 'cache-control': 'max-age=600' }, size: undefined };
      const error = new EdgeError('origin_protocol', '');
      assert.equal(negativeFreshness(error, answer, FRESHNESS, [], Date.now()).lifetime, FRESHNESS.errorTtl);
    }
  });

  it('counts the age of what was said, and remembers nothing that depends on other fields', () => {
    const now = Date.parse('Tue, 06 Jan 2026 10:00:00 GMT');
    const of = (fields: Record<string, string>, varied: string[] = []) =>
      negativeFreshness(
        new EdgeError('not_found', ''),
        { status: 404, fields, size: undefined },
        FRESHNESS,
        varied,
        now,
      );
    assert.deepEqual(of({ 'cache-control': 'max-age=30', age: '10' }), { lifetime: 20_000, vouched: now - 10_000 });
    assert.deepEqual(of({ 'cache-control': 'max-age=30', age: '40' }).lifetime, 0);
    assert.deepEqual(of({ age: '5000' }).lifetime, FRESHNESS.notFoundTtl);
    const expires = new Date(now + 60_000).toUTCString();
    assert.deepEqual(of({ date: new Date(now).toUTCString(), expires }).lifetime, 60_000);
    assert.deepEqual(of({ 'cache-control': 'max-age=99999999999' }).lifetime, FRESHNESS.max);
    assert.deepEqual(of({ vary: 'Accept-Encoding' }).lifetime, FRESHNESS.notFoundTtl);
    assert.deepEqual(of({ vary: 'Cookie' }).lifetime, 0);
    assert.deepEqual(of({ vary: 'Cookie' }, ['cookie']).lifetime, FRESHNESS.notFoundTtl);
    assert.deepEqual(of({ vary: '*' }, ['cookie']).lifetime, 0);
  });
});
