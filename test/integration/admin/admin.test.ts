import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import { after, test } from 'node:test';
import { AdminServer } from '../../../src/admin/admin-server.js';
import type { ClusterAdmin } from '../../../src/admin/cluster-routes.js';
import { prefetchUrls } from '../../../src/admin/prefetch.js';
import { type AdminTarget, adminRoutes } from '../../../src/admin/routes.js';
import { EdgeError } from '../../../src/base/errors.js';
import { silentLog } from '../../../src/base/log.js';
import { Metrics, mergeSnapshots } from '../../../src/observe/metrics.js';

const TOKEN = 'correct-horse-battery';
const asked: unknown[] = [];

/** What the port works on: an edge that answers `/ok` with 100,000 bytes, `/slow` never, anything else with 404. */
const edge = createServer((request, response) => {
  if (request.url === '/slow') {
    response.writeHead(200, { 'Content-Length': 1000 });
    response.write('x');
  } else if (request.url?.startsWith('/ok')) {
    asked.push([request.url, request.headers.host]);
    response.end('x'.repeat(100_000));
  } else {
    response.statusCode = 404;
    response.end();
  }
});
await new Promise<void>(resolve => edge.listen(0, '127.0.0.1', resolve));
const edgePort = (edge.address() as { port: number }).port;

/** The edge's part in a cluster; undefined for one on its own. */
let cluster: ClusterAdmin | undefined;
let isDraining = false;
const inCluster: ClusterAdmin = {
  get draining() {
    return isDraining;
  },
  get share() {
    return isDraining ? undefined : 40;
  },
  status: () => ({ epoch: 7 }),
  locate: path => ({ path, owner: 'a' }),
  async drain(node) {
    asked.push(['drain', node]);
  },
  async undrain(node) {
    asked.push(['undrain', node]);
  },
  plan: () => ({ changes: false }),
  applyPlan: async () => ({ changes: true }),
};

const target: AdminTarget = {
  ready: true,
  player: { scheme: 'http', port: edgePort },
  cluster: () => cluster,
  async metricsText() {
    const metrics = new Metrics();
    metrics.counter('moovedge_http_response_bytes_total', () => 5);
    return (await mergeSnapshots([await metrics.snapshot()])).text;
  },
  stats: async () => ({ version: '0' }),
  list: async () => ({ objects: [], more: false }),
  explain: url => ({ routes: [], access: undefined, objects: [{ path: url.path }] }),
  async purge(purge) {
    if (purge.scope.kind === 'all') throw new EdgeError('overloaded', 'ask again');
    if (purge.scope.kind === 'prefix') throw new Error('a defect with a secret');
    asked.push(purge);
    return { objects: 1, more: false };
  },
  prefetch: (wanted, progress, signal) =>
    prefetchUrls({ scheme: 'http', host: '127.0.0.1', port: edgePort, key: '' }, wanted, progress, signal),
};

async function open(host: string, token?: string) {
  const server = new AdminServer({ host, port: 0, token, routes: adminRoutes(target), log: silentLog });
  const port = await server.listen();
  after(() => server.close());
  return port;
}

const local = await open('127.0.0.1');
const guarded = await open('0.0.0.0', TOKEN);
after(() => {
  edge.closeAllConnections();
  edge.close();
});

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function ask(
  port: number,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
) {
  return new Promise<Reply>((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('health, readiness, metrics and statistics', async () => {
  assert.equal((await ask(local, 'GET', '/healthz')).body, 'ok\n');
  assert.equal((await ask(local, 'GET', '/readyz')).status, 200);
  Object.assign(target, { ready: false });
  assert.equal((await ask(local, 'GET', '/readyz')).status, 503);
  Object.assign(target, { ready: true });
  const metrics = await ask(local, 'GET', '/metrics');
  assert.match(String(metrics.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  assert.match(metrics.body, /^moovedge_http_response_bytes_total 5$/m);
  assert.deepEqual(JSON.parse((await ask(local, 'GET', '/stats')).body), { version: '0' });
  const head = await ask(local, 'HEAD', '/stats');
  assert.deepEqual([head.status, head.body], [200, '']);
});

test('other methods and paths', async () => {
  const wrong = await ask(local, 'POST', '/stats');
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET, HEAD']);
  assert.equal((await ask(local, 'GET', '/purge')).headers.allow, 'POST');
  assert.equal((await ask(local, 'GET', '/nothing')).status, 404);
  assert.equal((await ask(local, 'GET', '/constructor')).status, 404);
  assert.equal((await ask(local, 'GET', '//[')).status, 404);
});

test('purge takes JSON, and tells errors without their insides', async () => {
  const purge = (body: string) => ask(local, 'POST', '/purge', { body });
  assert.deepEqual(JSON.parse((await purge('{"urls":["/a"],"soft":true}')).body), { objects: 1, more: false });
  assert.deepEqual(asked.at(-1), {
    scope: { kind: 'urls', urls: [{ host: undefined, path: '/a', query: '' }] },
    soft: true,
  });
  assert.deepEqual(await purge('{"all":true}').then(({ status, body }) => [status, body]), [503, 'ask again\n']);
  const defect = await purge('{"prefix":"/"}');
  assert.equal(defect.status, 500);
  assert.doesNotMatch(defect.body, /secret|Error|at /);
  assert.equal((await purge('{"urls":')).status, 400);
  assert.equal((await purge('')).status, 400);
  assert.equal((await purge(`"${'x'.repeat(5 * 2 ** 20)}"`).catch(() => ({ status: 400 }))).status, 400);
});

test('prefetch asks the edge as a player would, and streams progress', async () => {
  const body = JSON.stringify({ urls: ['http://films.example:8080/ok?a=1', '/missing'], seconds: 5 });
  const reply = await ask(local, 'POST', '/prefetch', { body });
  const lines = reply.body
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(lines.at(-1), { done: true });
  const ends = lines.filter(line => line.end !== undefined).sort((a, b) => a.url.localeCompare(b.url));
  assert.deepEqual(ends, [
    { url: '/missing?start=0&end=5', bytes: 0, end: 'status 404' },
    { url: '/ok?a=1&start=0&end=5', bytes: 100_000, total: 100_000, end: 'ok' },
  ]);
  assert.deepEqual(asked.at(-1), ['/ok?a=1&start=0&end=5', 'films.example']);
});

test('a client that leaves ends its prefetch', async () => {
  const gone = new Promise(resolve => edge.once('request', request => request.socket.on('close', resolve)));
  const request = httpRequest({ host: '127.0.0.1', port: local, method: 'POST', path: '/prefetch' });
  request.on('error', () => {});
  request.end('{"urls":["/slow"]}');
  await new Promise(resolve => edge.once('request', resolve));
  request.destroy();
  await gone;
});

test('with a token, all but health and empty pages need it', async () => {
  for (const path of ['/stats', '/metrics']) {
    const refused = await ask(guarded, 'GET', path);
    assert.equal(refused.status, 401);
    assert.match(String(refused.headers['www-authenticate']), /^Bearer/);
  }
  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
  assert.equal((await ask(guarded, 'GET', '/stats', bearer(TOKEN))).status, 200);
  assert.equal((await ask(guarded, 'GET', '/stats', bearer(`${TOKEN}x`))).status, 401);
  assert.equal((await ask(guarded, 'GET', '/stats', bearer(TOKEN.slice(0, -1)))).status, 401);
  assert.equal((await ask(guarded, 'GET', '/stats', { headers: { Authorization: `Basic ${TOKEN}` } })).status, 401);
  assert.equal((await ask(guarded, 'POST', '/purge', { body: '{"all":true}' })).status, 401);
  assert.equal((await ask(guarded, 'GET', '/nothing')).status, 401);
  for (const path of ['/healthz', '/readyz', '/', '/player', '/style.css'])
    assert.equal((await ask(guarded, 'GET', path)).status, 200, path);
});

test('pages of other sites reach nothing', async () => {
  const status = async (headers: Record<string, string>, port = local) =>
    (await ask(port, 'POST', '/purge', { headers, body: '{"urls":["/a"]}' })).status;
  assert.equal(await status({ Host: 'evil.example:8081' }), 403, 'a name rebound to 127.0.0.1');
  assert.equal(await status({ Host: '127.0.0.1.evil.example' }), 403);
  assert.equal(await status({ Host: 'localhost"' }), 403);
  assert.equal(
    await status({ Host: `localhost:${local}`, Origin: 'https://evil.example' }),
    403,
    'a page that posts across origins',
  );
  assert.equal(await status({ Host: `localhost:${local}`, Origin: 'null' }), 403);
  assert.equal(await status({ Host: `localhost:${local}`, Origin: `http://localhost:${local}` }), 200);
  assert.equal(await status({ Host: `[::1]:${local}` }), 200);
  assert.equal(await status({ Host: 'edge.example', Authorization: `Bearer ${TOKEN}` }, guarded), 200);
});

test('pages run no script but their own and play from the edge only', async () => {
  const page = await ask(local, 'GET', '/player?u=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E', {
    headers: { Host: `localhost:${local}` },
  });
  const policy = String(page.headers['content-security-policy']);
  assert.match(policy, /default-src 'none'; script-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  // Players of HLS and DASH give the element media that they have put together: `blob:`.
  assert.ok(policy.includes(`media-src http://localhost:${edgePort} blob:;`), policy);
  assert.ok(!page.body.includes('alert'));
  assert.ok(page.body.includes(`data-player-scheme="http" data-player-port="${edgePort}"`));
  assert.doesNotMatch(page.body, /<script(?![^>]* src=)|style=| on\w+=/);
  for (const [path, type] of [
    ['/', 'text/html'],
    ['/cluster.html', 'text/html'],
    ['/live.html', 'text/html'],
    ['/dashboard.mjs', 'text/javascript'],
    ['/cluster.mjs', 'text/javascript'],
    ['/live.mjs', 'text/javascript'],
    ['/page.mjs', 'text/javascript'],
    ['/player.mjs', 'text/javascript'],
    ['/style.css', 'text/css'],
  ] as const) {
    assert.match(String((await ask(local, 'GET', path)).headers['content-type']), new RegExp(`^${type}`), path);
  }
});

test('an edge on its own has nothing to tell of a cluster', async () => {
  cluster = undefined;
  for (const path of ['/cluster', '/locate?path=/film.mp4', '/cluster/plan']) {
    const answer = await fetch(`http://127.0.0.1:${local}${path}`);
    assert.equal(answer.status, 404);
    assert.match(await answer.text(), /this edge is in no cluster/);
  }
  assert.equal((await fetch(`http://127.0.0.1:${local}/healthz`)).status, 200);
  assert.equal(await (await fetch(`http://127.0.0.1:${local}/health/agent`)).text(), '100% ready\n');
});

test('an edge of a cluster tells of it, and is changed', async () => {
  cluster = inCluster;
  const url = `http://127.0.0.1:${local}`;
  const json = async (path: string, body?: object) => {
    const answer = await fetch(url + path, body && { method: 'POST', body: JSON.stringify(body) });
    return [answer.status, await answer.json()];
  };
  const nothing = { hops: 0, fallbacks: 0, redirects: 0, warmUps: 0, overflows: 0, loops: 0, peers: {} };
  assert.deepEqual(await json('/cluster'), [200, { epoch: 7, traffic: nothing }]);
  assert.deepEqual(await json('/locate?path=%2Ffilm.mp4%3Ftoken%3Dx'), [200, { path: '/film.mp4', owner: 'a' }]);
  assert.deepEqual(await json('/cluster/plan'), [200, { changes: false }]);
  assert.deepEqual(await json('/cluster/plan', {}), [200, { changes: true }]);
  for (const kind of ['drain', 'undrain']) {
    assert.equal((await json(`/cluster/${kind}`, { node: 'a' }))[0], 200);
    assert.deepEqual(asked.pop(), [kind, 'a']);
    const refused = await fetch(`${url}/cluster/${kind}`, { method: 'POST', body: '{"node": 1}' });
    assert.equal(refused.status, 400);
  }
  for (const path of ['/locate', '/locate?path=film.mp4']) assert.equal((await fetch(url + path)).status, 400);
  assert.equal((await fetch(`http://127.0.0.1:${guarded}/locate?path=/a`)).status, 401);
  assert.equal((await fetch(`http://127.0.0.1:${guarded}/health/agent`)).status, 200, 'balancers have no token');
  assert.equal(await (await fetch(`${url}/health/agent`)).text(), '40% ready\n');
  isDraining = true;
  assert.equal(await (await fetch(`${url}/health/agent`)).text(), 'drain\n');
  const health = await fetch(`${url}/healthz`);
  assert.deepEqual([health.status, await health.text()], [503, 'draining\n']);
  cluster = undefined;
});
