import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { AccessRules, type AccessSettings } from '../../../src/access/access-rules.js';
import { SharedMemoryTier } from '../../../src/cache/memory/shared-memory-tier.js';
import { ClientAddresses } from '../../../src/http/client-address.js';
import type { HttpServer, HttpServerOptions, ListenOptions } from '../../../src/http/server.js';
import type { AccessEntry } from '../../../src/observe/access-entry.js';
import { accessFormat } from '../../../src/observe/access-format.js';
import { CatalogBench, type Worker } from '../../support/catalog-bench.js';
import { contentAt, firstWrong } from '../../support/content.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeOrigin } from '../../support/fake-origin.js';
import { startEdge } from '../../support/http-edge.js';
import { type RawAnswer, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const SIZE = 600_000;
const BLOCK = 256 * 1024;
const SECRET = 'a secret';
const SIGNED: AccessSettings['signed'] = {
  scheme: 'hmac_sha256',
  template: '{expires}{path}',
  signature: 'token',
  expires: 'expires',
  secret: SECRET,
};

/** Answers that the gate gives by itself: out of the product's own tier and catalog, over a fake origin. */
describe('ready answers', () => {
  const folder = mkdtempSync('/dev/shm/moovedge-test-');
  const origin = new FakeOrigin();
  let tier: SharedMemoryTier;
  let bench: CatalogBench;
  let worker: Worker;
  before(() => {
    tier = new SharedMemoryTier({
      ...DEFAULTS.memoryTier,
      file: join(folder, 'cache'),
      role: 'supervisor',
      size: 16 * 1024 * 1024,
    });
    bench = new CatalogBench(origin, { tier, now: () => Date.now() });
    origin.now = () => Date.now();
    worker = bench.worker();
  });
  after(() => {
    tier.close();
    rmSync(folder, { recursive: true });
  });

  let number = 0;
  let path = '';
  beforeEach(() => {
    path = `/${number++}.mp4`;
    origin.put(path, { size: SIZE, fields: { 'cache-control': 'max-age=3600' } });
  });

  function serve(options: Partial<HttpServerOptions> = {}, how: ListenOptions = {}) {
    return startEdge({ content: worker.catalog, ready: tier, ...options }, how);
  }

  /** Asks by a connection until the gate answers what is asked for by this URL; returns its first answer. */
  async function becomesReady(server: HttpServer, connection: RawConnection, target = path): Promise<RawAnswer> {
    let answer: RawAnswer | undefined;
    await until('a ready answer', async () => {
      const before = server.stats.readyAnswers;
      answer = await connection.request('GET', target, { Range: 'bytes=0-99' }).answer();
      assert.equal(answer.status, 206);
      return server.stats.readyAnswers > before;
    });
    return answer!;
  }

  /** Asks once; tells whether the gate answered. */
  async function ask(server: HttpServer, connection: RawConnection, fields: Record<string, string>, target = path) {
    const before = server.stats.readyAnswers;
    const answer = await connection.request('GET', target, fields).answer();
    return { answer, isReady: server.stats.readyAnswers > before };
  }

  it('are octet for octet those of the edge, range by range, and counted like them', async () => {
    const heats: [string, number, number][] = [];
    const hottest = { add: (key: string, bytes: number, count = 1) => heats.push([key, bytes, count]) };
    const { server, port } = await serve({ hottest: hottest as never, serverName: 'edge' });
    const connection = await RawConnection.open(port);
    await connection.request('GET', path).answer();
    await becomesReady(server, connection);
    const told = { ...server.stats.requests.memory };
    const bytes = server.stats.responseBytes;
    const lookups = worker.loader.stats.memoryLookups;
    let [sum, asked] = [0, 0];
    const ranges = [
      [0, 0],
      [1, 4096],
      [BLOCK - 1, BLOCK - 1],
      [BLOCK, BLOCK + 32 * 1024 - 1],
      [SIZE - 10, SIZE + 10],
    ];
    for (const [first, last] of ranges as [number, number][]) {
      // The front end hears of one now and then, so that it does not take the connection for an idle one.
      const answer = await until(`a ready answer to ${first}-${last}`, async () => {
        const { answer, isReady } = await ask(server, connection, { Range: `bytes=${first}-${last}` });
        [sum, asked] = [sum + answer.body.length, asked + 1];
        return isReady && answer;
      });
      // A condition that holds has the edge answer.
      const slow = await ask(server, connection, { Range: `bytes=${first}-${last}`, 'If-Range': answer.fields.etag! });
      assert.ok(!slow.isReady);
      const dated = (lines: readonly string[]) => lines.map(line => line.replace(/^(Age|Date): .*/, '$1'));
      assert.deepEqual(dated(answer.lines), dated(slow.answer.lines));
      assert.deepEqual(answer.body, slow.answer.body);
      assert.equal(firstWrong(answer.body, path, 'v1', first), -1);
      assert.match(answer.fields.date!, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
      assert.ok(Math.abs(Date.parse(answer.fields.date!) - Date.now()) < 60_000);
      [sum, asked] = [sum + answer.body.length, asked + 1];
    }
    assert.equal(server.stats.requests.memory[206], told[206]! + asked);
    assert.equal(server.stats.responseBytes, bytes + sum);
    assert.equal(worker.loader.stats.memoryLookups, lookups + asked);
    assert.ok(heats.every(([key]) => key.endsWith(path)));
    const all = Object.values(server.stats.requests).flatMap(byStatus => Object.values(byStatus));
    const total = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0);
    assert.equal(total(heats.map(([, , count]) => count)), total(all));
    connection.socket.destroy();
  });

  it('are given to nobody whose request says more', async () => {
    const { server, port } = await serve();
    const connection = await RawConnection.open(port);
    const { fields } = await becomesReady(server, connection);
    const range = { Range: 'bytes=10-19' };
    const others: [Record<string, string>, number][] = [
      [{}, 200],
      [{ Range: 'bytes=10-19,30-39' }, 206],
      [{ Range: 'bytes=10-' }, 206],
      [{ Range: 'bytes=-10' }, 206],
      [{ Range: 'bytes=19-10' }, 200],
      [{ Range: 'pieces=10-19' }, 200],
      [{ Range: `bytes=${SIZE}-${SIZE + 9}` }, 416],
      [{ Range: 'bytes=10-99999999999999999999' }, 206],
      [{ Range: `bytes=${BLOCK - 5}-${BLOCK + 5}` }, 206],
      [{ Range: 'bytes=0-100000' }, 206],
      [{ ...range, 'If-None-Match': fields.etag! }, 304],
      [{ ...range, 'If-Match': '"another"' }, 412],
      [{ ...range, 'If-Modified-Since': new Date().toUTCString() }, 304],
      [{ ...range, 'If-Range': '"another"' }, 200],
      [{ ...range, 'Cache-Control': 'max-stale' }, 206],
      [{ ...range, Authorization: 'Basic YTpi' }, 206],
      [{ ...range, Host: 'other.example' }, 206],
    ];
    for (const [asked, status] of others) {
      const { answer, isReady } = await ask(server, connection, asked);
      assert.equal(answer.status, status, JSON.stringify(asked));
      assert.ok(!isReady, JSON.stringify(asked));
    }
    const redirecting = await RawConnection.open(await server.listen('127.0.0.1', 0, { redirect: 8443 }));
    for (let i = 0; i < 3; i++) assert.equal((await ask(server, redirecting, range)).answer.status, 301);
    redirecting.socket.destroy();
    const query = await ask(server, connection, range, `${path}?v=1`);
    assert.ok(!query.isReady);
    const head = await connection.request('HEAD', path, range).answer('HEAD');
    assert.equal(head.status, 200);
    const last = await ask(server, connection, { ...range, Connection: 'close' });
    assert.ok(!last.isReady);
    assert.equal(last.answer.fields.connection, 'close');
    await connection.rest();
  });

  it('end with what was known: a purge, another version, an end of freshness, an eviction, a drain', async () => {
    const { server, port } = await serve();
    const connection = await RawConnection.open(port);
    await becomesReady(server, connection);
    origin.put(path, { size: SIZE, version: 'v2', fields: { 'cache-control': 'max-age=1' } });
    bench.purger.urls([`${origin.name}${path}`], false);
    const purged = await ask(server, connection, { Range: 'bytes=0-99' });
    assert.ok(!purged.isReady);
    assert.equal(firstWrong(purged.answer.body, path, 'v2', 0), -1);
    await becomesReady(server, connection);
    origin.put(path, { size: SIZE, version: 'v3', fields: { 'cache-control': 'max-age=3600' } });
    let body: Buffer = Buffer.alloc(0);
    await until('the third version', async () => {
      ({ body } = (await ask(server, connection, { Range: 'bytes=0-99' })).answer);
      return body.equals(contentAt(path, 'v3', 0, 100));
    });
    await becomesReady(server, connection);
    const { object } = await worker.object(path);
    for (let block = 0; block * BLOCK < SIZE; block++) tier.drop(object.id, block);
    const evicted = await ask(server, connection, { Range: 'bytes=0-99' });
    assert.ok(!evicted.isReady);
    assert.match(evicted.answer.fields['cache-status']!, /fwd=miss/);
    await becomesReady(server, connection);
    const draining = server.drain({ grace: 10_000, idle: 1 });
    const drained = await ask(server, connection, { Range: 'bytes=0-99' });
    assert.ok(!drained.isReady);
    assert.equal(drained.answer.fields.connection, 'close');
    connection.socket.destroy();
    await draining;
  });

  it('are in order when requests come together, and whole when nobody takes them for a while', async () => {
    const { server, port } = await serve();
    const connection = await RawConnection.open(port);
    await becomesReady(server, connection);
    const before = server.stats.readyAnswers;
    const count = 400;
    const length = 32 * 1024;
    const begin = (i: number) => (i * 7919) % (BLOCK - length);
    connection.socket.pause();
    for (let i = 0; i < count; i++) {
      const other = i % 50 === 49 ? { 'If-Range': '"another"' } : undefined;
      connection.request('GET', path, { Range: `bytes=${begin(i)}-${begin(i) + length - 1}`, ...other });
    }
    await until('answers that nobody takes', () => server.stats.readyAnswers > before + 10);
    connection.socket.resume();
    for (let i = 0; i < count; i++) {
      const { status, body } = await connection.answer();
      assert.equal(status, i % 50 === 49 ? 200 : 206);
      assert.equal(firstWrong(body, path, 'v1', status === 200 ? 0 : begin(i)), -1);
    }
    // Now and then the front end hears of a request, so that it knows that the connection lives.
    assert.ok(server.stats.readyAnswers > before + count / 2);
    connection.socket.destroy();
  });

  it('are given for a signed URL until its end, and to nobody who has not got it', async () => {
    const access = new AccessRules([{ path: '/', signed: SIGNED }]);
    const { server, port } = await serve({ access });
    const connection = await RawConnection.open(port);
    const expires = Math.floor(Date.now() / 1000) + 2;
    const sign = (time: number) => createHmac('sha256', SECRET).update(`${time}${path}`).digest('base64url');
    const target = `${path}?token=${sign(expires)}&expires=${expires}`;
    const { fields } = await becomesReady(server, connection, target);
    assert.equal(fields['referrer-policy'], 'strict-origin');
    for (const other of [path, `${path}?token=${sign(expires + 1)}&expires=${expires}`, `${target}0`]) {
      const { answer, isReady } = await ask(server, connection, { Range: 'bytes=0-99' }, other);
      assert.deepEqual([answer.status, isReady], [403, false]);
    }
    await until('the end of the URL', async () => {
      const { answer, isReady } = await ask(server, connection, { Range: 'bytes=0-99' }, target);
      const isOver = Date.now() >= (expires + 1) * 1000;
      assert.ok(answer.status === 206 || (isOver && !isReady));
      return answer.status === 403;
    });
    connection.socket.destroy();
  });

  it('are told to the access log as those of the edge are, field by field and in every format', async () => {
    const entries: AccessEntry[] = [];
    const routes = [{ path: '/' }];
    const { server, port } = await serve(
      { accessLog: entry => entries.push(entry), routes },
      { clients: new ClientAddresses(['127.0.0.0/8']) },
    );
    const connection = await RawConnection.open(port);
    const target = `${path}?token=a%20secret&x=1&caf\u00c3\u00a9`;
    const { fields } = await becomesReady(server, connection, target);
    const etag = { 'If-Range': fields.etag! };
    const requests: Record<string, string>[] = [
      { Range: 'bytes=0-99' },
      { range: 'bytes=00100-199', 'USER-AGENT': ' \t"A\\player \u00ff" \t', Referer: 'http://u:p@page.example/?sig=1' },
      { Range: `bytes=${SIZE - 10}-${SIZE + 5}`, 'User-Agent': '', 'X-Request-Id': 'no sound id' },
      { Range: 'bytes=5-6', 'X-Forwarded-For': '192.0.2.7, 127.0.0.2', 'X-Request-Id': 'mine' },
      { Range: 'bytes=5-6', Forwarded: 'for="[2001:db8::1]:80"' },
    ];
    const formats = ['json', 'combined', '{id} {target} {range} {protocol} {end} {localTime} {origin} {route} {error}'];
    for (const asked of requests) {
      const before = entries.length;
      const told = await until('a ready answer', async () => {
        const from = entries.length;
        const { isReady } = await ask(server, connection, asked, target);
        await until('its entry', () => entries.length > from);
        return isReady && entries[from];
      });
      const at = entries.length;
      const slow = await ask(server, connection, { ...asked, ...etag }, target);
      assert.ok(!slow.isReady && slow.answer.status === 206 && entries.length === at + 1 && before < at);
      const { time, id, seconds, ttfb, ...others } = told;
      const ordinary = entries[at]!;
      const same = { time: ordinary.time, seconds: ordinary.seconds, ttfb: ordinary.ttfb };
      assert.deepEqual({ ...others, ...same, id: ordinary.id }, ordinary);
      if (asked['X-Request-Id'] === 'mine') assert.equal(id, 'mine');
      else assert.match(id, /^[\w-]{12}-\w+$/);
      assert.ok(Math.abs(time - Date.now()) < 60_000 && seconds > 0 && seconds < 1 && ttfb === seconds);
      for (const format of formats.map(name => accessFormat(name)))
        assert.equal(format({ ...told, ...same, id: ordinary.id }), format(ordinary));
    }
    const ids = entries.map(({ id }) => id).filter(id => id !== 'mine');
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(entries.every(({ client, url }) => client !== '' && url.endsWith('caf\u00e9')));
    assert.ok(entries.every(({ route }) => route === '*/'));
    assert.deepEqual(new Set(entries.map(({ client }) => client)), new Set(['127.0.0.1', '192.0.2.7', '2001:db8::1']));
    connection.socket.destroy();
  });

  it('lack no line in the access log, though more come at once than are recorded, and at the end', async () => {
    const entries: AccessEntry[] = [];
    const { server, port } = await serve({ accessLog: entry => entries.push(entry) });
    const first = await RawConnection.open(port);
    await becomesReady(server, first);
    const connections = await Promise.all(Array.from({ length: 150 }, () => RawConnection.open(port)));
    const agent = 'a'.repeat(15 * 1024);
    // The front end hears first of each connection only where the gate does not answer.
    const before = server.stats.readyAnswers;
    const range = { Range: 'bytes=0-99', 'User-Agent': agent };
    for (let round = 0; round < 3; round++) {
      for (const connection of connections) connection.request('GET', path, range);
      for (const connection of connections) assert.equal((await connection.answer()).status, 206);
    }
    const ready = server.stats.readyAnswers - before;
    assert.ok(ready > 0 && ready < 450, `${ready} answers were ready`);
    first.request('GET', path, { Range: 'bytes=0-0', 'User-Agent': 'the last' });
    await first.answer();
    server.close();
    assert.equal(entries.filter(each => each.agent === agent).length, 450);
    assert.equal(entries.filter(each => each.agent === 'the last').length, 1);
    for (const connection of connections) connection.socket.destroy();
    first.socket.destroy();
  });

  it('are none where something is done for each request, or who asks counts', async () => {
    const addresses = { allow: ['127.0.0.1/32'], deny: [] };
    const settings: Partial<HttpServerOptions>[] = [
      { pacing: { rate: { bytes: 1e9 } } },
      { cors: { ...DEFAULTS.http.cors, origins: ['https://player.example'] } },
      { access: new AccessRules([{ path: '/', addresses }]) },
      {
        access: new AccessRules([
          { path: '/', addresses, signed: { ...SIGNED, expires: undefined, template: '{path}' } },
        ]),
      },
      { access: new AccessRules([{ path: '/', signed: { ...SIGNED, expires: undefined, template: '{path}{ip}' } }]) },
    ];
    for (const options of settings) {
      const { server, port } = await serve(options);
      const connection = await RawConnection.open(port);
      const ip = options.access !== undefined ? '127.0.0.1' : '';
      const token = (text: string) => createHmac('sha256', SECRET).update(text).digest('base64url');
      for (const text of [path, path + ip]) {
        for (let i = 0; i < 5; i++)
          await connection.request('GET', `${path}?token=${token(text)}`, { Range: 'bytes=0-99' }).answer();
      }
      assert.equal(server.stats.readyAnswers, 0, JSON.stringify(options));
      connection.socket.destroy();
    }
  });
});
