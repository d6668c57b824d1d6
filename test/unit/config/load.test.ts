import assert from 'node:assert/strict';
import {
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, type FlagValue, loadConfig } from '../../../src/config/load.js';
import { memoryFolder } from '../../../src/config/places.js';
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

test('a warm list is due within its time', () => {
  assert.deepEqual(mistakes('warm: [{list: a.txt, every: 1h, at: 1h}]'), [
    'F:1:37: warm[0].at: expected less than every, found "1h"',
  ]);
});

test('a snapshot of blocks needs a catalog that is kept', () => {
  const needs = /cache\.memory\.snapshot: expected catalog\.path or cache\.disk\.path/;
  assert.match(mistakes('cache: {memory: {snapshot: a}}').join(), needs);
  load('cache: {memory: {snapshot: a}}\ncatalog: {path: b}');
  load('cache: {memory: {snapshot: a}, disk: {path: b}}');
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

test('what a secret hides behind is not shown either: URLs, groups, unknown keys, the environment, YAML mistakes', () => {
  const secret = 'hunter2secret';
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the file's notation, not JavaScript's
  const texts = [
    `origins: [{name: a, url: "https://user:${secret}@h/films?x"}]`,
    `origins: [{name: a, url: "https://user:p@${secret}/x@h/films?x"}]`,
    `origins: [{name: a, url: "https://h/films?token=${secret}"}]`,
    `origins: [{name: a, url: "ftp://user:${secret}@h/"}]`,
    `origins: [{name: a, urls: [{url: "//user:${secret}@h/?q"}]}]`,
    `origins: [{name: a, url: 's3://${secret}@bucket'}]`,
    `origins: [{name: a, url: http://h, s3: "AKIA:${secret}"}]`,
    `origins: [{name: a, url: http://h, headers: "Authorization: Bearer ${secret}"}]`,
    `origins: [{name: a, url: http://h, headers: ["${secret}"]}]`,
    `origins: [{name: a, url: http://h, headers: {X-Key: "${secret}\\n"}}]`,
    `origins: ["https://user:${secret}@h"]`,
    `origins: https://user:${secret}@h`,
    `origins: [{name: a, url: s3://a, s3: {secretAccessKey: "${secret} x", accessKeyId: [${secret}]}}]`,
    `origins: [{name: a, url: s3://a, s3: {endpoint: "http://k:${secret}@h"}}]`,
    `admin: token=${secret}`,
    `admin: {"token=${secret}"}`,
    `admin: {${secret}: 1}`,
    `admin: {token: *${secret}}`,
    `admin: {token: !${secret} a}`,
    `admin: {token: "a" ${secret}}`,
    `admin:\n  token: |${secret}\n`,
    `admin:\n  token: a: ${secret}\n`,
    `admin:\n  token: "${secret}\n`,
    `admin:\n  token: [}${secret}\n`,
    `%${secret}\n---\nworkers: x\n`,
    'workers: ${SECRET}',
    'log: {level: "${SECRET}"}',
    'origins: [{name: a, url: "${SECRET}?x"}]',
    'origins: [{name: a, url: "${SECRET}"}]',
  ];
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the file's notation, not JavaScript's
  for (const text of texts) {
    const told = mistakes(text, { env: { SECRET: `ftp://u:${secret}@h` } }).join('\n');
    assert.ok(!told.includes(secret), `${text}\n${told}`);
  }
});

test('YAML that is none is told with its place', () => {
  assert.match(mistakes('listen: {port: 1\n')[0]!, /^F:\d+:\d+: /);
  assert.match(mistakes('a: 1\na: 2\n').join(), /^F:2:1: .*unique/);
  assert.match(mistakes('a: &a [*a, *a]\n')[0]!, /^F:/);
});

test('what is nested without end is told in plain words', () => {
  for (const text of ['origins: &a [*a]', '['.repeat(20_000)])
    assert.match(mistakes(text).join(), /expected fewer groups and lists within each other/);
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
  assert.deepEqual(config.listen, [{ ...defaultConfig().listen[0]!, port: 2000, host: '127.0.0.1' }]);
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

test('a text that looks as if the environment should stand in it is a mistake', () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the file's notation, not JavaScript's
  for (const value of [
    'https://u:${PASS}@h/',
    'https://${HOST}/',
    '${A:-http://h}',
    '${A}${B}',
    '$${A}',
    '${',
    '${1}',
    ' ${A}x',
  ]) {
    assert.match(
      mistakes(`origins: [{name: a, url: "${value}"}]`, { env: { PASS: 'x', HOST: 'h', A: 'http://h', B: '' } }).join(),
      /^F:1:26: origins\[0\]\.url: expected \$\{NAME\} to be the whole value/,
      value,
    );
  }
  assert.equal(mistakes('http: {dropQuery: ["a${B}"], cors: {origins: ["${C}"]}}').length, 2);
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the file's notation, not JavaScript's
  assert.equal(load('origins: [{name: a, url: http://h, headers: {X: "5$ {a}"}}]').origins[0]?.headers.X, '5$ {a}');
});

test('values of another shape than the schema has are told, whatever rules look at them', () => {
  const shapes = [
    '{}',
    '{a: 1}',
    '[]',
    '[[]]',
    '[1]',
    'text',
    '7',
    'true',
    '[null]',
    '[{}]',
    '{0: {name: a}}',
    '[[{}]]',
  ];
  const keys = [
    'listen',
    'listen.tls',
    'admin',
    'origins',
    'freshness',
    'cache',
    'cache.readAhead',
    'cache.disk',
    'http.cors.origins',
  ];
  const inOrigin = ['url', 'urls', 'urls.0', 'headers', 's3', 'tls', 'name', 'path', 'timeouts', 'redirects.hosts'];
  const nest = (key: string, value: string) =>
    key.split('.').reduceRight((inner, step) => (/\d/.test(step) ? `[${inner}]` : `{${step}: ${inner}}`), value);
  for (const shape of shapes) {
    const texts = [
      ...keys.map(key => nest(key, shape)),
      ...inOrigin.map(key => `origins: [{name: a, url: http://h}, ${nest(key, shape)}]`),
    ];
    for (const text of texts) {
      try {
        load(text);
      } catch (error) {
        assert.ok(error instanceof ConfigError, `${text}: ${(error as Error).stack}`);
      }
    }
  }
  assert.deepEqual(mistakes('origins: {a: {url: http://h}}'), [
    'F:1:10: origins: expected a list, found a group of settings',
  ]);
  assert.deepEqual(mistakes('origins: http://h'), ['F:1:10: origins: expected a list, found something else']);
  assert.deepEqual(mistakes('origins: [{name: a, urls: {url: http://h}}]'), [
    'F:1:27: origins[0].urls: expected a list, found a group of settings',
  ]);
});

test('an empty list of origins is not taken for the sample clips', () => {
  for (const text of ['origins:', 'origins: []', 'origins: null', 'origins: ~\nworkers: 1']) {
    assert.match(
      mistakes(text).join(),
      /origins: expected at least one origin, found (nothing|a list); leave the key out/,
    );
  }
  const flag = { flag: 'ORIGIN', path: ['origins'], value: [{ name: 'main', url: 'http://h' }] };
  assert.equal(load('origins:', { flags: [flag] }).origins.length, 1);
});

test('what this machine has not got, and what can not be written, are told', () => {
  const told = (text: string) => mistakes(text).join('\n');
  assert.match(
    told('cache: {memory: {size: 512GiB}}'),
    /F:1:24: cache\.memory\.size: expected at most \S+, the memory that/,
  );
  if (totalmem() < 2 ** 34) {
    const text = 'catalog: {memory: 16GiB}\nmedia: {indexMemory: 16GiB}';
    assert.match(told(text), /catalog\.memory: .*\n.*media\.indexMemory: /);
  }
  assert.match(
    told('cache: {disk: {path: d, size: 1024TiB}}'),
    /cache\.disk\.size: expected at most \S+, the filesystem of /,
  );
  assert.match(told('cache: {disk: {size: 20GiB}}'), /F:1:22: cache\.disk\.size: expected cache\.disk\.path beside it/);
  const size = { flag: '--disk-size', path: ['cache', 'disk', 'size'], value: '10GiB' };
  assert.match(mistakes('', { flags: [size] }).join(), /^--disk-size: expected cache\.disk\.path beside it/);
  writeFileSync(path.join(folder, 'a-file'), '');
  for (const place of ['/proc/x', '/proc/1/x/y', 'a-file', 'a-file/x', '/sys/x', '/dev/null', '/dev/null/x']) {
    assert.match(
      told(`cache: {disk: {path: ${place}}}`),
      /cache\.disk\.path: expected a folder that can be written/,
      place,
    );
    assert.match(told(`catalog: {path: ${place}}`), /catalog\.path: expected a folder that can be written/, place);
    assert.match(
      told(`cache: {memory: {file: ${place}/x}}`),
      /cache\.memory\.file: expected a file in a folder/,
      place,
    );
    assert.match(told(`log: {access: ${place}/x}`), /log\.access: expected a file that can be written/, place);
  }
  assert.match(told('log: {access: no-folder/access.log}'), /log\.access: expected a file that can be written/);
  assert.deepEqual(
    readdirSync(folder).filter(name => name.includes('check')),
    [],
  );
});

test('another user’s folder is refused', {
  skip: process.geteuid?.() === 0 ? false : 'only root can give a folder away',
}, () => {
  const theirs = path.join(folder, 'theirs');
  mkdirSync(theirs);
  chownSync(theirs, 65534, 65534);
  assert.match(
    mistakes('cache: {disk: {path: theirs}}').join(),
    /theirs belongs to user 65534, who could change what players get/,
  );
  symlinkSync(folder, path.join(folder, 'link'));
  lchownSync(path.join(folder, 'link'), 65534, 65534);
  assert.match(mistakes('catalog: {path: link}').join(), /link belongs to user 65534/);
});

test('fields that the edge sets itself, and names that are none, are refused as headers of others', () => {
  const headers = 'headers: {Range: "bytes=0-1", "a b": x, "": y, X: z}';
  assert.equal(mistakes(`origins: [{name: a, url: http://h, ${headers}}]`).length, 3);
  assert.equal(mistakes(`origins: [{name: a, url: .}]\ntracing: {endpoint: 'http://h/', ${headers}}`).length, 3);
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

test('a signature that anybody could make, or that is good for all, is a mistake', () => {
  const rule = (text: string) => `access:\n  - {path: /, signed: {signature: s, secret: x, ${text}}}`;
  const hmac = 'scheme: hmac_sha256';
  for (const [text, mistake] of [
    [`${hmac}, template: '{expires}', expires: e`, /expected \{path\} or \{prefix\} in it/],
    [`${hmac}, template: '{path}', expires: e`, /expected \{expires\} in it/],
    [`${hmac}, template: '{path}{expires}'`, /expected the query parameter that \{expires\}/],
    [`${hmac}, template: '{path}', prefix: p`, /expected \{prefix\} in it/],
    [`${hmac}, template: '{prefix}'`, /expected the query parameter that \{prefix\}/],
    ["scheme: secure_link_md5, template: '{path}'", /expected \{secret\} in it/],
    [`${hmac}, template: '{path}{expires}', expires: s`, /expected other names/],
    ["scheme: md5, template: '{path}'", /expected one of secure_link_md5, hmac_sha256/],
  ] as const)
    assert.match(mistakes(rule(text)).join('\n'), mistake, text);
  assert.equal(load(rule(`${hmac}, template: '{path}'`)).access[0]!.signed!.secret, 'x');
});

test('rules and routes that others before them leave nothing to decide, or contradict, are mistakes', () => {
  const told = (text: string) => mistakes(text).map(line => line.replace(/^F:\S+ | \(.*|, found .*/g, ''));
  const access = (...places: string[]) => told(`access: [${places.map(place => `{${place}}`).join(', ')}]`);
  const decides = (i: number, before: number) =>
    `access[${i}].path: expected this rule before access[${before}], which decides on all of its place`;
  assert.deepEqual(access('path: /vip/', 'path: /', 'path: /open/'), [decides(2, 1)]);
  assert.deepEqual(access('host: "*.a.net", path: /', 'host: x.a.net, path: /b/'), [decides(1, 0)]);
  assert.deepEqual(access('host: "*.a.net", path: /', 'host: "*.x.a.net", path: //'), [decides(1, 0)]);
  load('access: [{host: "*.a.net", path: /}, {host: a.net}, {host: a.org}, {path: /b/}, {path: /}]');

  const routes = (...each: string[]) => told(`routes: [${each.map(route => `{${route}}`).join(', ')}]`);
  const says = (at: string, before: number) =>
    `${at}: expected this route before routes[${before}], which says that for all of its place`;
  assert.deepEqual(routes('path: /, pacing: {rate: 1MiB}', 'path: /downloads/, pacing: {rate: off}'), [
    says('routes[1].pacing', 0),
  ]);
  assert.deepEqual(
    routes(
      'path: /a/, freshness: {max: 1h}, fields: {set: {X: y}}',
      'path: /a/b/, freshness: {max: 1m, default: 1s}, fields: {set: {X: z, Y: z}}, request: {set: {X: y}}',
    ),
    [says('routes[1].freshness.max', 0), says('routes[1].fields.set.X', 0)],
  );
  load('routes: [{path: /a/, freshness: {min: 1h}}, {path: /, freshness: {max: 2h}}]');
  const atMost = 'expected at most the max that holds there';
  assert.deepEqual(routes('path: /a/, freshness: {min: 2h, max: 1h}'), [`routes[0].freshness.min: ${atMost}`]);
  assert.deepEqual(routes('path: /, freshness: {min: 2h}', 'path: /a/, freshness: {max: 1h}'), [
    'routes[1].freshness.max: expected at least the min that holds there',
  ]);
  assert.deepEqual(told('freshness: {max: 1h}\nroutes: [{path: /a/, freshness: {min: 2h}}]'), [
    `routes[0].freshness.min: ${atMost}`,
  ]);
  // What holds in the narrow place is what two of them say together, in whatever order and however they overlap.
  const atLeast = 'routes[1].freshness.max: expected at least the min that holds there';
  const [long, short] = ['freshness: {min: 2h}', 'freshness: {max: 1h}'];
  assert.deepEqual(routes(`path: /a/, ${long}`, `path: /, ${short}`), [atLeast]);
  assert.deepEqual(routes(`host: a.net, path: /, ${long}`, `path: /b/, ${short}`), [atLeast]);
  assert.deepEqual(routes(`path: /b/, ${long}`, `host: "*.net", path: /, ${short}`), [atLeast]);
  assert.deepEqual(routes(`host: "*.a.net", path: /, ${long}`, `host: "*.net", path: /%62//c, ${short}`), [atLeast]);
  assert.deepEqual(
    routes('path: /a/b/, freshness: {max: 3h}', `path: /a/, ${long}`, `host: a.net, path: /, ${short}`),
    ['routes[2].freshness.max: expected at least the min that holds there'],
  );
  for (const [one, other] of [
    [`host: a.net, path: /, ${long}`, `host: b.net, path: /, ${short}`],
    [`path: /a/, ${long}`, `path: /b/, ${short}`],
    ['host: a.net, path: /, freshness: {min: 2h, max: 3h}', `path: /b/, ${short}`],
  ] as const)
    load(`routes: [{${one}}, {${other}}]`);
});

test('listen is one listener or a list of them, and mistakes are told where they were written', () => {
  const [usual] = defaultConfig().listen;
  assert.deepEqual(load('listen: {port: 80}').listen, [{ ...usual!, port: 80 }]);
  const two = load('listen: [{port: 80, redirect: 443}, {port: 443, trusted: [10.0.0.0/8]}]').listen;
  assert.deepEqual(two, [
    { ...usual!, port: 80, redirect: 443 },
    { ...usual!, port: 443, trusted: ['10.0.0.0/8'] },
  ]);
  assert.deepEqual(mistakes('listen: {prt: 1, engine: fast}'), [
    'F:1:10: unknown key listen.prt; did you mean port?',
    'F:1:26: listen.engine: expected one of auto, uws, node, found "fast"',
  ]);
  assert.deepEqual(mistakes('listen: [{port: 80}, {port: 80}, {port: 82, trusted: [10.0.0.0/33]}]'), [
    'F:1:29: listen[1].port: expected a place that no other listener has, found 80',
    'F:1:55: listen[2].trusted[0]: expected an IP address or a network such as 10.0.0.0/8, found "10.0.0.0/33"',
  ]);
  assert.deepEqual(mistakes('listen: [{port: 80, http2: true}, {port: 82, engine: uws, proxyProtocol: true}]'), [
    'F:1:28: listen[0].http2: expected false without listen.tls, since HTTP/2 is agreed on by TLS, found true',
    'F:1:54: listen[1].engine: expected node, which http2, unix and proxyProtocol need, found "uws"',
  ]);
  // The same address in other words; all addresses beside one of them are two places.
  for (const [one, other] of [
    ['127.0.0.1', 'LocalHost'],
    ['"::1"', '"0:0::1"'],
    ['"2001:DB8::1"', '"2001:db8:0::1"'],
  ])
    assert.match(mistakes(`listen: [{host: ${one}}, {host: ${other}}]`)[0] ?? '', /place that no other listener has/);
  load('listen: [{host: 0.0.0.0}, {host: "::"}, {host: 127.0.0.1}, {host: 10.0.0.1}]');
  // That of a Unix socket is none.
  load(
    'listen: [{port: 80}, {unix: /run/a}]\ncluster: {secret: 0123456789abcdef, listen: {host: 10.0.0.1, port: 8080}, ' +
      'node: {id: a, url: "http://a"}, etcd: {endpoints: ["http://b:1"]}}',
  );
  assert.deepEqual(mistakes('listen: {unix: /run/a}'), [
    'F:1:9: listen: expected at least one listener with a port, by which the edge is known, found a group of settings',
  ]);
  assert.deepEqual(mistakes('listen: [{port: 80}, {port: 8081}]'), [
    'F:1:1: admin.port: expected another port than listen.port, found nothing',
  ]);
});

test('a port of a flag is one more listener, at the host of the first', () => {
  const more = (port: string) => ({
    flag: '--compat-port',
    path: ['listen'],
    value: { port, engine: 'node' },
    isMore: true,
  });
  const [usual] = defaultConfig().listen;
  assert.deepEqual(load('', { flags: [more('82')] }).listen, [usual!, { ...usual!, port: 82, engine: 'node' }]);
  assert.deepEqual(load('listen: {host: 127.0.0.1}', { flags: [more('82')] }).listen, [
    { ...usual!, host: '127.0.0.1' },
    { ...usual!, host: '127.0.0.1', port: 82, engine: 'node' },
  ]);
  assert.deepEqual(mistakes('listen: {port: x}', { flags: [more('y')] }), [
    '--compat-port: expected a whole number from 1 to 65535, found "y"',
    'F:1:16: listen.port: expected a whole number from 1 to 65535, found "x"',
  ]);
});

test('memory that is too small for the default file, or is not there, is not taken', () => {
  assert.equal(memoryFolder('/nonexistent'), tmpdir());
  assert.equal(memoryFolder('/proc'), tmpdir(), 'it has no bytes');
  assert.equal(memoryFolder('/'), '/');
});
