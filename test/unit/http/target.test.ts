import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../src/base/errors.js';
import { parseHost, parseTarget } from '../../../src/http/target.js';

const target = (path: string, query = '', dropped: string[] = []) => parseTarget(path, query, 8192, new Set(dropped));
const isBadRequest = (error: unknown) => error instanceof EdgeError && error.code === 'bad_request';

const NORMAL: [path: string, normal: string][] = [
  ['/', '/'],
  ['/a/b.mp4', '/a/b.mp4'],
  ['/a/', '/a/'],
  ['/a//b///c', '/a/b/c'],
  ['//evil.example/x', '/evil.example/x'],
  ['/%41%2d%7E', '/A-~'],
  ['/a%20b%3f%23', '/a%20b%3F%23'],
  ['/%252e%252e/x', '/%252e%252e/x'],
  ['/%c3%a9', '/%C3%A9'],
  ['/é/日本', '/%C3%A9/%E6%97%A5%E6%9C%AC'],
  ['/a"b<c>`{}|^[]', '/a%22b%3Cc%3E%60%7B%7D%7C%5E%5B%5D'],
  ['/a;v=1/b', '/a;v=1/b'],
  ['/.hidden/...', '/.hidden/...'],
  ["/!$&'()*+,=:@", "/!$&'()*+,=:@"],
  ['/%F0%9F%8E%AC.mp4', '/%F0%9F%8E%AC.mp4'],
];

for (const [path, normal] of NORMAL) {
  test(`${path} is ${normal}`, () => {
    assert.equal(target(path).path, normal);
    assert.equal(target(normal).path, normal, 'the normal form is its own');
  });
}

for (const path of [
  '',
  'a',
  '*',
  'http://host/a',
  '/..',
  '/.',
  '/../etc/passwd',
  '/a/../b',
  '/a/./b',
  '/a/..',
  '/%2e%2e/x',
  '/%2E./x',
  '/.%2e/x',
  '/%2e',
  '/a/%2e%2e%2fx',
  '/..%2fetc',
  '/..%5cetc',
  '/a\\b',
  '/..\\..',
  '/..;/x',
  '/%2e%2e;x=1/y',
  '/..%3b/x',
  '/a%00b',
  '/a%0ab',
  '/a%0d%0aX: y',
  '/a%7f',
  '/a\x7f',
  '/%',
  '/%2',
  '/%zz',
  '/%u002e',
  '/%c0%ae%c0%ae/x',
  '/%c0%af',
  '/%e0%80%af',
  '/%f8%80%80%80%80',
  '/%ed%a0%80',
  '/%ff',
  '/a\ufffd',
  '/a#b',
  '/%c2%85',
]) {
  test(`refused: ${JSON.stringify(path)}`, () => assert.throws(() => target(path), isBadRequest));
}

test('an overlong URL is refused, one at the limit is not', () => {
  assert.throws(() => parseTarget(`/${'a'.repeat(100)}`, '', 100, new Set()), isBadRequest);
  assert.throws(() => parseTarget('/a', 'b'.repeat(98), 100, new Set()), isBadRequest);
  assert.equal(parseTarget(`/${'a'.repeat(98)}`, '', 100, new Set()).path.length, 99);
  assert.equal(parseTarget('/a', 'b'.repeat(97), 100, new Set()).query.length, 97);
});

const QUERIES: [query: string, rest: string, start: string | undefined, end: string | undefined][] = [
  ['', '', undefined, undefined],
  ['start=10', '', '10', undefined],
  ['start=1.5&end=2', '', '1.5', '2'],
  ['a=1&start=3&b=%2F&&c', 'a=1&b=%2F&&c', '3', undefined],
  ['start=1&start=2&end=&end=5', '', '1', ''],
  ['start', '', '', undefined],
  ['xstart=1&start2=2&Start=3&START=4', 'xstart=1&start2=2&Start=3&START=4', undefined, undefined],
  ['x=start=1', 'x=start=1', undefined, undefined],
  ['utm=1&token=a%2Bb+c&utm', 'token=a%2Bb+c', undefined, undefined],
  ['q="<\\>é', 'q="<\\>%C3%A9', undefined, undefined],
  ['?a=/../..', '?a=/../..', undefined, undefined],
];

for (const [query, rest, start, end] of QUERIES) {
  test(`query ${query}`, () => assert.deepEqual(target('/a', query, ['utm']), { path: '/a', query: rest, start, end }));
}

for (const query of ['a#b', 'a\x7fb', 'a\ufffd', 'a\0']) {
  test(`refused query ${JSON.stringify(query)}`, () => assert.throws(() => target('/a', query), isBadRequest));
}

test('no path decodes to one with a dot segment, a control character or a separator, whatever it is', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2E',
    '%252e',
    '%2f',
    '\\',
    '%5c',
    ';',
    '%3b',
    '%00',
    '%',
    'a',
    'é',
    '%c0%ae',
    '%ef%bc%8e',
    '\ufffd',
    '#',
    '%25',
    '2e',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), pieces => {
      let path: string;
      try {
        path = target(`/${pieces.join('')}`).path;
      } catch (error) {
        assert.ok(isBadRequest(error));
        return;
      }
      assert.match(path, /^\/[\x21-\x7e]*$/);
      for (const segment of path.slice(1).split('/')) {
        const name = decodeURIComponent(segment);
        assert.doesNotMatch(name, /^\.{1,2}(;|$)|[\\/\p{Cc}]/u);
      }
      assert.equal(target(path).path, path);
    }),
    { numRuns: 5000 },
  );
});

test('parameters that are not ours pass byte for byte and in order', () => {
  const parameter = fc.stringMatching(/^[!-"$-%'-<>-~]{1,6}(=[!-"$-%'-~]{0,6})?$/);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(parameter, fc.constantFrom('start=1', 'end=2', 'drop=3')), { minLength: 1 }),
      parameters => {
        const rest = parameters.filter(text => !/^(start|end|drop)(=|$)/.test(text));
        assert.equal(target('/a', parameters.join('&'), ['drop']).query, rest.join('&'));
      },
    ),
  );
});

test('hosts', () => {
  const HOSTS: [field: string, host: string][] = [
    ['Example.COM', 'example.com'],
    ['example.com:8080', 'example.com'],
    ['example.com.', 'example.com'],
    ['[::1]:80', '[::1]'],
    ['127.0.0.1:', '127.0.0.1'],
    ['', ''],
    ['a_b', 'a_b'],
  ];
  for (const [field, host] of HOSTS) assert.equal(parseHost(field), host, field);
  for (const field of ['a b', 'a/b', 'a@b', '[::1', 'a:b', 'é', '[x]', 'a:80:80', '\r\n', 'a'.repeat(300)]) {
    assert.throws(() => parseHost(field), isBadRequest, field);
  }
});
