import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { silentLog } from '../../../../src/base/log.js';
import { CatalogBench } from '../../../support/catalog-bench.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { type Fault, FaultOrigin, faults } from '../../../support/fault-origin.js';
import { startEdge } from '../../../support/http-edge.js';
import { httpOrigin, PATIENT } from '../../../support/http-origin.js';
import { fetchRaw } from '../../../support/raw-http.js';

/* What players get of an origin that fails or refuses, and what the log says of it: the stages from HTTP to HTTP. */

const SIZE = 4 * BLOCK_SIZE;
const server = await FaultOrigin.start();
/** Those of the origin: short where it is silent. */
const timeouts = { ...PATIENT };
const origin = httpOrigin([`${server.url.replace('//', '//user:pass@')}/films`], {
  name: 'storage',
  retries: 0,
  timeouts,
});
after(async () => {
  await origin.close();
  await server.close();
});
const lines: { fields: Record<string, unknown>; text: string }[] = [];
const log = {
  ...silentLog,
  warn: (fields: object, text: string) => void lines.push({ fields: fields as Record<string, unknown>, text }),
};
const freshness = { ...DEFAULTS.catalog.freshness, notFoundTtl: 60_000, errorTtl: 60_000 };
const worker = new CatalogBench(origin, { now: Date.now, freshness }).worker();
const { port } = await startEdge({ content: worker.catalog, log });
let count = 0;
/** A film that nobody has seen. */
function film(...laid: Fault[]): string {
  const path = `/film-${count++}.mp4`;
  server.put(`/films${path}`, { size: SIZE, headers: { 'Cache-Control': 'max-age=600' } });
  for (const fault of laid) server.fault(fault, { path: `/films${path}` });
  return path;
}
const get = (path: string, fields = {}) => fetchRaw(port, 'GET', path, fields);
beforeEach(() => {
  lines.length = 0;
  server.forget();
});

describe('an answer that ends badly leaves one line', () => {
  const later =
    (fault: Fault): Fault =>
    (plan, request) => {
      if (plan.offset > 0) fault(plan, request);
    };
  const cases: Record<string, [fault: Fault, end: number | 'cut', code: string, found: RegExp]> = {
    'reset before the head': [faults.reset('head'), 502, 'origin_unavailable', /broke off.*UND_ERR_SOCKET|ECONNRESET/],
    'silent before the head': [faults.stall('head'), 504, 'origin_timeout', /did not answer in time/],
    'a malformed head': [faults.rawHead('SSH-2.0\r\n\r\n'), 502, 'origin_protocol', /malformed/],
    'a coded body': [faults.gzip(), 502, 'origin_protocol', /Content-Encoding.*status 206/],
    'another part': [faults.shifted(7), 502, 'origin_protocol', /bytes 7-/],
    'reset in the body': [later(faults.reset(1000)), 'cut', 'origin_unavailable', /broke off/],
    'silent in the body': [later(faults.stall(1000)), 'cut', 'origin_timeout', /fell silent/],
    'another version in the middle': [later(faults.header('ETag', '"other"')), 'cut', 'object_changed', /changed/],
    'not found in the middle': [later(faults.status(404)), 'cut', 'not_found', /no such object.*status 404/],
    'refused in the middle': [later(faults.status(503)), 'cut', 'origin_unavailable', /503/],
  };
  for (const [name, [fault, end, code, found]] of Object.entries(cases)) {
    test(name, async () => {
      const path = film(fault);
      if (name.startsWith('silent')) Object.assign(timeouts, { firstByte: 1500, stall: 1500 });
      const answer = await get(`${path}?token=abc`).catch(() => undefined);
      Object.assign(timeouts, PATIENT);
      if (end !== 'cut') assert.equal(answer!.status, end);
      else assert.ok(answer === undefined || answer.body.length < SIZE);
      assert.equal(lines.length, 1, JSON.stringify(lines));
      const { fields, text } = lines[0]!;
      assert.equal(text, end === 'cut' ? 'an answer was cut' : 'an answer was an error');
      assert.equal(fields.url, `${path}?token=abc`);
      assert.deepEqual([fields.code, fields.origin], [code, 'storage']);
      assert.equal(fields.originUrl, `${server.url}/films${path}?token=abc`);
      assert.match(String(fields.expected), end === 'cut' ? /^bytes \d+-\d+, version "v1-/ : /^bytes 0-\d+$/);
      assert.match(String(fields.found), found);
      if (end === 'cut') assert.ok(Number(fields.cut) > 0 && Number(fields.cut) < SIZE);
      else assert.equal(fields.status, end);
    });
  }

  test('none for what ends well, or is refused for good', async () => {
    assert.equal((await get(film())).status, 200);
    assert.equal((await get('/none.mp4')).status, 404);
    assert.equal((await get(film(faults.status(418)))).status, 418);
    assert.equal((await get(film(), { Range: 'bytes=99999999-' })).status, 416);
    assert.deepEqual(lines, []);
  });
});

describe('a refusal reaches the player as it is', () => {
  const statuses = [
    203, 204, 226, 299, 300, 400, 401, 403, 404, 405, 410, 418, 429, 451, 499, 500, 502, 503, 504, 511, 599,
  ];
  for (const status of statuses) {
    test(`${status}, from the origin and remembered, by GET and HEAD`, async () => {
      const body = status === 204 ? '' : `{"status":${status}}`;
      const path = film(
        faults.status(
          status,
          {
            'Content-Type': 'application/json',
            'Cache-Control': 'max-age=60',
            'Retry-After': '7',
            'WWW-Authenticate': 'Bearer realm="films"',
            'X-Reason': 'so',
            ETag: '"refusal"',
            'Last-Modified': 'Wed, 01 Jan 2020 00:00:00 GMT',
            'Set-Cookie': 'secret=1',
            Server: 'storage/1',
            Connection: 'X-Hop',
            'X-Hop': 'hop',
          },
          body,
        ),
      );
      for (const turn of ['fetched', 'remembered']) {
        const answer = await get(path);
        assert.equal(answer.status, status, turn);
        assert.equal(answer.body.toString(), body, turn);
        const { fields } = answer;
        assert.deepEqual(
          [fields['content-type'], fields['cache-control'], fields['retry-after'], fields['x-reason']],
          ['application/json', 'max-age=60', '7', 'so'],
        );
        assert.deepEqual([fields.etag, fields['last-modified']], ['"refusal"', 'Wed, 01 Jan 2020 00:00:00 GMT']);
        assert.equal(fields['www-authenticate'], status === 401 ? 'Bearer realm="films"' : undefined);
        assert.deepEqual([fields['set-cookie'], fields.server, fields['x-hop']], [undefined, undefined, undefined]);
        assert.equal(fields.age, turn === 'remembered' ? '0' : undefined);
      }
      const head = await fetchRaw(port, 'HEAD', path);
      assert.deepEqual([head.status, head.body.length], [status, 0]);
      assert.equal(server.requests.length, 1);
    });
  }

  test('407, a redirect to nowhere and an answer that contradicts itself are the edge’s own 502', async () => {
    for (const fault of [faults.status(407), faults.status(302), faults.gzip()]) {
      const answer = await get(film(fault));
      assert.deepEqual([answer.status, answer.fields['content-type']], [502, 'text/plain; charset=utf-8']);
    }
  });

  test('a body of 64 KiB passes; of a longer one, a coded one, a cut one and one that never ends the status does', async () => {
    const most = 'x'.repeat(65_536);
    const whole = await get(film(faults.status(404, {}, most)));
    assert.deepEqual([whole.status, whole.body.toString()], [404, most]);
    const short: Fault[] = [faults.status(503, { 'Retry-After': '5' }, 'abc'), faults.cut(2)];
    const silent: Fault[] = [faults.status(503, { 'Retry-After': '5' }, 'abc'), faults.stall(2)];
    const coded = faults.status(503, { 'Retry-After': '5', 'Content-Encoding': 'gzip' }, 'abc');
    for (const laid of [[faults.status(503, { 'Retry-After': '5' }, `${most}x`)], short, silent, [coded]]) {
      const { status, body, fields } = await get(film(...laid));
      assert.deepEqual([status, fields['retry-after'], fields['content-encoding']], [503, '5', undefined]);
      assert.match(body.toString(), /^the origin is out of order \(503\)/);
    }
  });

  test('what depends on other fields, or must not be stored, is asked for each time', async () => {
    for (const [name, value] of [
      ['Vary', 'Cookie'],
      ['Cache-Control', 'no-store'],
      ['Cache-Control', 'private'],
    ] as const) {
      const path = film(faults.status(404, { [name]: value }));
      await get(path);
      await get(path);
      assert.equal(server.requests.length, 2, `${name}: ${value}`);
      server.forget();
    }
  });

  test('a refusal of bytes of a film that is known', async () => {
    const path = film();
    assert.equal((await get(path, { Range: 'bytes=0-9' })).status, 206);
    server.fault(faults.status(503, { 'Retry-After': '9' }, 'busy'), { path: `/films${path}` });
    const answer = await get(path, { Range: `bytes=${SIZE - 10}-` });
    assert.deepEqual([answer.status, answer.fields['retry-after'], answer.body.toString()], [503, '9', 'busy']);
  });
});
