import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createOrigin, createOrigins, type OriginSettings } from '../../../../src/app/origins/origins.js';
import { matchesHost } from '../../../../src/base/host-pattern.js';
import { silentLog } from '../../../../src/base/log.js';
import { parseOrigin } from '../../../../src/base/origin-url.js';
import { FileOrigin } from '../../../../src/origin/file/file-origin.js';
import { type RouteRule, routeTable } from '../../../../src/origin/route-table.js';
import { bucketUrl } from '../../../../src/origin/s3/s3-origin.js';
import { httpOptions } from '../../../support/http-origin.js';
import { fetchInto } from '../../../support/recording-sink.js';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-origins-'));
});
after(() => rmSync(folder, { recursive: true }));

test('parseOrigin', () => {
  assert.deepEqual(parseOrigin('./films'), { kind: 'file', directory: './films' });
  assert.deepEqual(parseOrigin('/a b/c:d'), { kind: 'file', directory: '/a b/c:d' });
  assert.deepEqual(parseOrigin('file:///a%20b'), { kind: 'file', directory: '/a b' });
  assert.deepEqual(parseOrigin('HTTP://h/base'), { kind: 'http', url: 'HTTP://h/base' });
  assert.deepEqual(parseOrigin('s3://b'), { kind: 's3', bucket: 'b', prefix: '' });
  assert.deepEqual(parseOrigin('s3://b//a/b c/'), { kind: 's3', bucket: 'b', prefix: 'a/b c' });
  for (const wrong of [
    '',
    'ftp://h',
    's3://',
    's3:///x',
    's3://k:s@b/x',
    'http://',
    'http://h/?q',
    'https://h/#f',
    'file://host/x',
    'a\0b',
  ]) {
    assert.throws(() => parseOrigin(wrong), { code: 'bad_config', message: /expected a directory, http/ }, wrong);
  }
});

test('hosts', () => {
  assert.ok(matchesHost('a.test', 'a.test'));
  assert.ok(!matchesHost('a.test', 'b.a.test'));
  assert.ok(matchesHost('*.a.test', 'b.a.test'));
  assert.ok(matchesHost('*.a.test', 'c.b.a.test'));
  for (const host of ['a.test', '.a.test', 'ba.test', 'a.test.evil']) assert.ok(!matchesHost('*.a.test', host), host);
});

test('routes: the host first, then the longest path, cut at a slash', () => {
  const rule = (name: string, path: string, host?: string, stripPath = true): RouteRule => ({
    name,
    path,
    host,
    stripPath,
  });
  const table = routeTable([
    rule('any', '/'),
    rule('films', '/films'),
    rule('new', '/films/new/', undefined, false),
    rule('host', '/', 'a.test'),
    rule('domain', '/', '*.test'),
    rule('longer domain', '/', '*.b.test'),
    rule('host films', '/films', 'a.test'),
    rule('encoded', '/ä b'),
  ]);
  const found = (host: string, path: string) => {
    const match = table.find(host, path);
    return match && `${match.rule.name} ${match.path}`;
  };
  assert.equal(found('x', '/a'), 'any /a');
  assert.equal(found('x', '/films/a'), 'films /a');
  assert.equal(found('x', '/films'), 'films /');
  assert.equal(found('x', '/films/'), 'films /');
  assert.equal(found('x', '/filmsa'), 'any /filmsa');
  assert.equal(found('x', '/films/new/a'), 'new /films/new/a');
  assert.equal(found('a.test', '/a'), 'host /a');
  assert.equal(found('a.test', '/films/new/a'), 'host films /new/a');
  assert.equal(found('b.test', '/films/a'), 'domain /films/a');
  assert.equal(found('c.b.test', '/'), 'longer domain /');
  assert.equal(found('x', '/%C3%A4%20b/c'), 'encoded /c');
  // The origin's own path may be escaped as it will; what lies below is data.
  assert.equal(found('x', '/%c3%a4%20%62/c%2f%63//d'), 'encoded /c%2f%63//d');
  assert.equal(found('x', '/fil%6ds//a'), 'films //a');
  assert.equal(found('x', '/films/new//%61'), 'new /films/new//%61');
  assert.equal(found('x', '//films/a'), 'any //films/a');
  assert.equal(found('x', '/films%2Fa'), 'any /films%2Fa');
  assert.equal(routeTable([rule('one', '/one', 'a.test')]).find('b.test', '/one/x'), undefined);
  assert.throws(() => routeTable([rule('one', '/x'), rule('two', '/x/')]), {
    code: 'bad_config',
    message: /one and two/,
  });
});

test('base URLs of buckets', () => {
  const url = (bucket: string, prefix: string, endpoint: string, pathStyle: boolean) =>
    bucketUrl({ bucket, prefix, weight: 1 }, endpoint, pathStyle);
  const aws = 'https://s3.eu-west-1.amazonaws.com';
  assert.equal(url('films', '', aws, false), 'https://films.s3.eu-west-1.amazonaws.com');
  assert.equal(url('films', 'a b/ü', aws, false), 'https://films.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC');
  assert.equal(url('films', '/a/', aws, true), 'https://s3.eu-west-1.amazonaws.com/films/a');
  // A wildcard certificate covers one label only.
  assert.equal(url('my.films', '', aws, false), 'https://s3.eu-west-1.amazonaws.com/my.films');
  assert.equal(url('films', '', 'http://127.0.0.1:9000/', true), 'http://127.0.0.1:9000/films');
  for (const bucket of ['a', '../b', 'a/b', 'a?b', 'ä-bucket', ''])
    assert.throws(() => url(bucket, '', aws, true), { code: 'bad_config' }, bucket);
});

const settings = (more: Partial<OriginSettings>): OriginSettings => ({
  ...httpOptions(),
  tls: undefined,
  urls: [],
  path: '/',
  stripPath: true,
  query: { forward: 'none', drop: [] },
  forward: [],
  ...more,
});

test('createOrigin makes what the url says, or says what is wrong', async () => {
  const context = { log: silentLog, env: {}, home: folder };
  writeFileSync(join(folder, 'clip'), 'x');
  writeFileSync(join(folder, 'ca.pem'), 'not a certificate');
  const good: [Partial<OriginSettings>, string | undefined][] = [
    [{ url: folder }, undefined],
    [{ url: `file://${folder}` }, undefined],
    [{ url: 'http://h/base' }, 'http://h/base'],
    [
      {
        urls: [
          { url: 'http://a', weight: 1 },
          { url: 'https://b', weight: 2 },
        ],
      },
      'http://a/',
    ],
    [{ url: 's3://films/p' }, 'https://films.s3.us-east-1.amazonaws.com/p'],
    [{ url: 's3://films', s3: { region: 'eu-west-1' } }, 'https://films.s3.eu-west-1.amazonaws.com/'],
    [{ url: 's3://films', s3: { region: 'cn-north-1' } }, 'https://films.s3.cn-north-1.amazonaws.com.cn/'],
    [{ url: 's3://films', s3: { endpoint: 'http://h:9000' } }, 'http://h:9000/films'],
    [{ url: 's3://films', s3: { endpoint: 'http://h:9000', pathStyle: false } }, 'http://films.h:9000/'],
  ];
  for (const [more, first] of good) {
    const origin = createOrigin(settings(more), context);
    assert.equal(origin.stats.replicas[0]?.url, first, JSON.stringify(more));
    await origin.close();
  }
  for (const wrong of [
    { url: join(folder, 'none') },
    { url: join(folder, 'clip') },
    { urls: [] },
    { urls: [folder, 'http://h'].map(url => ({ url, weight: 1 })) },
    { urls: [folder, folder].map(url => ({ url, weight: 1 })) },
    { url: 'https://h', tls: { ca: join(folder, 'none.pem'), verify: true } },
    { url: 's3://films', s3: { credentialsFile: join(folder, 'none') } },
    { url: 's3://x' },
  ]) {
    assert.throws(() => createOrigin(settings(wrong), context), { code: 'bad_config' }, JSON.stringify(wrong));
  }
});

test('origins: routes to the one that a request is for, and closes all', async () => {
  const origins = createOrigins(
    [settings({ name: 'files', url: folder, path: '/local' }), settings({ name: 'far', url: 'http://127.0.0.1:9' })],
    { log: silentLog },
  );
  assert.deepEqual(
    origins.all.map(({ name }) => name),
    ['files', 'far'],
  );
  const local = origins.route('any', '/local/clip', '')!;
  assert.ok(local.origin instanceof FileOrigin);
  assert.ok(local.defaultLifetime! > 0);
  assert.equal(await fetchInto(local.origin, { path: local.path }, { keep: true }).over, 'ended');
  const { origin, path, defaultLifetime } = origins.route('any', '/localx', '')!;
  assert.deepEqual([origin.name, path, defaultLifetime], ['far', '/localx', undefined]);
  assert.deepEqual(Object.keys(origins.stats()), ['files', 'far']);
  await origins.close();
  assert.equal(await fetchInto(local.origin, { path: '/clip' }).over, 'origin_unavailable');
});
