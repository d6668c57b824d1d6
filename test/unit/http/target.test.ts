import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../src/base/errors.js';
import { parseHost, parseTarget } from '../../../src/http/target.js';

const NO_NAMES = { views: new Set<string>(), dropped: new Set<string>() };
const target = (path: string, query = '', dropped: string[] = []) =>
  parseTarget(path, query, 8192, { views: new Set(['start', 'end']), dropped: new Set(dropped) });
const isBadRequest = (error: unknown) => error instanceof EdgeError && error.code === 'bad_request';

const NORMAL: [path: string, normal: string][] = [
  ['/', '/'],
  ['/a/b.mp4', '/a/b.mp4'],
  ['/a/', '/a/'],
  ['/a//b///c', '/a//b///c'],
  ['//evil.example/x', '//evil.example/x'],
  ['//', '//'],
  ['/%41%2d%7E', '/%41%2d%7E'],
  ['/a%20b%3f%23', '/a%20b%3f%23'],
  ['/o/films%2Fa.mp4', '/o/films%2Fa.mp4'],
  ['/a%5cb', '/a%5cb'],
  ['/a%2f%2F', '/a%2f%2F'],
  ['/caf%E9.mp4', '/caf%E9.mp4'],
  ['/%CD%A8%D3%C3.mp4', '/%CD%A8%D3%C3.mp4'],
  ['/%c0%af', '/%c0%af'],
  ['/%e0%80%af', '/%e0%80%af'],
  ['/%f8%80%80%80%80', '/%f8%80%80%80%80'],
  ['/%ed%a0%80', '/%ed%a0%80'],
  ['/%ff', '/%ff'],
  ['/%85', '/%85'],
  ['/a..b/..c/d../...', '/a..b/..c/d../...'],
  ['/%252e%252e/x', '/%252e%252e/x'],
  ['/%c3%a9', '/%c3%a9'],
  ['/é/日本', '/%C3%A9/%E6%97%A5%E6%9C%AC'],
  ['/a"b<c>`{}|^[]', '/a"b<c>`{}|^[]'],
  ['/a;v=1/b', '/a;v=1/b'],
  ['/.hidden/...', '/.hidden/...'],
  ["/!$&'()*+,=:@", "/!$&'()*+,=:@"],
  ['/%F0%9F%8E%AC.mp4', '/%F0%9F%8E%AC.mp4'],
];

for (const [path, normal] of NORMAL) {
  test(`${path} is ${normal}`, () => {
    assert.equal(target(path).path, normal);
    assert.equal(target(normal).path, normal, 'what came through comes through');
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
  '/%c0%ae./x',
  '/%e0%80%ae.',
  '/a%c0%af..%c1%9cx',
  '/a%2f..',
  '/a%2F.%2Fb',
  '/a%5C%2e%2e%5Cb',
  '/%2f..%2f',
  '/a\ud800',
  '/a?b',
  '/a\ufffd',
  '/a#b',
  '/%c2%85',
]) {
  test(`refused: ${JSON.stringify(path)}`, () => assert.throws(() => target(path), isBadRequest));
}

test('an overlong URL is refused, one at the limit is not', () => {
  assert.throws(() => parseTarget(`/${'a'.repeat(100)}`, '', 100, NO_NAMES), { code: 'uri_too_long' });
  assert.throws(() => parseTarget('/a', 'b'.repeat(98), 100, NO_NAMES), { code: 'uri_too_long' });
  assert.equal(parseTarget(`/${'a'.repeat(98)}`, '', 100, NO_NAMES).path.length, 99);
  assert.equal(parseTarget('/a', 'b'.repeat(97), 100, NO_NAMES).query.length, 97);
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

test('what lets a player in is kept apart from the query', () => {
  const names = { views: new Set(['start']), dropped: new Set(['utm', 'e']), tokens: new Set(['e', 'k']) };
  const { query, tokens, parameters } = parseTarget('/a', 'a=1&k=x%2f&utm=2&start=3&e=4&ke=5&k="6', 1000, names);
  assert.deepEqual([query, tokens], ['a=1&ke=5', 'k=x%2f&e=4&k="6']);
  assert.deepEqual([...parameters], [['start', '3']]);
});

for (const [query, rest, start, end] of QUERIES) {
  test(`query ${query}`, () => {
    const { parameters, ...others } = target('/a', query, ['utm']);
    assert.deepEqual(others, { path: '/a', query: rest, tokens: '' });
    assert.deepEqual([parameters.get('start'), parameters.get('end')], [start, end]);
    assert.equal(parameters.size, [start, end].filter(value => value !== undefined).length);
  });
}

for (const query of ['a#b', 'a\x7fb', 'a\ufffd', 'a\0']) {
  test(`refused query ${JSON.stringify(query)}`, () => assert.throws(() => target('/a', query), isBadRequest));
}

const PIECES = fc.array(
  fc.oneof(
    fc.constantFrom(
      '/',
      '//',
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
      '|',
    ),
    fc.constantFrom(
      '%c0%ae',
      '%c0%af',
      '%ef%bc%8e',
      '\ufffd',
      '#',
      '%25',
      '2e',
      '%e9',
      '%d3%c3',
      '%41',
      '~',
      '%7e',
      '%0a',
    ),
    fc.integer({ min: 0, max: 255 }).map(octet => `%${octet.toString(16).padStart(2, '0')}`),
  ),
  { maxLength: 10 },
);

test('a path is refused or comes through octet for octet, without dot segments and control characters', () => {
  fc.assert(
    fc.property(PIECES, pieces => {
      const given = `/${pieces.join('')}`;
      let path: string;
      try {
        path = target(given).path;
      } catch (error) {
        assert.ok(isBadRequest(error));
        return;
      }
      assert.match(path, /^\/[\x21-\x7e]*$/);
      assert.equal(path, given.replaceAll('é', '%C3%A9'));
      const octets = Buffer.from(
        path.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        'latin1',
      );
      for (const segment of octets.toString('latin1').split(/[/\\]/)) {
        assert.doesNotMatch(segment, /^\.{1,2}(;|$)|[^\x20-\x7e\x80-\xff]/);
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
