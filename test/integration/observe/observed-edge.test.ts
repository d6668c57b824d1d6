import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { HotObject } from '../../../src/app/edge-stats.js';
import type { EdgeStats } from '../../../src/supervisor/supervisor.js';
import { Edge } from '../../support/edge.js';
import { fetchRaw } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

/** A span as the collector gets it, by what is looked at. */
interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
}

/** What the edge tells of itself. */
type Told = EdgeStats & {
  readonly hottest: readonly HotObject[];
  readonly services: { readonly errors: { readonly recent: readonly Readonly<Record<string, unknown>>[] } };
};

const SERVER = 2;
const CLIENT = 3;
const SECRET = 'a secret of the test';
const BYTES = Buffer.alloc(600_000, 7);
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const attributesOf = (span: Span) =>
  Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe('an edge that is looked at', () => {
  const asked: { url: string; headers: IncomingHttpHeaders }[] = [];
  const spans: Span[] = [];
  const origin = createServer((req, res) => {
    asked.push({ url: req.url!, headers: req.headers });
    if (req.url === '/broken.mp4') res.writeHead(500).end();
    else if (req.url === '/none.mp4') res.writeHead(404).end();
    else {
      const [, from = 0, to = BYTES.length - 1] = /bytes=(\d+)-(\d+)?/.exec(req.headers.range ?? '')?.map(Number) ?? [];
      const end = Math.min(Number.isNaN(to) ? BYTES.length - 1 : to, BYTES.length - 1);
      const fields = { ETag: '"1"', 'Cache-Control': 'max-age=600', 'Content-Type': 'video/mp4' };
      const range = { 'Content-Range': `bytes ${from}-${end}/${BYTES.length}` };
      res.writeHead(req.headers.range ? 206 : 200, { ...fields, ...(req.headers.range && range) });
      res.end(BYTES.subarray(from, end + 1));
    }
  });
  const collector = createServer(async (req, res) => {
    let text = '';
    for await (const chunk of req) text += chunk;
    for (const { scopeSpans } of JSON.parse(text).resourceSpans)
      for (const each of scopeSpans) spans.push(...each.spans);
    assert.equal(req.headers['x-tenant'], 'films');
    res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
  let edge: Edge;
  let log: string;

  before(async () => {
    for (const server of [origin, collector])
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const [films, traces] = [origin, collector].map(server => (server.address() as AddressInfo).port);
    edge = await Edge.start({
      origin: `http://127.0.0.1:${films}`,
      settings: `log: {access: $FOLDER/access.log, accessRotate: {size: 64KiB, keep: 2}}
tracing: {endpoint: "http://127.0.0.1:${traces}/v1/traces", sample: 100%, headers: {X-Tenant: films}}
routes: [{path: /films/, fields: {set: {X-Route: films}}}, {host: "*.example.com", path: /}]
access: [{path: /paid/, signed: {scheme: hmac_sha256, secret: "${SECRET}", template: "{path}", signature: token}}]`,
    });
    log = `${edge.folder}/access.log`;
  });
  after(async () => {
    await edge.end();
    origin.close();
    collector.close();
    collector.closeAllConnections();
    origin.closeAllConnections();
  });
  beforeEach(() => {
    asked.length = 0;
    spans.length = 0;
  });

  const get = (path: string, fields: Record<string, string> = {}) => fetchRaw(edge.port, 'GET', path, fields);
  const lines = () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Record<string, unknown>);
  const lineOf = (path: string) => until(`a line of ${path}`, () => lines().findLast(line => line.path === path));
  const spansOf = (path: string) =>
    until(`spans of ${path}`, () => {
      const server = spans.find(span => span.kind === SERVER && attributesOf(span)['url.path'] === path);
      return server && { server, client: spans.find(span => span.parentSpanId === server.spanId) };
    });
  const stats = async () => (await (await fetch(`${edge.admin}/stats`)).json()) as Told;

  it('tells the origin the id of a request, which the access log has, with origin and route', async () => {
    await get('/films/a.mp4', { Range: 'bytes=0-9', Host: 'edge', 'X-Request-Id': 'mine' });
    const line = await lineOf('/films/a.mp4');
    assert.equal(asked[0]!.headers['x-request-id'], line.id);
    assert.equal(line.id, 'mine', '127.0.0.1 is trusted by default');
    const { origin: name, route, error, bytes, outcome } = line;
    assert.deepEqual([name, route, error, bytes, outcome], ['main', '*/films/', null, 10, 'miss']);
    await get('/made.mp4', { 'X-Request-Id': 'with blank and \u00ff' });
    const made = await lineOf('/made.mp4');
    assert.match(String(made.id), /^[\w-]{12}-\w+$/, 'what is no sound id is not taken');
    assert.equal(asked.at(-1)!.headers['x-request-id'], made.id);
  });

  it('gives errors the id, and says why in the log alone', async () => {
    const refused = await get('/paid/film.mp4?token=wrong');
    assert.equal(refused.status, 403);
    const line = await lineOf('/paid/film.mp4');
    assert.equal(line.error, 'forbidden: the signature has another length');
    assert.equal(line.query, 'token=[redacted]');
    assert.equal(refused.fields['x-request-id'], line.id);
    assert.ok(!refused.body.toString().includes('length'));
    const token = createHmac('sha256', SECRET).update('/paid/ok.mp4').digest('base64url');
    assert.equal((await get(`/paid/ok.mp4?token=${token}`)).status, 200);
    assert.equal((await lineOf('/paid/ok.mp4')).query, 'token=[redacted]');
    const broken = await get('/broken.mp4');
    assert.equal(broken.status, 500);
    assert.match(String((await lineOf('/broken.mp4')).error), /^origin_unavailable: /);
    const { errors } = (await stats()).services;
    const { recent } = errors;
    const bad = await until('the error among the latest', () => recent.find(({ url }) => url === '/broken.mp4'));
    assert.equal(bad.id, broken.fields['x-request-id']);
    assert.equal(bad.origin, 'main');
    assert.ok(recent.some(({ reason }) => reason === 'the signature has another length'));
    assert.match(await edge.logged(String(broken.fields['x-request-id'])), /an answer was an error/);
  });

  it('follows a request to the origin and back', async () => {
    const { status } = await get('/films/traced.mp4', { traceparent: PARENT, Host: 'films.example.com:80' });
    assert.equal(status, 200);
    const { server, client } = await spansOf('/films/traced.mp4');
    assert.equal(server.traceId, PARENT.split('-')[1]);
    assert.equal(server.parentSpanId, PARENT.split('-')[2]);
    const known = attributesOf(server);
    assert.equal(known['http.response.status_code'], status);
    assert.equal(known['http.route'], '*/films/');
    assert.equal(known['server.address'], 'films.example.com');
    assert.equal(known['moovedge.origin'], 'main');
    assert.equal(known['moovedge.cache.outcome'], 'miss');
    assert.equal(client!.kind, CLIENT);
    assert.equal(client!.traceId, server.traceId);
    const seen = asked.find(({ url }) => url === '/films/traced.mp4')!;
    assert.equal(seen.headers.traceparent, `00-${client!.traceId}-${client!.spanId}-01`);
    // The hop before has decided that this one is not followed.
    await get('/films/quiet.mp4', { traceparent: PARENT.replace(/01$/, '00') });
    assert.equal(asked.find(({ url }) => url === '/films/quiet.mp4')!.headers.traceparent, undefined);
    await get('/films/last.mp4?token=secret');
    const last = await spansOf('/films/last.mp4');
    assert.ok(!JSON.stringify(last.server).includes('secret'));
    assert.ok(!spans.some(span => attributesOf(span)['url.path'] === '/films/quiet.mp4'));
  });

  it('tells figures: windows, reloads, hottest, origins that are up, and routes', async () => {
    // What a window tells is what has come since its first sample.
    await until('a window', async () => (await stats()).windows['1m']);
    for (let i = 0; i < 3; i++) await get('/films/hot.mp4');
    await get('/broken.mp4');
    const told = await until('windows', async () => {
      const found = await stats();
      return found.windows['1m']?.errors ? found : undefined;
    });
    const { seconds, ttfb, errors } = told.windows['1m']!;
    assert.ok(seconds > 0 && seconds <= 70, `${seconds} s`);
    assert.ok(ttfb.p50! > 0 && ttfb.p50! <= ttfb.p90! && ttfb.p90! <= ttfb.p99!, JSON.stringify(ttfb));
    assert.ok(errors >= 1, `${errors} errors`);
    assert.equal(told.reload.ok, true);
    const hot = told.hottest.find(({ path }) => path === '/films/hot.mp4')!;
    assert.deepEqual([hot.origin, hot.requests, hot.bytes], ['main', 3, 3 * BYTES.length]);
    const [[, isUp]] = Object.entries(told.totals.origins.main!.servers) as [[string, boolean]];
    assert.equal(isUp, true);
    const text = await (await fetch(`${edge.admin}/metrics`)).text();
    const value = (name: string) =>
      Number(
        text
          .split('\n')
          .find(line => line.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    assert.equal(value('moovedge_config_last_reload_successful'), 1);
    assert.ok(value('moovedge_route_requests_total{host="*",route="/films/",status="2xx"}') >= 3);
    assert.ok(value('moovedge_route_requests_total{host="*",route="none",status="4xx"}') >= 1);
    assert.equal(value('moovedge_log_lines_dropped_total'), 0);
    assert.match(text, /moovedge_origin_up\{origin="main",server="http:\/\/127\.0\.0\.1:\d+\/?"\} 1/);
  });

  it('tells of a reload that was refused, and serves on', async () => {
    edge.configure('nonsense: true');
    process.kill(edge.pid, 'SIGHUP');
    const { error } = await until('a refused reload', async () => {
      const { reload } = await stats();
      return reload.ok ? undefined : reload;
    });
    assert.match(error!, /nonsense/);
    assert.match(await (await fetch(`${edge.admin}/metrics`)).text(), /^moovedge_config_last_reload_successful 0$/m);
    assert.equal((await get('/films/hot.mp4')).status, 200);
  });

  it('renames a log that is large, goes on in a new one, and keeps as many as it shall', async () => {
    const long = 'x'.repeat(6000);
    const names = () => readdirSync(edge.folder).filter(name => name.startsWith('access.log.'));
    const seen = new Set<string>();
    await until('three files that were renamed', async () => {
      await Promise.all(Array.from({ length: 12 }, () => get('/films/hot.mp4', { 'User-Agent': long })));
      for (const name of names()) seen.add(name);
      return seen.size >= 3;
    });
    await until('no more than two of them', () => names().length <= 2);
    await get('/films/after.mp4');
    await lineOf('/films/after.mp4');
    assert.ok(existsSync(log));
    assert.match([...seen][0]!, /^access\.log\.\d{8}T\d{6}Z(-\d+)?$/);
  });
});
