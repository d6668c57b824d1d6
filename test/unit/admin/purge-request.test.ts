import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrefetch } from '../../../src/admin/prefetch.js';
import { parseEdgeUrl, parsePurge } from '../../../src/admin/purge-request.js';
import { EdgeError } from '../../../src/base/errors.js';

test('URLs and paths are what a player would ask for', () => {
  assert.deepEqual(parseEdgeUrl('http://Films.Example:8080/a b/./c.mp4?x=1#f'), {
    host: 'films.example',
    path: '/a%20b/c.mp4',
    query: 'x=1',
  });
  assert.deepEqual(parseEdgeUrl('/a/../b?c'), { host: undefined, path: '/b', query: 'c' });
  const paths = {
    '/a//b/%2Fc%5c/caf%E9|"': '/a//b/%2Fc%5c/caf%E9|"',
    '/é\\': '/%C3%A9\\',
    '/a/%2e%2E/./b/..': '/',
    '/../../a/.': '/a/',
    'http://h//a//': '//a//',
    'HTTP://h?q=1?2': '/',
  };
  for (const [given, path] of Object.entries(paths)) assert.equal(parseEdgeUrl(given).path, path, given);
  assert.equal(parseEdgeUrl('HTTP://h?q=é?2#x').query, 'q=%C3%A9?2');
});

test('purges have exactly one scope', () => {
  assert.deepEqual(parsePurge({ all: true }), { scope: { kind: 'all' }, soft: false });
  assert.deepEqual(parsePurge({ prefix: '/films/', soft: true }), {
    scope: { kind: 'prefix', prefix: { host: undefined, path: '/films/', query: '' } },
    soft: true,
  });
  assert.equal(parsePurge({ urls: ['/a', 'http://h/b'] }).scope.kind, 'urls');
  const wrong = [
    {},
    [],
    null,
    'all',
    { all: false },
    { all: true, prefix: '/' },
    { urls: [] },
    { urls: 'a' },
    { urls: ['a'] },
    { urls: ['//host/a'] },
    { urls: ['ftp://h/a'] },
    { urls: [`/${'a'.repeat(20_000)}`] },
    { urls: Array(10_001).fill('/a') },
    { all: true, soft: 1 },
    { al: true },
  ];
  for (const body of wrong)
    assert.throws(() => parsePurge(body), { code: 'bad_request' }, JSON.stringify(body).slice(0, 60));
});

test('prefetches name URLs and perhaps seconds', () => {
  assert.equal(parsePrefetch({ urls: ['/a'], seconds: 30 }).seconds, 30);
  assert.equal(parsePrefetch({ urls: ['/a'] }).hls, false);
  assert.equal(parsePrefetch({ urls: ['/a'], hls: true }).hls, true);
  assert.throws(() => parsePrefetch({ urls: ['/a'], hls: 'yes' }), { code: 'bad_request' });
  for (const seconds of [0, -1, '5', Number.POSITIVE_INFINITY, 1e9]) {
    assert.throws(() => parsePrefetch({ urls: ['/a'], seconds }), { code: 'bad_request' }, String(seconds));
  }
});

test('no body makes it throw anything but an EdgeError', () => {
  fc.assert(
    fc.property(fc.jsonValue(), body => {
      for (const parse of [parsePurge, parsePrefetch]) {
        try {
          parse(body);
        } catch (error) {
          assert.ok(error instanceof EdgeError, String(error));
        }
      }
    }),
  );
});
