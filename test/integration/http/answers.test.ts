import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EdgeError, type ErrorCode } from '../../../src/base/errors.js';
import type { StoredObject } from '../../../src/catalog/stored-object.js';
import { ClientAddresses } from '../../../src/http/client-address.js';
import type { AccessEntry } from '../../../src/observe/access-entry.js';
import { literal, source } from '../../../src/virtual-file/span.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw } from '../../support/raw-http.js';

for (const engine of ENGINES)
  describe(`over ${engine}`, () => {
    const bytes = contentAt('/film.mp4', 'v1', 0, 700_000);
    const MODIFIED = 'Thu, 02 Jan 2025 03:04:05 GMT';

    async function filmEdge(fields: Partial<StoredObject> = {}, options: Parameters<typeof startEdge>[0] = {}) {
      const edge = await startEdge(options, listening(engine));
      const film = new FakeObject(bytes, { etag: '"film"', ...fields });
      edge.content.paths.set('/film.mp4', film);
      return { ...edge, film, get: (more = {}, target = '/film.mp4') => fetchRaw(edge.port, 'GET', target, more) };
    }

    test('a whole file with its fields', async () => {
      const { film, get, server } = await filmEdge();
      film.age = 12.7;
      const { status, body, fields } = await get();
      assert.equal(status, 200);
      assert.deepEqual(body, bytes);
      const { date, ...rest } = fields;
      assert.ok(Math.abs(Date.parse(date!) - Date.now()) < 5000);
      assert.deepEqual(rest, {
        'accept-ranges': 'bytes',
        age: '12',
        'cache-control': 'max-age=60',
        'cache-status': 'moovedge; hit; detail=memory',
        'content-length': '700000',
        'content-type': 'video/mp4',
        etag: '"film"',
        'last-modified': MODIFIED,
      });
      assert.equal(server.stats.requests.memory[200], 1);
      assert.equal(server.stats.responseBytes, 700_000);
      assert.equal(server.stats.openResponses, 0);
      assert.equal(film.releases, 1);
      assert.equal(film.readers.size, 0);
    });

    test('a range and its fields', async () => {
      const { get } = await filmEdge();
      const { status, body, fields } = await get({ Range: 'bytes=262100-262199' });
      assert.equal(status, 206);
      assert.deepEqual(body, bytes.subarray(262_100, 262_200));
      assert.equal(fields['content-range'], 'bytes 262100-262199/700000');
      assert.equal(fields['content-length'], '100');
      assert.equal(fields.etag, '"film"');
    });

    for (const [field, status] of [
      [{}, 200],
      [{ Range: 'bytes=0-99' }, 200],
      [{ 'If-None-Match': '"film"' }, 304],
      [{ 'If-Match': '"other"' }, 412],
      [{ 'If-Modified-Since': MODIFIED }, 304],
    ] as const) {
      test(`HEAD has exactly the fields of GET: ${JSON.stringify(field)}`, async () => {
        const { port } = await filmEdge(
          {},
          { cors: { origins: ['*'], methods: ['GET'], headers: [], exposeHeaders: ['ETag'], maxAge: 0 } },
        );
        const { Range: _, ...unranged } = field as Record<string, string>;
        const get = await fetchRaw(port, 'GET', '/film.mp4', unranged);
        const head = await fetchRaw(port, 'HEAD', '/film.mp4', field);
        assert.equal(head.status, status);
        assert.equal(get.status, status);
        assert.deepEqual(ofAny(head.fields), ofAny(get.fields));
        assert.equal(head.body.length, 0);
      });
    }

    test('HEAD tells where the first block is, and fetches none', async () => {
      const { film, port } = await filmEdge();
      film.outcomeAt = () => 'disk';
      assert.equal((await fetchRaw(port, 'HEAD', '/film.mp4')).fields['cache-status'], 'moovedge; hit; detail=disk');
      film.available = 0;
      assert.equal((await fetchRaw(port, 'HEAD', '/film.mp4')).fields['cache-status'], 'moovedge; hit; detail=memory');
      assert.equal(film.wants.length, 0);
      assert.equal(film.readers.size, 0);
    });

    test('HEAD of a missing file has the fields of GET', async () => {
      const { port } = await filmEdge();
      const [get, head] = [await fetchRaw(port, 'GET', '/none'), await fetchRaw(port, 'HEAD', '/none')];
      assert.equal(head.status, 404);
      assert.deepEqual(ofAny(head.fields), ofAny(get.fields));
    });

    test('an empty file', async () => {
      const { content, get, port } = await filmEdge();
      content.paths.set('/empty', new FakeObject(new Uint8Array(0)));
      for (const fields of [{}, { Range: 'bytes=0-' }, { Range: 'bytes=-5' }]) {
        const answer = await get(fields, '/empty');
        assert.equal(answer.status, 200);
        assert.equal(answer.fields['content-length'], '0');
      }
      assert.equal((await fetchRaw(port, 'HEAD', '/empty')).fields['content-length'], '0');
    });

    test('304 and 412', async () => {
      const { get, film } = await filmEdge({
        fields: [
          ['Cache-Control', 'max-age=60'],
          ['Vary', 'Accept'],
          ['Content-Disposition', 'inline'],
        ],
      });
      film.age = 5;
      const notModified = await get({ 'If-None-Match': 'W/"film"' });
      assert.equal(notModified.status, 304);
      const { date: _, ...fields } = notModified.fields;
      assert.deepEqual(fields, {
        age: '5',
        'cache-control': 'max-age=60',
        'cache-status': 'moovedge; hit; detail=memory',
        etag: '"film"',
        vary: 'Accept',
      });
      assert.equal((await get({ 'If-Match': '"other"' })).status, 412);
      assert.equal((await get({ 'If-Match': '"film"', Range: 'bytes=0-9' })).status, 206);
      assert.equal((await get({ 'If-None-Match': '"film"', Range: 'bytes=0-9' })).status, 304);
      assert.equal((await get({ 'If-None-Match': '"x"' })).status, 200);
      assert.equal(film.releases, 5);
    });

    test('a list field on several lines is one list', async () => {
      const { port } = await filmEdge();
      const { RawConnection } = await import('../../support/raw-http.js');
      const connection = await RawConnection.open(port);
      connection.send(
        'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nIf-Match: "x"\r\nIf-Match: "film"\r\nRange: bytes=0-0\r\n\r\n',
      );
      assert.equal((await connection.answer()).status, 206);
      connection.send('GET /film.mp4 HTTP/1.1\r\nHost: a\r\nIf-None-Match: "x"\r\nIf-None-Match: "film"\r\n\r\n');
      assert.equal((await connection.answer()).status, 304);
      connection.socket.destroy();
    });

    test('ranges and conditions hold after a wait for the origin too', async () => {
      const { get, content, film } = await filmEdge();
      content.gate = Promise.resolve();
      assert.equal((await get({ Range: 'bytes=700000-' })).status, 416);
      assert.equal((await get({ 'If-Match': '"x"' })).status, 412);
      assert.equal((await get({ 'If-None-Match': '*' })).status, 304);
      assert.deepEqual((await get({ Range: 'bytes=-3' })).body, bytes.subarray(-3));
      assert.equal(film.releases, 4);
    });

    test('If-Range', async () => {
      const { get, film } = await filmEdge();
      const Range = 'bytes=0-9';
      for (const [validator, status] of [
        ['"film"', 206],
        ['W/"film"', 200],
        ['"old"', 200],
        [MODIFIED, 206],
        ['Thu, 02 Jan 2025 03:04:06 GMT', 200],
      ] as const) {
        assert.equal((await get({ Range, 'If-Range': validator })).status, status, validator);
      }
      assert.equal((await get({ Range: 'bytes=999999-', 'If-Range': '"old"' })).status, 200);
      assert.deepEqual(film.faults, []);
    });

    test('a range that is not there', async () => {
      const { get, film, server } = await filmEdge();
      const { status, fields, body } = await get({ Range: 'bytes=700000-' });
      assert.equal(status, 416);
      assert.equal(fields['content-range'], 'bytes */700000');
      assert.equal(fields['content-type'], 'text/plain; charset=utf-8');
      assert.match(body.toString(), /the file has 700000 bytes/);
      assert.equal((await get({ Range: `bytes=${'0-,'.repeat(60)}` })).status, 416);
      assert.equal(
        (await get({ Range: `bytes=${Array.from({ length: 65 }, (_, i) => `${i * 2}-${i * 2}`)}` })).status,
        416,
      );
      assert.equal(film.releases, 3);
      assert.equal(server.stats.requests.none[416], 3);
    });

    const ERRORS: [code: ErrorCode, status: number][] = [
      ['bad_request', 400],
      ['uri_too_long', 414],
      ['forbidden', 403],
      ['not_found', 404],
      ['gone', 410],
      ['range_not_satisfiable', 416],
      ['unplayable', 422],
      ['media_too_large', 422],
      ['origin_protocol', 502],
      ['origin_unavailable', 502],
      ['overloaded', 503],
      ['only_if_cached', 504],
      ['origin_timeout', 504],
    ];

    for (const [code, status] of ERRORS) {
      test(`${code} is ${status}, at once or after a while`, async () => {
        const { content, get } = await filmEdge();
        content.paths.set(
          '/bad',
          new EdgeError(code, 'the reason', {
            retryAfter: 1.2,
            headers: { 'X-Why': 'so', 'X-Bad': 'a\r\nInjected: 1' },
          }),
        );
        for (const gate of [undefined, Promise.resolve()]) {
          content.gate = gate;
          const { fields, body, ...answer } = await get({}, '/bad');
          assert.equal(answer.status, status);
          assert.equal(body.toString(), 'the reason\n');
          assert.equal(fields['retry-after'], '2');
          assert.equal(fields['x-why'], 'so');
          assert.equal(fields.injected, undefined);
          assert.equal(fields['cache-control'], 'no-store');
          assert.equal(fields['cache-status'], `moovedge; detail=${code}`);
        }
      });
    }

    test('a defect is a 500 that tells nothing, and is logged', async () => {
      const logged: object[] = [];
      const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) };
      const { content, get } = await filmEdge({}, { log });
      content.paths.set('/bug', () => {
        throw new TypeError('secret detail');
      });
      const { status, body } = await get({}, '/bug');
      assert.equal(status, 500);
      assert.doesNotMatch(body.toString(), /secret/);
      assert.ok((logged[0] as { error: unknown }).error instanceof TypeError);
    });

    test('what an object stores cannot break the message or stand for the edge', async () => {
      const { get } = await filmEdge({
        contentType: 'video/mp4\r\nInjected: 1',
        fields: [
          ['X-Good', 'caf\xe9'],
          ['X-Bad', 'a\r\nInjected: 2'],
          ['X-Nul', 'a\0b'],
          ['Bad Name', 'x'],
          ['Injected:', 'x'],
          ['', 'x'],
          ['Content-Length', '5'],
          ['Transfer-Encoding', 'chunked'],
          ['ETag', '"forged"'],
          ['Age', '99'],
          ['Connection', 'close'],
          ['X-Wide', '\u2028'],
          ['Set-Cookie', 'a=b'],
        ],
      });
      for (const headers of [{}, { Range: 'bytes=0-9' }, { Range: 'bytes=0-9,20-29' }]) {
        const { status, fields, lines, body } = await get(headers);
        assert.ok(status === 200 || status === 206);
        assert.equal(fields.injected, undefined);
        assert.equal(fields['x-good'], 'caf\xe9');
        assert.equal(fields.etag, '"film"');
        assert.equal(fields.age, '0');
        assert.equal(
          lines.filter(line => /^(content-length|age|etag|connection|transfer-encoding):/i.test(line)).length,
          3,
        );
        for (const name of ['x-bad', 'x-nul', 'bad name', 'x-wide', 'connection'])
          assert.equal(fields[name], undefined, name);
        if (fields['content-type']?.startsWith('multipart')) assert.doesNotMatch(body.toString('latin1'), /Injected/);
      }
    });

    test('OPTIONS and unknown methods', async () => {
      const { port, server } = await filmEdge();
      const options = await fetchRaw(port, 'OPTIONS', '/film.mp4');
      assert.equal(options.status, 204);
      assert.equal(options.fields.allow, 'GET, HEAD, OPTIONS');
      assert.equal(options.fields['content-length'], undefined);
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'get', 'FOO']) {
        const { status, fields } = await fetchRaw(port, method, '/film.mp4');
        assert.equal(status, 405, method);
        assert.equal(fields.allow, 'GET, HEAD, OPTIONS');
      }
      assert.equal(server.stats.requests.none[405], 8);
      assert.equal(server.stats.openResponses, 0);
    });

    const CORS = {
      methods: ['GET', 'HEAD'],
      headers: ['Range', 'If-Range'],
      exposeHeaders: ['ETag', 'X-Seek-Actual'],
      maxAge: 3_600_000,
    };

    test('CORS for everybody', async () => {
      const { port } = await filmEdge(
        { fields: [['Access-Control-Allow-Origin', 'https://origin.example']] },
        { cors: { origins: ['*'], ...CORS } },
      );
      for (const [target, status] of [
        ['/film.mp4', 200],
        ['/none', 404],
      ] as const) {
        const answer = await fetchRaw(port, 'GET', target, { Origin: 'https://any.example' });
        assert.equal(answer.status, status);
        assert.equal(answer.fields['access-control-allow-origin'], '*');
        assert.equal(answer.fields['access-control-expose-headers'], 'ETag, X-Seek-Actual');
        assert.equal(answer.fields.vary, undefined);
      }
      const preflight = await fetchRaw(port, 'OPTIONS', '/film.mp4', {
        Origin: 'https://any.example',
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'range',
      });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.fields['access-control-allow-origin'], '*');
      assert.equal(preflight.fields['access-control-allow-methods'], 'GET, HEAD');
      assert.equal(preflight.fields['access-control-allow-headers'], 'Range, If-Range');
      assert.equal(preflight.fields['access-control-max-age'], '3600');
    });

    test('CORS for a list', async () => {
      const { port } = await filmEdge({}, { cors: { origins: ['https://a.example', 'https://b.example'], ...CORS } });
      const ask = (method: string, Origin: string, more = {}) =>
        fetchRaw(port, method, '/film.mp4', { Origin, ...more });
      const allowed = await ask('GET', 'https://b.example');
      assert.equal(allowed.fields['access-control-allow-origin'], 'https://b.example');
      assert.equal(allowed.fields['access-control-expose-headers'], 'ETag, X-Seek-Actual');
      assert.equal(allowed.fields.vary, 'Origin');
      const refused = await ask('GET', 'https://c.example');
      assert.equal(refused.status, 200);
      assert.equal(refused.fields['access-control-allow-origin'], undefined);
      assert.equal(refused.fields.vary, 'Origin');
      const preflight = await ask('OPTIONS', 'https://a.example', { 'Access-Control-Request-Method': 'GET' });
      assert.equal(preflight.fields['access-control-allow-origin'], 'https://a.example');
      assert.equal(preflight.fields['access-control-allow-methods'], 'GET, HEAD');
      assert.equal(
        (await ask('OPTIONS', 'https://c.example', { 'Access-Control-Request-Method': 'GET' })).fields[
          'access-control-allow-methods'
        ],
        undefined,
      );
      assert.equal(
        (await ask('GET', 'https://b.example', { 'If-None-Match': '*' })).fields['access-control-allow-origin'],
        'https://b.example',
      );
    });

    test('without CORS the fields of the object pass', async () => {
      const { get } = await filmEdge({ fields: [['Access-Control-Allow-Origin', 'https://origin.example']] });
      assert.equal(
        (await get({ Origin: 'https://any.example' })).fields['access-control-allow-origin'],
        'https://origin.example',
      );
    });

    /** A start that planners of these tests answer later. */
    const LATE = 20;

    test("a seek is the planner's file, of which there are ranges", async () => {
      const spans = [literal(Buffer.from('header')), source(300_000, 1000)];
      const whole = Buffer.concat([Buffer.from('header'), bytes.subarray(300_000, 301_000)]);
      const asked: unknown[] = [];
      const planner = {
        whole: () => undefined,
        seek(object: { identity: string }, { start, end }: { start: number; end: number | undefined }) {
          asked.push([object.identity.length, start, end]);
          const file = {
            size: 1006,
            etag: '"cut"',
            lastModified: undefined,
            contentType: 'video/mp4',
            spans,
            seekActual: 9.96,
          };
          return start === LATE ? Promise.resolve(file) : file;
        },
      };
      const { get, film, content, port } = await filmEdge(
        {
          fields: [
            ['Repr-Digest', 'sha-256=:AAAA:'],
            ['Cache-Control', 'no-cache'],
          ],
        },
        { planner },
      );
      film.outcomeAt = offset => (offset === 300_000 ? 'disk' : 'memory');
      for (const start of [10, LATE]) {
        const answer = await get({}, `/film.mp4?start=${start}&token=x`);
        assert.equal(answer.status, 200);
        assert.deepEqual(answer.body, whole);
        assert.equal(answer.fields['x-seek-actual'], '9.96');
        assert.equal(answer.fields.etag, '"cut"');
        assert.equal(answer.fields['last-modified'], undefined);
        assert.equal(answer.fields['repr-digest'], undefined);
        assert.equal(answer.fields['cache-control'], 'no-cache');
        assert.equal(answer.fields['cache-status'], 'moovedge; hit; detail=disk');
        const range = await get({ Range: 'bytes=3-10', 'If-Range': '"cut"' }, `/film.mp4?start=${start}`);
        assert.equal(range.status, 206);
        assert.deepEqual(range.body, whole.subarray(3, 11));
        assert.equal((await fetchRaw(port, 'HEAD', `/film.mp4?start=${start}`)).fields['content-length'], '1006');
      }
      const plain = await get();
      assert.equal(plain.fields['x-seek-actual'], undefined);
      assert.equal(plain.fields['repr-digest'], 'sha-256=:AAAA:');
      assert.equal(content.requests[0]!.query, 'token=x');
      assert.deepEqual(asked[0], [32, 10, undefined]);
      assert.equal(asked.length, 6, 'nothing is planned for the plain file');
    });

    test('a planner that fails', async () => {
      const fail = (): never => {
        throw new EdgeError('range_not_satisfiable', 'the film lasts 10 s');
      };
      const { get, film } = await filmEdge(
        {},
        { planner: { whole: fail, seek: (_, { start }) => (start === LATE ? Promise.resolve().then(fail) : fail()) } },
      );
      for (const start of [99, LATE]) {
        const { status, body } = await get({}, `/film.mp4?start=${start}`);
        assert.equal(status, 416);
        assert.equal(body.toString(), 'the film lasts 10 s\n');
      }
      assert.equal(film.releases, 2);
    });

    test('what content is asked for', async () => {
      const { get, content, port } = await filmEdge({}, { dropQuery: ['utm'] });
      await get(
        { Host: 'Media.Example:8080', Range: 'bytes=1000-1999', 'X-Any': 'thing' },
        '/%66ilm.mp4?b=1&utm=2&a=%2f',
      );
      const request = content.requests[0]!;
      assert.deepEqual([request.host, request.path, request.query], ['media.example', '/%66ilm.mp4', 'b=1&a=%2f']);
      assert.deepEqual(request.hint, { start: 1000, end: 2000 });
      content.gate = Promise.resolve();
      await get({ 'X-Any': 'thing' });
      assert.equal(
        content.requests[1]!.field('x-any'),
        'thing',
        'fields can be read while the promise is pending, and a little longer',
      );
      assert.equal(content.requests[1]!.field('x-none'), '');
      await get({ Range: 'bytes=-500' });
      await get({ Range: 'bytes=7-' });
      await fetchRaw(port, 'HEAD', '/film.mp4');
      assert.deepEqual(
        content.requests.slice(2).map(({ hint }) => hint),
        [
          { start: 0, end: 1 },
          { start: 7, end: Number.MAX_SAFE_INTEGER },
          { start: 0, end: 1 },
        ],
      );
    });

    test("the outcome of the head stands before the block's", async () => {
      const { get, film, server, content } = await filmEdge();
      film.outcomeAt = () => 'miss';
      assert.equal((await get()).fields['cache-status'], 'moovedge; fwd=miss; fwd-status=206');
      film.outcome = 'stale';
      assert.equal((await get()).fields['cache-status'], 'moovedge; fwd=stale; detail=served-stale');
      film.outcome = undefined;
      content.gate = Promise.resolve();
      assert.equal((await get({ 'If-None-Match': '*' })).fields['cache-status'], 'moovedge; fwd=miss; fwd-status=206');
      assert.deepEqual([server.stats.requests.miss, server.stats.requests.stale], [{ 200: 1, 304: 1 }, { 200: 1 }]);
    });

    test('traversal and overlong URLs are refused before content is asked', async () => {
      const { content, port } = await filmEdge();
      for (const target of [
        '/../etc/passwd',
        '/%2e%2e/x',
        '/a/..%2f..%2fx',
        '/..%5c',
        '/..;/',
        '/a%00',
        '/%c0%ae%c0%ae/',
        '/%',
      ]) {
        assert.equal((await fetchRaw(port, 'GET', target)).status, 400, target.slice(0, 40));
      }
      assert.equal((await fetchRaw(port, 'GET', '/film.mp4', { Host: 'a/b' })).status, 400);
      // RFC 9112 section 3: a target that is too long is 414.
      for (const target of [`/${'a'.repeat(8200)}`, `/film.mp4?Policy=${'a'.repeat(9000)}`]) {
        assert.equal((await fetchRaw(port, 'GET', target)).status, 414);
      }
      assert.equal(content.requests.length, 0);
    });

    test('the access log has an entry for every answer', async () => {
      const entries: AccessEntry[] = [];
      const ttfb: number[] = [];
      const { get } = await filmEdge(
        {},
        {
          accessLog: entry => void entries.push(entry),
          observeTtfb: seconds => void ttfb.push(seconds),
          serverName: 'moovedge',
        },
      );
      const answer = await get(
        { Range: 'bytes=0-9', 'User-Agent': 'test', Referer: 'https://page.example/' },
        '/film.mp4?a=1',
      );
      assert.equal(answer.fields.server, 'moovedge');
      await get({}, '/none');
      const { time, seconds, ttfb: first, id, ...entry } = entries[0]!;
      assert.deepEqual(entry, {
        client: '127.0.0.1',
        method: 'GET',
        host: 'edge.example',
        url: '/film.mp4?a=1',
        protocol: 'HTTP/1.1',
        status: 206,
        bytes: 10,
        end: 'whole',
        outcome: 'memory',
        range: 'bytes=0-9',
        referer: 'https://page.example/',
        agent: 'test',
        origin: undefined,
        route: undefined,
        error: undefined,
      });
      assert.match(id, /^[\w-]+$/);
      assert.notEqual(id, entries[1]!.id);
      assert.match(entries[1]!.error!, /^not_found: /);
      assert.ok(Math.abs(time - Date.now()) < 5000 && seconds >= first! && first! > 0);
      assert.equal(entries[1]!.status, 404);
      assert.equal(entries.length, 2);
      assert.equal(ttfb.length, 2);
    });

    test('the client of the access log is whom a trusted proxy names', async () => {
      const entries: AccessEntry[] = [];
      const { get, server } = await filmEdge({}, { accessLog: entry => void entries.push(entry) });
      await get({ 'X-Forwarded-For': '203.0.113.5' });
      const port = await server.listen('127.0.0.1', 0, { clients: new ClientAddresses(['127.0.0.1']) });
      await fetchRaw(port, 'GET', '/film.mp4', { 'X-Forwarded-For': '6.6.6.6, 203.0.113.5' });
      assert.deepEqual(
        entries.map(({ client }) => client),
        ['127.0.0.1', '203.0.113.5'],
      );
    });

    test('a port that sends everybody to HTTPS answers with the URL there, and with nothing else', async () => {
      const { content, server } = await filmEdge();
      const [secure, other] = await Promise.all(
        [443, 8443].map(redirect => server.listen('127.0.0.1', 0, { redirect })),
      );
      const at = async (port: number, target: string, fields = {}) => {
        const { status, fields: given } = await fetchRaw(port, 'GET', target, fields);
        return [status, given.location];
      };
      const host = { Host: 'films.example:80' };
      assert.deepEqual(await at(secure!, '/film.mp4?a=1&start=5', host), [
        301,
        'https://films.example/film.mp4?a=1&start=5',
      ]);
      assert.deepEqual(await at(other!, '/film.mp4', host), [301, 'https://films.example:8443/film.mp4']);
      assert.deepEqual(await at(other!, '/a/../b', host), [400, undefined]);
      assert.equal((await fetchRaw(other!, 'POST', '/film.mp4', host)).status, 405);
      assert.equal(content.requests.length, 0);
    });
  });

/** Fields without what is another for each answer. */
function ofAny(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, name === 'date' || name === 'x-request-id' ? '' : value]),
  );
}
