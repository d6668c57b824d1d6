import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { formatHttpDate } from '../../../src/base/http-date.js';
import { Edge } from '../../support/edge.js';
import { fetchRaw } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

/*
 * RFC 9111 where settings open the way: answers that bring no object, redirects among them, and cookies that are for
 * all. Each case asks twice, and says whether the second answer is stored.
 */

interface Case {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly stored: boolean;
}

const MODIFIED = { 'Last-Modified': formatHttpDate(Date.now() - 86_400_000)! };
const FRESH = { 'Cache-Control': 'max-age=600' };
const LOCATION = { Location: 'http://elsewhere.example/film.mp4?token=1' };
/** Statuses that the heuristic may be used for (RFC 9110 section 15.1). */
const HEURISTIC = [203, 204, 300, 301, 308, 405, 414, 501];
const OTHERS = [201, 202, 302, 303, 307, 400, 403, 418, 429, 500, 502, 503, 504, 599];

const CASES: readonly Case[] = [
  ...HEURISTIC.map(status => ({ status, fields: MODIFIED, stored: true })),
  ...OTHERS.map(status => ({ status, fields: MODIFIED, stored: false })),
  ...HEURISTIC.map(status => ({ status, fields: {}, stored: false })),
  ...[...HEURISTIC, ...OTHERS].flatMap(status => [
    { status, fields: FRESH, stored: true },
    { status, fields: { 'Cache-Control': 'max-age=0', ...MODIFIED }, stored: false },
    { status, fields: { 'Cache-Control': 'private, max-age=600' }, stored: false },
    { status, fields: { Age: '700', ...FRESH }, stored: false },
  ]),
  // What `public` opens to the heuristic (RFC 9111 section 4.2.2).
  { status: 599, fields: { 'Cache-Control': 'public', ...MODIFIED }, stored: true },
  // A status that the cache must understand, and does or does not (section 5.2.2.3).
  { status: 599, fields: { 'Cache-Control': 'must-understand, max-age=600' }, stored: false },
  { status: 403, fields: { 'Cache-Control': 'must-understand, no-store, max-age=600' }, stored: true },
  { status: 403, fields: { 'Cache-Control': 'no-store, max-age=600' }, stored: false },
  { status: 302, fields: { 'Surrogate-Control': 'max-age=600', 'Cache-Control': 'no-store' }, stored: true },
  { status: 302, fields: { Expires: formatHttpDate(Date.now() + 600_000)! }, stored: true },
];

describe('what is passed on (RFC 9111)', () => {
  let server: Server;
  let edge: Edge;
  let requests: IncomingMessage[] = [];
  let respond: Case;
  /** The first answer waits for it. */
  let gate: Promise<void> | undefined;

  before(async () => {
    server = createServer(async (request, response) => {
      requests.push(request);
      const number = requests.length;
      if (number === 1) await gate;
      const { status, fields } = respond;
      response.writeHead(status, { 'Content-Type': 'text/plain', ETag: '"v"', ...LOCATION, ...fields });
      response.end(status === 204 ? undefined : `answer ${number}`);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    edge = await Edge.start({
      origin: `[{name: main, url: "${url}", retries: 0, redirects: {mode: pass}}]`,
      settings: 'freshness: {errorTtl: 0, notFoundTtl: 0, setCookie: share}',
    });
  });
  after(async () => {
    await edge.end();
    server.close();
  });

  for (const [index, each] of CASES.entries()) {
    const { status, fields, stored } = each;
    it(`${status} ${JSON.stringify(fields)} is ${stored ? 'stored' : 'not stored'}`, async () => {
      respond = each;
      requests = [];
      for (const turn of [1, 2]) {
        const answer = await fetchRaw(edge.port, 'GET', `/passed-${index}`);
        assert.equal(answer.status, status);
        assert.equal(answer.body.toString(), status === 204 ? '' : `answer ${stored ? 1 : turn}`);
        assert.deepEqual([answer.fields.location, answer.fields.etag], [LOCATION.Location, '"v"']);
        assert.equal(answer.fields.age !== undefined, stored && turn === 2);
      }
      assert.equal(requests.length, stored ? 1 : 2);
    });
  }

  it('a redirect that does not say that it is for all is for one, though others wait', async () => {
    for (const [fields, asked] of [
      [{}, 5],
      [{ 'Cache-Control': 'no-store' }, 5],
      [FRESH, 1],
    ] as const) {
      respond = { status: 302, fields, stored: false };
      requests = [];
      let release = () => {};
      gate = new Promise(resolve => {
        release = resolve;
      });
      const path = `/waited-${Object.values(fields)[0]?.slice(0, 3)}`;
      const first = fetchRaw(edge.port, 'GET', path);
      await until('the first request is with the origin', () => requests.length === 1);
      const answers = [first, ...Array.from({ length: 4 }, () => fetchRaw(edge.port, 'GET', path))];
      // What came before it waits by now.
      await fetchRaw(edge.port, 'GET', '//');
      release();
      const bodies = (await Promise.all(answers)).map(({ status, body }) => `${status} ${body}`);
      assert.equal(new Set(bodies).size, asked, bodies.join());
      assert.equal(requests.filter(({ url }) => url === path).length, asked);
    }
    gate = undefined;
  });

  it('a redirect is passed on whatever its body is, in place of what was stored, and without what it codes', async () => {
    respond = { status: 200, fields: { 'Cache-Control': 'max-age=0' }, stored: true };
    assert.equal((await fetchRaw(edge.port, 'GET', '/moved')).status, 200);
    const bodies: Case['fields'][] = [{ 'Content-Encoding': 'gzip' }, { 'Content-Type': 'a/b' }];
    for (const fields of bodies) {
      respond = { status: 307, fields, stored: false };
      const { status, fields: found, body } = await fetchRaw(edge.port, 'GET', '/moved');
      assert.deepEqual([status, found.location], [307, LOCATION.Location]);
      assert.equal(body.length > 0, found['content-type'] === 'a/b');
      assert.equal(found['content-encoding'], undefined);
    }
    const head = await fetchRaw(edge.port, 'HEAD', '/moved');
    assert.deepEqual([head.status, head.fields.location, head.body.length], [307, LOCATION.Location, 0]);
  });

  it('the edge says that it obeys Surrogate-Control', async () => {
    requests = [];
    await fetchRaw(edge.port, 'GET', '/capability');
    assert.equal(requests[0]!.headers['surrogate-capability'], 'moovedge="Surrogate/1.0"');
  });

  it('cookies that are for all are stored, each a line of its own', async () => {
    const cookies = ['a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT', 'b=2'];
    respond = { status: 200, fields: { ...FRESH, 'Set-Cookie': cookies as unknown as string }, stored: true };
    requests = [];
    for (let turn = 0; turn < 2; turn++) {
      const response = await fetch(`http://127.0.0.1:${edge.port}/cookies`);
      assert.deepEqual(response.headers.getSetCookie(), cookies);
      assert.equal(await response.text(), 'answer 1');
    }
    assert.equal(requests.length, 1);
  });
});
