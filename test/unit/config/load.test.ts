import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, type FlagValue, loadConfig } from '../../../src/config/load.js';
import { defaultConfig } from '../../../src/config/schema.js';

const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-config-'));
after(() => rmSync(folder, { recursive: true }));
const file = path.join(folder, 'edge.yaml');

function load(text: string, { flags = [], env = {} }: { flags?: FlagValue[]; env?: Record<string, string> } = {}) {
  writeFileSync(file, text);
  return loadConfig({ file, flags, env });
}

/** The mistakes of a text, with the file's name left out. */
function mistakes(text: string, more: Parameters<typeof load>[1] = {}): string[] {
  try {
    load(text, more);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.mistakes.map(mistake => mistake.replace(file, 'F'));
  }
  return assert.fail('expected mistakes');
}

test('an empty file is the defaults', () => {
  assert.deepEqual(load(''), defaultConfig());
  assert.deepEqual(load('# nothing\n'), defaultConfig());
  assert.deepEqual(load('listen:\ncache:\n  disk:\n'), defaultConfig());
});

test('every mistake is told at once, with its place, what was expected and what was found', () => {
  const text = `listen:
  prt: 80
  port: 99999
workers: many
cache:
  memory: {size: 10MB}
freshness: {errorTtl: 5}
origins:
  - name: A
    url: ftp://x
  - 7
http: [1]
log: {level: loud}
`;
  assert.deepEqual(mistakes(text), [
    'F:2:3: unknown key listen.prt; did you mean port?',
    'F:3:9: listen.port: expected a whole number from 1 to 65535, found 99999',
    'F:4:10: workers: expected a whole number from 1 to 256, or auto, found "many"',
    'F:6:18: cache.memory.size: expected a size from 64MiB to 512GiB (KiB, MiB, GiB, TiB; without a unit: bytes), or auto, found "10MB"; units are powers of two and are spelt KiB, MiB, GiB, TiB',
    'F:7:23: freshness.errorTtl: expected a time from 0 to 1h (ms, s, m, h), found 5; a time needs a unit, such as 5s',
    'F:9:11: origins[0].name: expected a name of lower-case letters, digits, dot, dash and underscore, found "A"',
    'F:10:10: origins[0].url: expected a directory, http(s)://host/base or s3://bucket/prefix, found "ftp://x"',
    'F:11:5: origins[1]: expected a group of settings, found 7',
    'F:12:7: http: expected a group of settings, found a list',
    'F:13:14: log.level: expected one of debug, info, warn, error, found "loud"',
  ]);
});

test('rules between settings are told beside other mistakes', () => {
  assert.deepEqual(mistakes('admin: {host: 0.0.0.0}\nworkers: 0\n'), [
    'F:1:8: admin.token: expected a token, because other machines can reach admin.host, found nothing',
    'F:2:10: workers: expected a whole number from 1 to 256, or auto, found 0',
  ]);
  assert.deepEqual(mistakes('listen: {port: 8081}\nfreshness: {min: 2h, max: 1h}\n'), [
    'F:1:1: admin.port: expected another port than listen.port, found nothing',
    'F:2:18: freshness.min: expected at most freshness.max, found "2h"',
  ]);
});

test('origins need a place, one of each name, and keys in pairs', () => {
  const text = `origins:
  - name: a
    url: http://a
    urls: [{url: http://b}]
  - {name: a, url: http://c, path: /c/}
  - {name: d, path: /d/}
  - {name: e, url: s3://e, path: /e/, s3: {accessKeyId: AKIA}}
  - {name: f, path: /f/, urls: [{url: http://f}, {url: s3://f}]}
  - {name: g, path: /g/, url: http://g, s3: {}}
`;
  assert.deepEqual(mistakes(text), [
    'F:4:11: origins[0].urls: expected either url or urls, found a list',
    'F:5:12: origins[1].name: expected a name that no other origin has, found "a"',
    'F:6:5: origins[2].url: expected url or urls, found nothing',
    'F:7:43: origins[3].s3.secretAccessKey: expected both keys or none, found nothing',
    'F:8:32: origins[4].urls: expected urls of one kind: directories, http(s) or s3, found a list',
    'F:9:45: origins[5].s3: expected an s3:// url, found a group of settings',
  ]);
});

test('secrets are not shown', () => {
  const [mistake = ''] = mistakes('admin: {token: short}\n');
  assert.match(mistake, /^F:1:16: admin\.token: expected a secret .*, found something else$/);
  assert.doesNotMatch(mistake, /short/);
});

test('YAML that is none is told with its place', () => {
  assert.match(mistakes('listen: {port: 1\n')[0]!, /^F:\d+:\d+: /);
  assert.match(mistakes('a: 1\na: 2\n').join(), /^F:2:1: .*unique/);
  assert.match(mistakes('a: &a [*a, *a]\n')[0]!, /^F:/);
});

test('aliases that multiply are refused', () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefgh'.replace(/./g, name => {
    const before = String.fromCharCode(name.charCodeAt(0) - 1);
    return `${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]\n`;
  })}`;
  assert.match(mistakes(bomb).join(), /alias/i);
});

test('a missing file and a missing directory are told', () => {
  assert.throws(
    () => loadConfig({ file: path.join(folder, 'none.yaml'), flags: [], env: {} }),
    /none\.yaml: can't be read: ENOENT/,
  );
  assert.deepEqual(
    mistakes('origins: [{name: a, url: films}]').map(mistake => mistake.replace(folder, 'DIR')),
    ['F:1:26: origins[0].url: expected a directory that can be read, found "films"; there is no DIR/films'],
  );
});

test('queries and fields of an origin', () => {
  const origin = (more: string, url = 'http://h') => `origins: [{name: a, url: "${url}", ${more}}]`;
  const { query, forward } = load(origin('query: {key: [id], forward: all, drop: [utm]}, forward: [X-Tenant, COOKIE]'))
    .origins[0]!;
  assert.deepEqual(query, { key: ['id'], forward: 'all', drop: ['utm'] });
  assert.deepEqual(forward, ['x-tenant', 'cookie']);
  const { query: silent, forward: none } = load('origins: [{name: a, url: "http://h"}]').origins[0]!;
  assert.deepEqual([silent, none], [{ forward: 'none', drop: [] }, []]);
  const wrong: [text: string, mistake: RegExp][] = [
    [
      origin('query: {key: some}'),
      /query\.key: expected all, none or a list of at most 100 names of query parameters, found "some"/,
    ],
    [origin('query: {key: ["a=b"]}'), /query\.key: expected all, none or a list/],
    [origin('query: {key: [1]}'), /query\.key: expected all, none or a list/],
    [origin('query: {key: {a: 1}}'), /query\.key: expected all, none or a list/],
    [origin('query: {drop: ["a&b"]}'), /query\.drop\[0\]: expected the name of a query parameter/],
    [origin('query: {key: all, forward: all}'), /query\.forward: expected all for one of key and forward/],
    [origin('query: {key: [a, b], forward: [b]}'), /query\.forward: expected b in one of key and forward/],
    [origin('query: {keys: all}'), /unknown key origins\[0\]\.query\.keys; did you mean key\?/],
    [origin('forward: [Range]'), /forward\[0\]: expected the name of a request field that may go on to the origin/],
    [origin('forward: [authorization]'), /Authorization goes on anyway/],
    [origin('forward: ["a b"]'), /forward\[0\]: expected/],
    [origin('forward: Cookie'), /forward: expected a list/],
    [origin('forward: [Foo]', '.'), /forward: expected no fields, which neither directories nor buckets heed/],
    [origin('forward: [Foo]', 's3://films'), /forward: expected no fields/],
  ];
  for (const [text, mistake] of wrong) assert.match(mistakes(text).join('\n'), mistake, text);
});

test('flags overrule the file and are named in mistakes', () => {
  const port = (value: string) => ({ flag: '--port', path: ['listen', 'port'], value });
  const config = load('listen: {port: 1000, host: 127.0.0.1}', { flags: [port('2000')] });
  assert.deepEqual(config.listen, { port: 2000, host: '127.0.0.1', tls: {} });
  assert.deepEqual(mistakes('workers: x', { flags: [port('abc')] }), [
    '--port: expected a whole number from 1 to 65535, found "abc"',
    'F:1:10: workers: expected a whole number from 1 to 256, or auto, found "x"',
  ]);
  const origin = { flag: 'ORIGIN', path: ['origins'], value: [{ name: 'main', url: '/no/where' }] };
  assert.deepEqual(mistakes('', { flags: [origin] }), [
    'ORIGIN: expected a directory that can be read, found "/no/where"; there is no /no/where',
  ]);
});

test('values come from the environment where the file says so', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the file's notation, not JavaScript's
  const text = 'admin:\n  token: ${TOKEN}\n';
  assert.equal(load(text, { env: { TOKEN: 'a'.repeat(20) } }).admin.token, 'a'.repeat(20));
  assert.deepEqual(mistakes(text), ['F:2:10: admin.token: the environment has no TOKEN']);
});

test('relative paths are taken from the folder of the file', () => {
  const config = load(
    'origins: [{name: a, url: .}]\ncache: {disk: {path: d}, memory: {file: m}}\nlog: {access: a.log}\n',
  );
  assert.equal(config.origins[0]?.url, folder);
  assert.equal(config.cache.disk.path, path.join(folder, 'd'));
  assert.equal(config.cache.memory.file, path.join(folder, 'm'));
  assert.equal(config.log.access, path.join(folder, 'a.log'));
  assert.equal(load('log: {access: stdout}').log.access, 'stdout');
});

test('no text makes it throw anything but a ConfigError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 60 }), fc.json({ maxDepth: 4 })), text => {
      try {
        load(text);
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        for (const mistake of error.mistakes) assert.match(mistake, /^[^\n]+$/);
      }
    }),
    { numRuns: 300 },
  );
});

test('a configuration survives JSON', () => {
  const config = load('origins: [{name: a, url: http://a}]\nworkers: 3\n');
  assert.deepEqual(JSON.parse(JSON.stringify(config)), JSON.parse(JSON.stringify(config)));
  assert.deepEqual(withoutUndefined(config), JSON.parse(JSON.stringify(config)));
});

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) => (child === undefined ? [] : [[key, withoutUndefined(child)]])),
  );
}
