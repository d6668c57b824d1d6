import assert from 'node:assert/strict';
import { after, before, beforeEach, type TestContext, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import type { HttpOrigin, HttpOriginOptions } from '../../../../src/origin/http/http-origin.js';
import { FaultOrigin, faults } from '../../../support/fault-origin.js';
import { httpOrigin, PATIENT } from '../../../support/http-origin.js';
import { fetchInto } from '../../../support/recording-sink.js';

const SIZE = 3_000_000;
let server: FaultOrigin;
let replica: FaultOrigin;
const origins: HttpOrigin[] = [];

before(async () => {
  [server, replica] = await Promise.all([FaultOrigin.start(), FaultOrigin.start()]);
});
after(() => Promise.all([server.close(), replica.close()]));
beforeEach(async () => {
  await Promise.all(origins.splice(0).map(origin => origin.close()));
  for (const each of [server, replica]) {
    await each.accept();
    each.heal();
    await each.settled();
    each.forget();
    each.put('/f', { size: SIZE });
  }
});
after(() => Promise.all(origins.map(origin => origin.close())));

function open(options: Partial<HttpOriginOptions> = {}, urls: string[] = [server.url]): HttpOrigin {
  const origin = httpOrigin(urls, options);
  origins.push(origin);
  return origin;
}
const both = () => [server.url, replica.url];

/** Lets pauses of servers pass: gives what puts the clock by which they are counted forward by milliseconds. */
function laterClock(t: TestContext): (milliseconds: number) => void {
  const { now } = performance;
  let ahead = 0;
  t.mock.method(performance, 'now', () => now.call(performance) + ahead);
  return milliseconds => {
    ahead += milliseconds;
  };
}

/** Waits for what a fetch brings about; one that has ended before brings nothing more. */
async function duringFetch(sink: { readonly over: Promise<unknown> }, condition: () => boolean): Promise<void> {
  let end: unknown;
  void sink.over.then(how => {
    end = how;
  });
  while (!condition()) {
    assert.equal(end, undefined, 'the fetch ended too soon');
    await tick();
  }
}

test('a range is a 206 with offset, length, size, validator and times', async () => {
  const began = Date.now();
  const sink = fetchInto(open(), { path: '/f', range: { start: 1000, end: 300_000 } });
  assert.equal(await sink.over, 'ended');
  const { status, offset, length, size, validator, fields, requestTime, responseTime, unframed } = sink.answer!;
  assert.deepEqual(
    { status, offset, length, size, unframed },
    { status: 206, offset: 1000, length: 299_000, size: SIZE, unframed: false },
  );
  assert.equal(validator.etag, `"v1-${SIZE}"`);
  assert.equal(validator.lastModified, fields['last-modified']);
  assert.equal(fields['content-type'], 'video/mp4');
  assert.equal(fields.connection, undefined);
  assert.ok(began <= requestTime && requestTime <= responseTime && responseTime <= Date.now());
  assert.equal(server.requests[0]!.headers['accept-encoding'], 'identity');
});

test('the whole, a range past the end, an open range, an unsatisfiable one, an empty object', async () => {
  const origin = open();
  const whole = fetchInto(origin, { path: '/f' });
  assert.equal(await whole.over, 'ended');
  assert.deepEqual([whole.answer!.status, whole.answer!.length, whole.answer!.size], [200, SIZE, SIZE]);
  const past = fetchInto(origin, { path: '/f', range: { start: SIZE - 10, end: SIZE + 100_000 } });
  assert.equal(await past.over, 'ended');
  assert.deepEqual([past.bytesSeen, past.answer!.length, past.answer!.size], [10, 10, SIZE]);
  const rest = fetchInto(origin, { path: '/f', range: { start: SIZE - 10, end: Number.POSITIVE_INFINITY } });
  assert.equal(await rest.over, 'ended');
  assert.equal(rest.bytesSeen, 10);
  const outside = fetchInto(origin, { path: '/f', range: { start: SIZE, end: SIZE + 1 } });
  assert.equal(await outside.over, 'range_not_satisfiable');
  assert.equal(outside.refused!.size, SIZE);
  assert.deepEqual(outside.error!.options.headers, { 'Content-Range': `bytes */${SIZE}` });
  server.put('/empty', { size: 0 });
  for (const range of [undefined, { start: 0, end: 10 }]) {
    const empty = fetchInto(origin, { path: '/empty', range });
    assert.equal(await empty.over, 'ended');
    assert.deepEqual([empty.answer!.status, empty.answer!.size, empty.bytesSeen], [200, 0, 0]);
  }
});

test('path prefix, query, headers and credentials of the base URL; hop-by-hop and our own fields are not passed on', async () => {
  const base = `${server.url.replace('//', '//us%40er:pa%3Ass@')}/films/`;
  const origin = open({ headers: { 'X-Edge': 'secret' } }, [base]);
  server.put('/films/a%20b+c/%D1%84.mp4', { size: 10 });
  const fields = {
    accept: 'video/*',
    range: 'bytes=0-1',
    host: 'evil',
    connection: 'x',
    'if-none-match': '*',
    te: 'gzip',
  };
  const sink = fetchInto(origin, { path: '/a%20b+c/%D1%84.mp4', query: 'a=1&b=%20', fields }, { keep: true });
  assert.equal(await sink.over, 'ended');
  const seen = server.requests[0]!;
  assert.equal(seen.path, '/films/a%20b+c/%D1%84.mp4');
  assert.equal(seen.query, 'a=1&b=%20');
  assert.equal(seen.headers.authorization, `Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`);
  assert.equal(seen.headers['x-edge'], 'secret');
  assert.equal(seen.headers.via, '1.1 moovedge');
  assert.equal(seen.headers.accept, 'video/*');
  assert.equal(seen.headers.host, new URL(server.url).host);
  assert.deepEqual(
    [seen.headers.range, seen.headers['if-none-match'], seen.headers.te],
    [undefined, undefined, undefined],
  );
});

test('a path that would leave the base, or can not be sent, is not found without a request', async () => {
  const origin = open({}, [`${server.url}/films`]);
  for (const path of [
    '/../f',
    '/a/%2e%2E/../f',
    '/%2e./f',
    '/a b',
    '/ä',
    '/a\r\nX: y',
    '/..',
    '/a?b',
    '/a#b',
    'f',
    '',
  ]) {
    assert.equal(await fetchInto(origin, { path }).over, 'not_found', path);
  }
  assert.equal(server.requests.length, 0);
});

test('conditions: same and changed, with strong tags, weak tags, dates, and nothing', async () => {
  const origin = open();
  const range = { start: 0, end: 1000 };
  const date = 'Tue, 01 Sep 2020 00:00:00 GMT';
  const later = 'Wed, 02 Sep 2020 00:00:00 GMT';
  const cases = [
    { put: { etag: '"a"', lastModified: date }, other: { etag: '"b"', lastModified: date } },
    { put: { etag: '"a"', lastModified: null }, other: { etag: null, lastModified: null } },
    { put: { etag: 'W/"a"', lastModified: date }, other: { etag: 'W/"b"', lastModified: later } },
    { put: { etag: 'W/"a"', lastModified: null }, other: { etag: 'W/"b"', lastModified: null } },
    { put: { etag: 'unquoted', lastModified: null }, other: { etag: 'another', lastModified: null } },
    { put: { etag: null, lastModified: date }, other: { etag: null, lastModified: later } },
    { put: { etag: null, lastModified: null }, other: { etag: '"a"', lastModified: null } },
  ];
  for (const { put, other } of cases) {
    server.put('/f', { size: SIZE, ...put });
    const first = fetchInto(origin, { path: '/f', range });
    assert.equal(await first.over, 'ended');
    const { validator } = first.answer!;
    const same = fetchInto(origin, { path: '/f', range, condition: { kind: 'same', validator } });
    assert.equal(await same.over, 'ended', JSON.stringify(put));
    const unchanged = fetchInto(origin, { path: '/f', range, condition: { kind: 'changed', validator } });
    assert.equal(await unchanged.over, 'ended');
    const confirmable = put.lastModified !== null || put.etag !== null;
    assert.equal(unchanged.answer!.status, confirmable ? 304 : 206, JSON.stringify(put));
    if (confirmable) assert.deepEqual([unchanged.bytesSeen, unchanged.answer!.validator], [0, validator]);
    server.put('/f', { size: SIZE, version: 'v2', ...other });
    const gone = fetchInto(origin, { path: '/f', range, condition: { kind: 'same', validator } });
    assert.equal(await gone.over, 'object_changed', JSON.stringify(other));
    assert.equal(gone.answer, undefined);
    const fresh = fetchInto(
      origin,
      { path: '/f', range, condition: { kind: 'changed', validator } },
      { version: 'v2' },
    );
    assert.equal(await fresh.over, 'ended');
    assert.equal(fresh.answer!.status, 206);
  }
});

test('a 304 about another version than was asked about is asked again without the condition', async () => {
  const condition = { kind: 'changed', validator: { etag: '"old"', lastModified: undefined } } as const;
  server.fault(faults.status(304, { ETag: '"strange"' }, null), {
    when: r => r.headers['if-none-match'] !== undefined,
  });
  const sink = fetchInto(open(), { path: '/f', condition });
  assert.equal(await sink.over, 'ended', sink.error?.message);
  assert.equal(sink.answer!.status, 200);
  assert.equal(sink.bytesSeen, SIZE);
});

test('an origin that ignores ranges: a 200 from the start, also where a broken body is continued', async () => {
  server.fault(faults.ignoreRange());
  server.fault(faults.cut(1_000_000), { times: 1 });
  const sink = fetchInto(open(), { path: '/f', range: { start: 500_000, end: 600_000 } });
  assert.equal(await sink.over, 'ended');
  assert.deepEqual([sink.answer!.status, sink.answer!.offset, sink.answer!.size], [200, 0, SIZE]);
  assert.equal(sink.bytesSeen, SIZE);
  assert.deepEqual(
    server.requests.map(r => r.range?.start),
    [500_000, 1_000_000],
  );
});

test('a body of unknown length ends with its framing', async () => {
  for (const [fault, unframed] of [
    [faults.chunked(), false],
    [faults.untilClose(), true],
  ] as const) {
    server.heal();
    server.fault(fault);
    const sink = fetchInto(open(), { path: '/f' });
    assert.equal(await sink.over, 'ended');
    assert.deepEqual([sink.answer!.length, sink.answer!.size, sink.bytesSeen], [undefined, undefined, SIZE]);
    assert.equal(sink.answer!.unframed, unframed);
  }
});

test('a server that answers less than was asked for is asked for the rest', async () => {
  server.fault((plan, request) => {
    if (!request.range || plan.length <= 100_000) return;
    plan.length = 100_000;
    plan.headers.set('Content-Length', '100000');
    plan.headers.set('Content-Range', `bytes ${plan.offset}-${plan.offset + 99_999}/${SIZE}`);
  });
  const sink = fetchInto(open({ retries: 0 }), { path: '/f', range: { start: 50, end: 950_050 } });
  assert.equal(await sink.over, 'ended');
  assert.deepEqual([sink.answer!.length, sink.bytesSeen], [950_000, 950_000]);
  assert.equal(server.requests.length, 10);
});

test('pause stops the flow and the stall clock; resume goes on; what breaks meanwhile is continued after resume', async () => {
  server.put('/f', { size: 60_000_000 });
  const origin = open({ timeouts: { ...PATIENT, stall: 1000 } });
  const sink = fetchInto(origin, { path: '/f' }, { onEvent: (s, kind) => kind === 'answered' && s.fetch.pause() });
  await new Promise(resolve => setTimeout(resolve, 1500));
  assert.equal(sink.bytesSeen, 0);
  assert.ok(server.bytesSent() < 30_000_000);
  sink.onEvent = () => {};
  sink.fetch.resume();
  await duringFetch(sink, () => sink.bytesSeen >= 1_000_000);
  sink.fetch.pause();
  await server.refuse();
  await server.accept();
  const seen = sink.bytesSeen;
  sink.fetch.resume();
  assert.equal(sink.bytesSeen, seen);
  assert.equal(await sink.over, 'ended');
  assert.equal(sink.bytesSeen, 60_000_000);
  assert.equal(origin.stats.replicas[0]!.state, 'closed');
});

test('a server that gives up on a paused answer is not blamed, and not asked before resume', async () => {
  const origin = open({ breaker: { failures: 1, cooldown: 1000, maxCooldown: 1000 } });
  server.fault(faults.stall(1000), { times: 1 });
  server.fault(faults.cut(1000), { times: 1 });
  const sink = fetchInto(origin, { path: '/f' }, { onEvent: s => s.fetch.pause() });
  await server.requested(1);
  await duringFetch(sink, () => sink.answer !== undefined);
  server.release();
  await duringFetch(sink, () => origin.stats.retries > 0);
  assert.deepEqual([server.requests.length, origin.stats.replicas[0]!.state], [1, 'closed']);
  sink.onEvent = () => {};
  sink.fetch.resume();
  assert.equal(await sink.over, 'ended');
  assert.equal(sink.bytesSeen, SIZE);
});

test('cancel is silent at every moment, also from within the sink, and frees the slot', async () => {
  const origin = open({ maxFetches: 1, queue: 10 });
  fetchInto(origin, { path: '/f' }).cancel();
  const running = fetchInto(origin, { path: '/f' });
  const queued = fetchInto(origin, { path: '/f' });
  assert.deepEqual([origin.stats.active, origin.stats.queued], [1, 1]);
  queued.cancel();
  await server.requested(1);
  running.cancel();
  for (const kind of ['answered', 'bytes'] as const) {
    const sink = fetchInto(origin, { path: '/f' }, { onEvent: (s, k) => k === kind && s.cancel() });
    await duringFetch(sink, () => sink.answer !== undefined);
  }
  const last = fetchInto(origin, { path: '/f' });
  assert.equal(await last.over, 'ended');
  assert.deepEqual([origin.stats.active, origin.stats.queued, origin.stats.replicas[0]!.active], [0, 0, 0]);
  await server.settled();
});

test('the queue is bounded, in order, and so is the wait in it', async () => {
  const origin = open({ maxFetches: 2, queue: 2 });
  server.fault(faults.stall('head'), { times: 2 });
  const sinks = Array.from({ length: 5 }, () => fetchInto(origin, { path: '/f', range: { start: 0, end: 10 } }));
  assert.equal(await sinks[4]!.over, 'overloaded');
  assert.equal(sinks[4]!.error!.status, 503);
  assert.equal(sinks[4]!.error!.options.retryAfter, 1);
  await server.requested(2);
  server.release();
  for (const sink of sinks.slice(0, 4)) assert.equal(await sink.over, 'ended');
  assert.equal(server.peak, 2);
  assert.equal(origin.stats.overloads, 1);
  server.fault(faults.stall(5));
  const impatient = open({ maxFetches: 2, queue: 2, timeouts: { ...PATIENT, firstByte: 100 } });
  const slow = [0, 1].map(() => fetchInto(impatient, { path: '/f' }));
  assert.equal(await fetchInto(impatient, { path: '/f' }).over, 'overloaded');
  for (const sink of slow) sink.cancel();
});

test('no more connections than allowed, and idle ones are used again', async () => {
  const before = server.connections;
  const origin = open({ maxConnections: 3, maxFetches: 3 });
  const sinks = Array.from({ length: 20 }, (_, i) =>
    fetchInto(origin, { path: '/f', range: { start: i * 1000, end: 200_000 } }),
  );
  for (const sink of sinks) assert.equal(await sink.over, 'ended');
  assert.ok(server.connections - before <= 3);
  assert.ok(server.peak <= 3);
});

test('a first byte is passed on at once, before the rest of the body', async () => {
  server.fault(faults.stall(1));
  const sink = fetchInto(open(), { path: '/f' });
  await duringFetch(sink, () => sink.bytesSeen > 0);
  assert.equal(sink.bytesSeen, 1);
  sink.cancel();
});

test('replicas in order: the second serves while the first is down, and the first again when it is back', async t => {
  await server.refuse();
  const origin = open({ breaker: { failures: 2, cooldown: 20_000, maxCooldown: 20_000 } }, both());
  const later = laterClock(t);
  for (let i = 0; i < 5; i++)
    assert.equal(await fetchInto(origin, { path: '/f', range: { start: 0, end: 9 } }).over, 'ended');
  assert.equal(replica.requests.length, 5);
  assert.deepEqual(
    origin.stats.replicas.map(r => r.state),
    ['open', 'closed'],
  );
  assert.equal(origin.stats.retries, 2, 'a breaker that is open costs no tries');
  await server.accept();
  later(21_000);
  assert.equal(origin.stats.replicas[0]!.state, 'half_open');
  assert.equal(await fetchInto(origin, { path: '/f', range: { start: 0, end: 9 } }).over, 'ended');
  assert.equal(server.requests.length, 1);
  assert.equal(origin.stats.replicas[0]!.state, 'closed');
});

test('replicas by weight', async () => {
  const servers = [
    { url: server.url, weight: 3 },
    { url: replica.url, weight: 1 },
  ];
  const origin = open({ servers, balance: 'weighted' });
  for (let i = 0; i < 40; i++) await fetchInto(origin, { path: '/f', range: { start: 0, end: 9 } }).over;
  assert.deepEqual([server.requests.length, replica.requests.length], [30, 10]);
});

test('what a server answers under one URL says nothing of its health, and neither does a redirect to one that is down', async () => {
  server.fault(faults.status(500), { path: '/broken' });
  server.fault(faults.status(429, { 'Retry-After': '30' }), { path: '/limited' });
  server.fault(faults.redirect('http://127.0.0.1:1/'), { path: '/moved' });
  const breaker = { failures: 2, cooldown: 10_000, maxCooldown: 10_000 };
  const origin = open({ retries: 0, breaker, redirects: { mode: 'follow', hosts: ['127.0.0.1'], max: 3 } });
  for (let i = 0; i < 4; i++) {
    for (const path of ['/broken', '/limited', '/moved']) {
      assert.equal(await fetchInto(origin, { path }).over, 'origin_unavailable');
    }
  }
  assert.equal(origin.stats.replicas[0]!.state, 'closed');
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'ended');
});

test('a lone server is asked however often it failed', async () => {
  const origin = open({ retries: 0, breaker: { failures: 2, cooldown: 10_000, maxCooldown: 10_000 } });
  await server.refuse();
  for (let i = 0; i < 4; i++) assert.equal(await fetchInto(origin, { path: '/f' }).over, 'origin_unavailable');
  assert.equal(origin.stats.replicas[0]!.state, 'open');
  await server.accept();
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'ended');
  assert.equal(origin.stats.replicas[0]!.state, 'closed');
});

test('of two servers that both rest, both are asked', async () => {
  const origin = open({ retries: 1, breaker: { failures: 1, cooldown: 10_000, maxCooldown: 10_000 } }, both());
  await Promise.all([server.refuse(), replica.refuse()]);
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'origin_unavailable');
  assert.deepEqual(
    origin.stats.replicas.map(({ state }) => state),
    ['open', 'open'],
  );
  await replica.accept();
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'ended');
});

test('the server that has this version is asked, whichever was asked first, and remembered', async () => {
  const first = fetchInto(open(), { path: '/f', range: { start: 0, end: 10 } });
  await first.over;
  const condition = { kind: 'same', validator: first.answer!.validator } as const;
  const lacks: Record<string, () => void> = {
    'another version': () => server.put('/f', { size: SIZE, version: 'v2' }),
    nothing: () => server.delete('/f'),
  };
  for (const balance of ['ordered', 'weighted'] as const) {
    for (const [name, befall] of Object.entries(lacks)) {
      befall();
      server.forget();
      const servers = both().map(url => ({ url, weight: 1 }));
      const origin = open({ servers, balance, retries: 0 });
      for (let i = 0; i < 6; i++) {
        const sink = fetchInto(origin, { path: '/f', range: { start: 50, end: 100_000 }, condition });
        assert.equal(await sink.over, 'ended', `${balance}, ${name}: ${sink.error?.message}`);
      }
      assert.ok(server.requests.length <= 2, `${server.requests.length} requests to the server without it`);
      assert.deepEqual(
        origin.stats.replicas.map(({ state }) => state),
        ['closed', 'closed'],
      );
    }
  }
});

test('a version that no server has is changed, and one that none has at all is not found', async () => {
  const condition = { kind: 'same', validator: { etag: '"gone"', lastModified: undefined } } as const;
  const origin = open({}, both());
  assert.equal(await fetchInto(origin, { path: '/f', range: { start: 0, end: 9 }, condition }).over, 'object_changed');
  for (const each of [server, replica]) each.delete('/f');
  assert.equal(await fetchInto(origin, { path: '/f', range: { start: 0, end: 9 }, condition }).over, 'not_found');
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'not_found');
});

test('a part where the whole was asked for: the rest is asked for', async () => {
  for (const status of [200, 206]) {
    server.heal();
    server.fault((plan, request) => {
      if (request.range !== undefined) return;
      plan.status = status;
      plan.length = 1_000_000;
      plan.headers.set('Content-Length', '1000000').set('Content-Range', `bytes 0-999999/${SIZE}`);
    });
    const sink = fetchInto(open(), { path: '/f' });
    assert.equal(await sink.over, 'ended', sink.error?.message);
    assert.deepEqual([sink.answer!.status, sink.answer!.length, sink.bytesSeen], [206, SIZE, SIZE]);
  }
});

test('a server that refuses its own validators is not sent any after the first', async () => {
  const first = fetchInto(open(), { path: '/f', range: { start: 0, end: 10 } });
  await first.over;
  const condition = { kind: 'same', validator: first.answer!.validator } as const;
  server.forget();
  server.fault(faults.status(412), { when: r => r.headers['if-match'] !== undefined });
  const origin = open();
  for (let i = 0; i < 3; i++) {
    assert.equal(await fetchInto(origin, { path: '/f', range: { start: 5, end: 500 }, condition }).over, 'ended');
  }
  assert.deepEqual(
    server.requests.map(({ status }) => status),
    [412, 206, 206, 206],
  );
  server.put('/f', { size: SIZE, version: 'v2' });
  const changed = fetchInto(origin, { path: '/f', range: { start: 5, end: 500 }, condition });
  assert.equal(await changed.over, 'object_changed');
});

test('a breaker lets single probes through, of other URLs than that which failed, and one failure opens it for longer', async t => {
  server.fault(faults.reset('head'));
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    for (const each of [server, replica]) each.put(`/${name}`, { size: 100 });
  const origin = open({ retries: 2, breaker: { failures: 2, cooldown: 20_000, maxCooldown: 500_000 } }, both());
  const later = laterClock(t);
  const ask = async (path: string) => {
    const sink = fetchInto(origin, { path });
    assert.equal(await sink.over, 'ended');
  };
  for (let i = 0; i < 4; i++) await ask('/f');
  assert.equal(server.requests.length, 2);
  later(21_000);
  await ask('/f');
  assert.equal(server.requests.length, 2, 'the suspect is no probe');
  await Promise.all([ask('/a'), ask('/b'), ask('/c')]);
  assert.equal(server.requests.length, 3, 'one probe');
  later(21_000);
  await ask('/d');
  assert.equal(server.requests.length, 3, 'the second pause is longer');
  later(21_000);
  server.heal();
  await ask('/e');
  assert.equal(origin.stats.replicas[0]!.state, 'closed');
});

test('Retry-After of a 429 or 503 holds back its URL and is passed on', async () => {
  for (const status of [429, 503]) {
    server.heal();
    server.forget();
    server.fault(faults.status(status, { 'Retry-After': '120' }), { path: '/limited' });
    const origin = open();
    for (let i = 0; i < 3; i++) {
      const sink = fetchInto(origin, { path: '/limited' });
      assert.equal(await sink.over, 'origin_unavailable');
      assert.equal(sink.error!.options.retryAfter, 120);
      if (i === 0) assert.equal(sink.refused!.status, status);
    }
    assert.equal(server.requests.length, 1);
    assert.equal(await fetchInto(origin, { path: '/f' }).over, 'ended');
  }
});

test('Retry-After holds back all of the server when it is set so', async () => {
  server.fault(faults.status(503, { 'Retry-After': '120' }), { path: '/limited' });
  const origin = open({ retryAfter: 'server' });
  assert.equal(await fetchInto(origin, { path: '/limited' }).over, 'origin_unavailable');
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'origin_unavailable');
  assert.equal(server.requests.length, 1);
  const two = open({ retryAfter: 'server' }, both());
  assert.equal(await fetchInto(two, { path: '/limited' }).over, 'not_found');
  assert.equal(await fetchInto(two, { path: '/f' }).over, 'ended');
  assert.deepEqual([server.requests.length, replica.requests.length], [2, 2]);
});

test('a film under way waits for the end of a pause that the server asked for, or asks after a while', async () => {
  const first = fetchInto(open(), { path: '/f', range: { start: 0, end: 10 } });
  await first.over;
  const condition = { kind: 'same', validator: first.answer!.validator } as const;
  for (const retryAfter of ['url', 'server'] as const) {
    for (const seconds of ['1', '3600']) {
      server.heal();
      server.fault(faults.status(429, { 'Retry-After': seconds }), { times: 1 });
      const origin = open({ retryAfter, timeouts: { ...PATIENT, firstByte: 1500 } });
      const began = performance.now();
      const sink = fetchInto(origin, { path: '/f', range: { start: 100, end: 2000 }, condition });
      assert.equal(await sink.over, 'ended');
      assert.ok(performance.now() - began >= (seconds === '1' ? 990 : 1490));
    }
  }
});

test('a hedged second request answers when the first byte is late, and the loser is dropped', async () => {
  server.fault(faults.stall('head'));
  const origin = open({ hedgeAfter: 20 }, both());
  const sink = fetchInto(origin, { path: '/f' });
  assert.equal(await sink.over, 'ended');
  assert.equal(sink.bytesSeen, SIZE);
  assert.deepEqual([server.requests.length, replica.requests.length, origin.stats.hedges], [1, 1, 1]);
  await server.settled();
  const quick = open({ hedgeAfter: 5000 }, [replica.url, server.url]);
  assert.equal(await fetchInto(quick, { path: '/f' }).over, 'ended');
  assert.equal(quick.stats.hedges, 0);
});

test('redirects are followed within the own list of hosts, without the secrets of the first', async () => {
  const host = '127.0.0.1';
  server.fault(faults.redirect(`${replica.url}/g?x=1`), { path: '/f' });
  replica.put('/g', { size: 1000 });
  const refused = fetchInto(open(), { path: '/f' });
  assert.equal(await refused.over, 'origin_protocol');
  assert.match(refused.error!.message, /redirects\.hosts/);
  assert.equal(replica.requests.length, 0);
  const origin = open({ redirects: { mode: 'follow', hosts: [host], max: 3 }, headers: { 'x-secret': '1' } });
  const range = { start: 10, end: 20 };
  const sink = fetchInto(
    origin,
    { path: '/f', range, fields: { authorization: 'Bearer x', accept: '*/*' } },
    { keep: true },
  );
  assert.equal(await sink.over, 'ended');
  const { path, query, headers } = replica.requests[0]!;
  assert.deepEqual([path, query, headers.range, headers.accept], ['/g', 'x=1', 'bytes=10-19', '*/*']);
  assert.deepEqual([headers.authorization, headers['x-secret']], [undefined, undefined]);
});

test('redirect chains are bounded, circles and strange places are refused', async () => {
  const origin = open({ redirects: { mode: 'follow', hosts: [], max: 3 } });
  server.fault(faults.redirect('/f'), { path: '/f' });
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'origin_protocol');
  assert.equal(server.requests.length, 1);
  server.fault((plan, request) => faults.redirect(`/n?${Number(request.query) + 1}`)(plan, request), { path: '/n' });
  server.forget();
  assert.equal(await fetchInto(origin, { path: '/n', query: '0' }).over, 'origin_protocol');
  assert.equal(server.requests.length, 4);
  for (const place of ['ftp://127.0.0.1/f', 'http://[', 'file:///etc/passwd', '//user@elsewhere.test/']) {
    server.heal();
    server.fault(faults.redirect(place), { path: '/f' });
    assert.equal(await fetchInto(origin, { path: '/f' }).over, 'origin_protocol', place);
  }
  server.heal();
  server.fault(faults.redirect('./f?1'), { path: '/dir/a' });
  server.put('/dir/f', { size: 10 });
  assert.equal(await fetchInto(origin, { path: '/dir/a' }, { keep: true }).over, 'ended');
});

test('stats count requests by status, bytes, and the time to the first byte', async () => {
  const seconds: number[] = [];
  const timeouts = { ...PATIENT };
  const origin = open({ observer: { ttfb: s => seconds.push(s) }, timeouts });
  const began = performance.now();
  await fetchInto(origin, { path: '/f', range: { start: 0, end: 1000 } }).over;
  await fetchInto(origin, { path: '/none' }).over;
  const took = (performance.now() - began) / 1000;
  // What answers may take as long as it does on a busy machine.
  timeouts.firstByte = 300;
  server.fault(faults.stall('head'), { times: 3 });
  await fetchInto(origin, { path: '/f' }).over;
  assert.deepEqual({ ...origin.stats.requests }, { 206: 1, 404: 1, origin_timeout: 3 });
  // Those of the refusal, which goes on to players, among them.
  assert.equal(origin.stats.responseBytes, 1000 + 'no such object'.length);
  assert.equal(seconds.length, 2);
  assert.ok(seconds.every(s => s > 0 && s < took));
  const [first] = origin.stats.replicas;
  assert.equal(first!.url, `${server.url}/`);
});

test('close ends what is under way and what waits', async () => {
  const origin = open({ maxFetches: 1 });
  server.fault(faults.stall(1000));
  const running = fetchInto(origin, { path: '/f' });
  const waiting = fetchInto(origin, { path: '/f' });
  await duringFetch(running, () => running.bytesSeen > 0);
  await origin.close();
  assert.deepEqual([await running.over, await waiting.over], ['origin_unavailable', 'origin_unavailable']);
  assert.equal(await fetchInto(origin, { path: '/f' }).over, 'origin_unavailable');
});
