import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { AnswerRouteSettings } from '../../../src/http/answer-route.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeObject, plainPlanner } from '../../support/fake-content.js';
import { ENGINES, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw } from '../../support/raw-http.js';

const PAGE = Buffer.from('<p>nothing here</p>');
const cors = { ...DEFAULTS.http.cors, origins: ['https://player.example'] };
const ROUTES: AnswerRouteSettings[] = [
  { path: '/films/new/', fields: { set: { 'Cache-Control': 'max-age=1' }, remove: [] } },
  { path: '/films/', fields: { set: { 'Cache-Control': 'max-age=2', 'X-A': 'b' }, remove: ['X-Powered-By'] } },
  { path: '/films/', cors },
  { path: '/', errors: { 404: { type: 'text/html', bytes: PAGE } } },
  { path: '/old/', redirect: { to: 'https://new.example{path}{query}', status: 308 } },
  { path: '/up/', redirect: { to: '{path}', status: 302 } },
  { path: '/up2/', redirect: { to: '/{path}', status: 302 } },
  { host: '*.shop.example', path: '/', redirect: { to: 'http://{host}:1/', status: 301 } },
  { path: '/slow/', pacing: { rate: { bytes: 512 * 1024 }, after: 128 * 1024 } },
  { path: '/real/', pacing: { rate: { times: 2 }, burst: 1000 } },
];
const fields = [
  ['Cache-Control', 'max-age=60'],
  ['X-Powered-By', 'x'],
  ['X-Other', 'y'],
] as const;
const film = Buffer.alloc(1024 * 1024, 7);
// A film of two seconds.
const planner = { ...plainPlanner, bitrate: () => film.length / 2 };
const edge = await startEdge({ routes: ROUTES, planner });
let { port } = edge;
const get = async (path: string, sent: Record<string, string> = {}, method = 'GET') => {
  edge.content.paths.set(path, new FakeObject(film, { fields }));
  return fetchRaw(port, method, path, { Range: 'bytes=0-9', ...sent });
};

for (const engine of ENGINES)
  describe(`routes: ${engine}`, () => {
    before(async () => {
      port = await edge.server.listen('127.0.0.1', 0, listening(engine));
    });

    it('set and remove fields, the first that states one before the others', async () => {
      const first = await get('/films/new/a.mp4');
      assert.equal(first.status, 206);
      assert.equal(first.fields['cache-control'], 'max-age=1');
      assert.equal(first.fields['x-a'], 'b');
      assert.equal(first.fields['x-powered-by'], undefined);
      assert.equal(first.fields['x-other'], 'y');
      assert.equal((await get('/films/a.mp4')).fields['cache-control'], 'max-age=2');
      for (const path of ['//films//a.mp4', '/f%69lms/a.mp4', '/films%2Fa.mp4'])
        assert.equal((await get(path)).fields['x-a'], 'b', path);
      const elsewhere = await get('/other/a.mp4');
      assert.equal(elsewhere.fields['cache-control'], 'max-age=60');
      assert.equal(elsewhere.fields['x-powered-by'], 'x');
      const unmodified = await get('/films/a.mp4', { 'If-None-Match': '*', Range: '' });
      assert.equal(unmodified.status, 304);
      assert.equal(unmodified.fields['cache-control'], 'max-age=2');
    });

    it('say which pages may read', async () => {
      const Origin = 'https://player.example';
      const allowed = await get('/films/a.mp4', { Origin });
      assert.equal(allowed.fields['access-control-allow-origin'], Origin);
      assert.equal(allowed.fields.vary, 'Origin');
      assert.equal((await get('/other/a.mp4', { Origin })).fields['access-control-allow-origin'], undefined);
      const preflight = { Origin, 'Access-Control-Request-Method': 'GET' };
      const options = (path: string) => fetchRaw(port, 'OPTIONS', path, preflight);
      assert.equal((await options('/films/a.mp4')).fields['access-control-allow-methods'], 'GET, HEAD');
      assert.equal((await options('/other/a.mp4')).fields['access-control-allow-methods'], undefined);
    });

    it('have pages for errors', async () => {
      for (const path of ['/films/absent.mp4', '/absent.mp4']) {
        const { status, fields, body } = await fetchRaw(port, 'GET', path);
        assert.equal(status, 404);
        assert.equal(fields['content-type'], 'text/html');
        assert.equal(fields['cache-control'], 'no-store', 'whatever is said of films');
        assert.ok(body.equals(PAGE));
      }
      const head = await fetchRaw(port, 'HEAD', '/absent.mp4');
      assert.equal(head.fields['content-length'], String(PAGE.length));
    });

    it('send players elsewhere', async () => {
      const where = async (path: string, fields: Record<string, string> = {}) => {
        const answer = await get(path, fields);
        return [answer.status, answer.fields.location];
      };
      assert.deepEqual(await where('/old/a%20b?x=1&y'), [308, 'https://new.example/old/a%20b?x=1&y']);
      assert.deepEqual(await where('/old/a'), [308, 'https://new.example/old/a']);
      assert.deepEqual(await where('/a', { Host: 'x.SHOP.example:80' }), [301, 'http://x.shop.example:1/']);
      assert.deepEqual(await where('/up/a'), [302, '/up/a']);
      // Browsers would take what begins with two slashes for another host.
      assert.deepEqual(await where('/up2/evil.example'), [400, undefined]);
      assert.equal((await get('/old/../a')).status, 400);
    });

    it('leave bounds of clients to limits, which say when to come back', async () => {
      const limited = await startEdge({ rates: { rate: 1, byAddress: [], loopback: true } });
      const answers = [];
      for (let i = 0; i < 30; i++) answers.push(await fetchRaw(limited.port, 'GET', '/absent.mp4'));
      const refused = answers.filter(({ status }) => status === 429);
      assert.ok(refused.length > 0);
      assert.match(refused[0]!.fields['retry-after']!, /^\d+$/);
      assert.ok(limited.server.stats.requests.none[429]! > 0);
    });

    it('pace answers, whose bytes are all there in the end', async () => {
      for (const [path, milliseconds] of [
        ['/slow/a.mp4', 1750],
        ['/real/a.mp4', 500],
      ] as const) {
        const begun = performance.now();
        const { status, body } = await get(path, { Range: '' });
        const took = performance.now() - begun;
        assert.equal(status, 200);
        assert.ok(body.equals(film));
        assert.ok(took >= milliseconds * 0.9, `${path} took ${took} ms`);
      }
      // Of an object that comes later than at once.
      const open = edge.content.open.bind(edge.content);
      edge.content.open = async request => {
        await new Promise(setImmediate);
        return open(request);
      };
      const late = await get('/real/late.mp4', { Range: 'bytes=0-999' });
      assert.deepEqual([late.status, late.body.length], [206, 1000]);
      edge.content.open = open;
      const begun = performance.now();
      assert.equal((await get('/slow/a.mp4', { Range: 'bytes=0-65535' }, 'GET')).body.length, 65536);
      assert.ok(performance.now() - begun < 100_000);
      assert.equal(edge.server.stats.pacedResponses, 0);
    });
  });
