import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { formatHttpDate } from '../../../src/base/http-date.js';
import { Edge } from '../../support/edge.js';
import { type RawAnswer, RawConnection } from '../../support/raw-http.js';

/*
 * RFC 9111 and what it rests on, from outside: a request that is answered by the origin, and a second one of which the
 * case says where its answer comes from. Time is not waited for; it is in Date and Age.
 */

type Fields = Readonly<Record<string, string | readonly string[]>>;

interface Case {
  readonly name: string;
  /** Fields of the origin's answers. */
  readonly answer: Fields;
  /** Fields of the two requests. */
  readonly first?: Fields;
  readonly second?: Fields;
  /**
   * Whether the second answer is stored, comes from the origin, or is stored and has been confirmed by it; or its
   * status.
   */
  readonly source: 'stored' | 'fetched' | 'confirmed' | number;
  /** Fields of both answers. */
  readonly kept?: Readonly<Record<string, string | undefined>>;
}

const date = (seconds: number) => formatHttpDate(Date.now() + seconds * 1000)!;
const ETAG = { ETag: '"v"' };
const FRESH = { 'Cache-Control': 'max-age=600', ...ETAG };

const CASES: readonly Case[] = [
  { name: 'max-age', answer: FRESH, source: 'stored' },
  { name: 'max-age=0', answer: { 'Cache-Control': 'max-age=0', ...ETAG }, source: 'confirmed' },
  { name: 'max-age=0 without validator', answer: { 'Cache-Control': 'max-age=0' }, source: 'fetched' },
  {
    name: 's-maxage before max-age',
    answer: { 'Cache-Control': 'max-age=600, s-maxage=0', ...ETAG },
    source: 'confirmed',
  },
  { name: 'Expires', answer: { Expires: date(600) }, source: 'stored' },
  { name: 'Expires in the past', answer: { Expires: date(-600) }, source: 'fetched' },
  { name: 'Expires of 0', answer: { Expires: '0' }, source: 'fetched' },
  { name: 'Expires in small letters', answer: { Expires: date(600).toLowerCase() }, source: 'stored' },
  { name: 'Expires twice', answer: { Expires: [date(600), date(700)] }, source: 'fetched' },
  { name: 'Expires in a zone other than GMT', answer: { Expires: date(600).replace('GMT', 'CET') }, source: 'fetched' },
  { name: 'max-age before Expires', answer: { Expires: date(-1), ...FRESH }, source: 'stored' },
  { name: 'Age past the lifetime', answer: { Age: '700', ...FRESH }, source: 'confirmed' },
  { name: 'Age with a parameter', answer: { Age: '700;x=1', ...FRESH }, source: 'confirmed' },
  { name: 'the first Age of two', answer: { Age: ['700', '0'], ...FRESH }, source: 'confirmed' },
  { name: 'Age that is no number', answer: { Age: 'old', ...FRESH }, source: 'confirmed' },
  { name: 'Age below 0', answer: { Age: '-1', ...FRESH }, source: 'confirmed' },
  { name: 'Age with a fraction', answer: { Age: '1.0', ...FRESH }, source: 'confirmed' },
  { name: 'an old Date', answer: { Date: date(-700), ...FRESH }, source: 'confirmed' },
  { name: 'the heuristic', answer: { 'Last-Modified': date(-86_400) }, source: 'stored' },
  { name: 'a space before the sign', answer: { 'Cache-Control': 'max-age =600', ...ETAG }, source: 'confirmed' },
  { name: 'a space behind the sign', answer: { 'Cache-Control': 'max-age= 600', ...ETAG }, source: 'confirmed' },
  { name: 'no-store', answer: { 'Cache-Control': 'no-store, max-age=600' }, source: 'fetched' },
  { name: 'private', answer: { 'Cache-Control': 'private, max-age=600' }, source: 'fetched' },
  { name: 'no-cache', answer: { 'Cache-Control': 'no-cache, max-age=600', ...ETAG }, source: 'confirmed' },
  { name: 'Pragma of an answer', answer: { Pragma: 'no-cache', ...FRESH }, source: 'stored' },
  {
    name: 'directives in capitals and quotes',
    answer: { 'Cache-Control': 'Foo="a,no-store", MAX-AGE="600"' },
    source: 'stored',
  },
  { name: 'directives on two lines', answer: { 'Cache-Control': ['max-age=600', 'no-store'] }, source: 'fetched' },
  { name: 'a lifetime that is no number', answer: { 'Cache-Control': 'max-age=600s', ...ETAG }, source: 'confirmed' },
  {
    name: 'CDN-Cache-Control before Cache-Control',
    answer: { 'Cache-Control': 'no-store', 'CDN-Cache-Control': 'max-age=600' },
    source: 'stored',
  },
  { name: 'CDN-Cache-Control that forbids', answer: { ...FRESH, 'CDN-Cache-Control': 'no-store' }, source: 'fetched' },
  {
    name: 'CDN-Cache-Control of another type',
    answer: { 'Cache-Control': 'no-store', 'CDN-Cache-Control': 'max-age="600"' },
    source: 'fetched',
  },
  {
    name: 'Surrogate-Control before Cache-Control',
    answer: { 'Cache-Control': 'no-store', 'Surrogate-Control': 'content="x", Max-Age=600' },
    source: 'stored',
  },
  { name: 'Surrogate-Control that forbids', answer: { ...FRESH, 'Surrogate-Control': 'no-store' }, source: 'fetched' },
  { name: 'Surrogate-Control of 0', answer: { ...FRESH, 'Surrogate-Control': 'max-age=0' }, source: 'confirmed' },
  {
    name: 'Surrogate-Control before Expires',
    answer: { Expires: '0', 'Surrogate-Control': 'max-age=600+60' },
    source: 'stored',
  },
  {
    name: 'Surrogate-Control for another surrogate',
    answer: { ...FRESH, 'Surrogate-Control': 'no-store;other' },
    source: 'stored',
  },
  {
    name: 'Surrogate-Control for this surrogate, and for all',
    answer: { 'Cache-Control': 'no-store', 'Surrogate-Control': 'max-age=600;moovedge, no-store' },
    source: 'stored',
  },
  {
    name: 'Surrogate-Control with a mistake',
    answer: { ...FRESH, 'Surrogate-Control': 'max-age =0, max-age=0s, no-store=1' },
    source: 'stored',
  },
  {
    name: 'CDN-Cache-Control before Surrogate-Control',
    answer: { 'CDN-Cache-Control': 'max-age=600', 'Surrogate-Control': 'no-store' },
    source: 'stored',
  },
  {
    name: 'fields that concern the site of the player',
    answer: { ...FRESH, 'Clear-Site-Data': '"cache"', 'Public-Key-Pins': 'x' },
    kept: { 'clear-site-data': '"cache"', 'public-key-pins': 'x' },
    source: 'stored',
  },
  {
    name: 'cookies, which are dropped',
    answer: { ...FRESH, 'Set-Cookie': 'a=1', 'Set-Cookie2': 'a=1' },
    kept: { 'set-cookie': undefined, 'set-cookie2': undefined },
    source: 'stored',
  },
  { name: 'Vary: *', answer: { Vary: '*', ...FRESH }, source: 'fetched' },
  {
    name: 'Vary and the same value',
    answer: { Vary: 'Foo', ...FRESH },
    first: { Foo: '1' },
    second: { Foo: '1' },
    source: 'stored',
  },
  {
    name: 'Vary and another value',
    answer: { Vary: 'Foo', ...FRESH },
    first: { Foo: '1' },
    second: { Foo: '2' },
    source: 'fetched',
  },
  { name: 'Vary and no value', answer: { Vary: 'Foo', ...FRESH }, first: { Foo: '1' }, source: 'fetched' },
  {
    name: 'Vary and a field that it does not name',
    answer: { Vary: 'Foo', ...FRESH },
    second: { Bar: '2' },
    source: 'stored',
  },
  {
    name: 'Vary of two lines',
    answer: { Vary: ['Foo', 'Bar'], ...FRESH },
    first: { Bar: '1' },
    second: { Bar: '2' },
    source: 'fetched',
  },
  {
    name: 'Vary and lines that make one list',
    answer: { Vary: 'Foo', ...FRESH },
    first: { Foo: ['1', '2'] },
    second: { Foo: '1,  2' },
    source: 'stored',
  },
  {
    name: 'Vary and only the first of two lines',
    answer: { Vary: 'Foo', ...FRESH },
    first: { Foo: ['1', '2'] },
    second: { Foo: '1' },
    source: 'fetched',
  },
  {
    name: 'languages in any case',
    answer: { Vary: 'Accept-Language', ...FRESH },
    first: { 'Accept-Language': 'de, en-GB' },
    second: { 'Accept-Language': 'DE,en-gb' },
    source: 'stored',
  },
  {
    name: 'languages in another order',
    answer: { Vary: 'Accept-Language', ...FRESH },
    first: { 'Accept-Language': 'de, en' },
    second: { 'Accept-Language': 'en, de' },
    source: 'fetched',
  },
  { name: 'a request with no-cache', answer: FRESH, second: { 'Cache-Control': 'no-cache' }, source: 'confirmed' },
  { name: 'a request with Pragma alone', answer: FRESH, second: { Pragma: 'no-cache' }, source: 'stored' },
  {
    name: 'a request with no-cache on a second line',
    answer: FRESH,
    second: { 'Cache-Control': ['max-stale', 'no-cache'] },
    source: 'confirmed',
  },
  {
    name: 'a request with max-age',
    answer: { Age: '100', ...FRESH },
    second: { 'Cache-Control': 'max-age=99' },
    source: 'confirmed',
  },
  {
    name: 'a request with min-fresh',
    answer: { Age: '100', ...FRESH },
    second: { 'Cache-Control': 'min-fresh=550' },
    source: 'confirmed',
  },
  {
    name: 'a request with max-stale',
    answer: { Age: '700', ...FRESH },
    second: { 'Cache-Control': 'max-stale=300' },
    source: 'stored',
  },
  {
    name: 'max-stale against must-revalidate',
    answer: { Age: '700', 'Cache-Control': 'max-age=600, must-revalidate', ...ETAG },
    second: { 'Cache-Control': 'max-stale' },
    source: 'confirmed',
  },
  {
    name: 'only-if-cached with what is stored',
    answer: FRESH,
    second: { 'Cache-Control': 'only-if-cached' },
    source: 'stored',
  },
  {
    name: 'only-if-cached with what is stale',
    answer: { 'Cache-Control': 'max-age=0' },
    second: { 'Cache-Control': 'only-if-cached' },
    source: 504,
  },
  { name: 'If-None-Match', answer: FRESH, second: { 'If-None-Match': '"x", W/"v"' }, source: 304 },
  { name: 'If-None-Match without quotes', answer: FRESH, second: { 'If-None-Match': 'v' }, source: 304 },
  {
    name: 'If-None-Match of a tag that has no quotes at the origin',
    answer: { ...FRESH, ETag: 'v' },
    second: { 'If-None-Match': 'v' },
    source: 304,
  },
  { name: 'If-None-Match of another version', answer: FRESH, second: { 'If-None-Match': '"x"' }, source: 'stored' },
  {
    name: 'If-None-Match with the weak tag of the origin',
    answer: { ...FRESH, ETag: 'W/"v"' },
    second: { 'If-None-Match': 'W/"v"' },
    source: 304,
  },
  {
    name: 'If-Modified-Since',
    answer: { ...FRESH, 'Last-Modified': date(-900) },
    second: { 'If-Modified-Since': date(-900) },
    source: 304,
  },
  {
    name: 'If-Modified-Since before',
    answer: { ...FRESH, 'Last-Modified': date(-900) },
    second: { 'If-Modified-Since': date(-999) },
    source: 'stored',
  },
  {
    name: 'If-Modified-Since after a Date alone',
    answer: { ...FRESH, Date: date(-100) },
    second: { 'If-Modified-Since': date(-50) },
    source: 304,
  },
  {
    name: 'If-Modified-Since before a Date alone',
    answer: { ...FRESH, Date: date(-100) },
    second: { 'If-Modified-Since': date(-150) },
    source: 'stored',
  },
  { name: 'Authorization without leave', answer: FRESH, first: { Authorization: 'a' }, source: 'fetched' },
  {
    name: 'Authorization with public',
    answer: { ...FRESH, 'Cache-Control': 'public, max-age=600' },
    first: { Authorization: 'a' },
    source: 'stored',
  },
];

describe('caching (RFC 9111)', () => {
  let server: Server;
  let edge: Edge;
  let answer: Fields = {};
  let requests: IncomingHttpHeaders[] = [];

  before(async () => {
    server = createServer((request, response) => {
      requests.push(request.headers);
      for (const [name, value] of Object.entries({ 'Content-Type': 'video/mp4', ...answer })) {
        response.setHeader(name, value);
      }
      const { ETag: tag } = answer;
      if (tag !== undefined && request.headers['if-none-match'] === tag) response.writeHead(304).end();
      else response.end(Buffer.from(`answer ${requests.length} `));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    edge = await Edge.start({
      origin: `[{name: main, url: "${url}", forward: [Foo, Bar, Accept-Language]}]`,
      settings: 'freshness: {honourRequestDirectives: true}',
    });
  });
  after(async () => {
    await edge.end();
    server.close();
  });

  async function ask(path: string, fields: Fields = {}, method = 'GET'): Promise<RawAnswer> {
    const lines = Object.entries(fields).flatMap(([name, values]) =>
      [values].flat().map(value => `${name}: ${value}\r\n`),
    );
    const connection = await RawConnection.open(edge.port);
    try {
      return await connection
        .send(`${method} ${path} HTTP/1.1\r\nHost: edge.example\r\n${lines.join('')}\r\n`)
        .answer(method);
    } finally {
      connection.socket.destroy();
    }
  }

  for (const [index, each] of CASES.entries()) {
    it(`${each.name}: ${each.source}`, async () => {
      answer = each.answer;
      requests = [];
      const first = await ask(`/case-${index}`, each.first);
      assert.equal(first.status, 200);
      assert.equal(first.body.toString(), 'answer 1 ');
      assert.equal(requests.length, 1, 'nothing is fetched twice');
      const second = await ask(`/case-${index}`, each.second);
      for (const [name, value] of Object.entries(each.kept ?? {})) {
        assert.deepEqual([first.fields[name], second.fields[name]], [value, value], name);
      }
      if (typeof each.source === 'number') {
        assert.equal(second.status, each.source);
        assert.equal(requests.length, 1);
        return;
      }
      assert.equal(second.status, 200);
      assert.equal(second.body.toString(), each.source === 'fetched' ? `answer ${requests.length} ` : 'answer 1 ');
      assert.equal(requests.length, each.source === 'stored' ? 1 : 2);
      if (each.source === 'confirmed') assert.equal(requests[1]!['if-none-match'], '"v"');
    });
  }

  it('fields go on octet for octet, and choose variants by them', async () => {
    answer = { ...FRESH, Vary: 'Foo' };
    requests = [];
    const utf8 = (text: string) => Buffer.from(text).toString('latin1');
    const values = [utf8('"é"'), utf8('"日本"'), '"\xe9"', '"\xe8"', 'a\tb'];
    for (const [index, foo] of values.entries()) {
      assert.equal((await ask('/octets', { Foo: foo })).body.toString(), `answer ${index + 1} `);
      assert.equal(requests[index]!.foo, foo);
      assert.equal((await ask('/octets', { Foo: foo })).body.toString(), `answer ${index + 1} `);
    }
    for (const foo of ['a\x01b', 'a\x7fb', ['"\xe9"', 'a']]) {
      assert.equal((await ask('/octets', { Foo: foo })).status, 400, JSON.stringify(foo));
    }
    assert.equal(requests.length, values.length);
  });

  it('entity tags beyond ASCII are compared octet for octet', async () => {
    const tag = Buffer.from('"ü"').toString('latin1');
    answer = { ...FRESH, ETag: tag };
    assert.equal((await ask('/tag')).fields.etag, tag);
    assert.equal((await ask('/tag', { 'If-None-Match': tag })).status, 304);
    assert.equal((await ask('/tag', { 'If-None-Match': '"ü"' })).status, 200);
    assert.equal((await ask('/tag', { Range: 'bytes=0-1', 'If-Range': tag })).status, 206);
  });

  it('a tag that has no quotes at the origin goes back as it came', async () => {
    answer = { 'Cache-Control': 'max-age=0', ETag: 'v' };
    requests = [];
    for (const tag of [undefined, 'v']) {
      assert.equal((await ask('/unquoted')).body.toString(), 'answer 1 ');
      assert.equal(requests.at(-1)!['if-none-match'], tag);
    }
  });

  for (const directive of ['no-cache', 'private']) {
    for (const validator of [ETAG, {}]) {
      it(`fields that ${directive} names are for the first player only (${JSON.stringify(validator)})`, async () => {
        answer = {
          ...validator,
          'Cache-Control': `max-age=600, ${directive}="x-a, x-b"`,
          'X-A': '1',
          'X-B': '2',
          'X-C': '3',
        };
        const path = `/named/${directive}/${Object.keys(validator)}`;
        const found = async () => {
          const { fields } = await ask(path);
          return [fields['x-a'], fields['x-b'], fields['x-c']];
        };
        assert.deepEqual(await found(), ['1', '2', '3']);
        assert.deepEqual(await found(), [undefined, undefined, '3']);
      });
    }
  }

  it('a confirmation renews the fields that are stored', async () => {
    answer = {
      ...ETAG,
      'Cache-Control': 'max-age=0',
      'X-A': '1',
      'Content-Location': '/one',
      'Content-Language': 'de',
    };
    await ask('/renewed');
    answer = {
      ...ETAG,
      'Cache-Control': 'max-age=600',
      'X-A': '2',
      'Content-Location': '/two',
      'Content-Type': 'text/html',
    };
    for (const how of ['confirmed', 'stored']) {
      const { fields } = await ask('/renewed');
      assert.deepEqual(
        [fields['x-a'], fields['content-location'], fields['content-language'], fields['content-type']],
        ['2', '/two', 'de', 'text/html'],
        how,
      );
      assert.equal(fields['cache-control'], 'max-age=600');
    }
  });

  it('a digest of the content is kept of a whole answer, and sent with all of it only', async () => {
    const digests = { 'Content-MD5': 'x', 'Content-Digest': 'sha-256=:x:' };
    const found = (answered: RawAnswer) => [answered.fields['content-md5'], answered.fields['content-digest']];
    answer = { ...ETAG, ...digests, 'Cache-Control': 'max-age=0' };
    assert.deepEqual(found(await ask('/digest')), ['x', 'sha-256=:x:']);
    answer = { ...FRESH, 'Content-MD5': 'of the confirmation' };
    assert.deepEqual(found(await ask('/digest')), ['x', 'sha-256=:x:']);
    assert.deepEqual(found(await ask('/digest', {}, 'HEAD')), ['x', 'sha-256=:x:']);
    const range = await ask('/digest', { Range: 'bytes=0-1' });
    assert.deepEqual([range.status, ...found(range)], [206, undefined, undefined]);
    const several = await ask('/digest', { Range: 'bytes=0-1,4-5' });
    assert.deepEqual([several.status, ...found(several)], [206, undefined, undefined]);
  });

  it('HEAD is answered by what is stored, and its answer serves GET', async () => {
    answer = FRESH;
    requests = [];
    assert.equal((await ask('/head', {}, 'HEAD')).fields['content-length'], '9');
    assert.equal((await ask('/head')).body.toString(), 'answer 1 '.replace('1', String(requests.length)));
    const asked = requests.length;
    assert.equal((await ask('/head', {}, 'HEAD')).fields.etag, '"v"');
    assert.equal(requests.length, asked);
  });

  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PURGE', 'M-SEARCH', 'FOO']) {
    it(`${method} is refused, and leaves what is stored`, async () => {
      answer = FRESH;
      await ask('/unsafe');
      requests = [];
      const { status, fields } = await ask('/unsafe', {}, method);
      assert.equal(status, 405);
      assert.equal(fields.allow, 'GET, HEAD, OPTIONS');
      await ask('/unsafe');
      assert.equal(requests.length, 0);
    });
  }
});
