import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EDGE_ITSELF } from '../../../src/base/asker.js';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { EdgeError, type ErrorCode } from '../../../src/base/errors.js';
import { CatalogBench, type Worker } from '../../support/catalog-bench.js';
import { contentAt } from '../../support/content.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeOrigin } from '../../support/fake-origin.js';
import type { MemoryCatalogStore } from '../../support/memory-catalog-store.js';
import { verifyAll } from '../../support/read-all.js';
import { SlabTier } from '../../support/slab-tier.js';

const FILM = '/film.mp4';
const SIZE = 6 * BLOCK_SIZE + 777;

type Options = ConstructorParameters<typeof CatalogBench>[1];

function bench(options: Options = {}, size = SIZE): CatalogBench {
  const origin = new FakeOrigin('main');
  origin.put(FILM, { size });
  return new CatalogBench(origin, options);
}

async function refused(promise: Promise<unknown>, code: ErrorCode): Promise<EdgeError> {
  let found: unknown;
  await assert.rejects(promise, error => {
    found = error;
    return true;
  });
  assert.ok(found instanceof EdgeError, String(found));
  assert.equal(found.code, code, found.message);
  return found;
}

/** Lets what is under way settle, without looking at the clock. */
async function turns(count = 30): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve));
}

describe('the first request for an object', () => {
  it('learns size and validator from the fetch of its bytes, which goes on into the cache', async () => {
    const b = bench();
    const worker = b.worker();
    const opened = await worker.watch(FILM, { end: 2 * BLOCK_SIZE });
    assert.equal(opened.object.size, SIZE);
    assert.equal(opened.object.etag, '"v1"');
    assert.equal(opened.object.contentType, 'video/mp4');
    assert.equal(opened.object.lastModified, Date.parse('Mon, 05 Jan 2026 10:00:00 GMT'));
    assert.equal(opened.firstOutcome, 'miss');
    assert.equal(b.origin.requests.length, 1);
    assert.deepEqual(b.origin.requests[0]?.range, { start: 0, end: 2 * BLOCK_SIZE });
    assert.equal(b.origin.requests[0]?.condition, undefined);
  });

  it('begins with the block that is wanted', async () => {
    const b = bench();
    await b.worker().watch(FILM, { start: 3 * BLOCK_SIZE + 5, end: 5 * BLOCK_SIZE });
    assert.deepEqual(
      b.origin.requests.map(request => request.range),
      [{ start: 3 * BLOCK_SIZE, end: 5 * BLOCK_SIZE }],
    );
  });

  it('answers at once from then on', async () => {
    const b = bench();
    const worker = b.worker();
    await worker.watch(FILM);
    const opened = worker.catalog.open({
      host: '',
      path: FILM,
      query: '',
      hint: { start: 0, end: 1 },
      asker: EDGE_ITSELF,
      field: () => '',
    });
    assert.ok(!(opened instanceof Promise));
    assert.equal(opened.kind === 'object' && opened.outcome, undefined);
  });

  it('fetches each block once for 500 players in two workers', async () => {
    const b = bench();
    const workers = [b.worker(), b.worker()];
    await Promise.all(Array.from({ length: 500 }, (_, i) => workers[i % 2]!.watch(FILM)));
    assert.deepEqual(b.origin.timesSent(FILM), new Array(7).fill(1));
    const unconditional = b.origin.requests.filter(request => request.condition === undefined);
    assert.equal(unconditional.length, 1);
  });

  it('stops when the player leaves before it reads', async () => {
    const b = bench();
    const opened = await b.worker().object(FILM);
    opened.release();
    await b.origin.until(() => b.origin.requests.every(request => request.done || request.cancelled));
    assert.deepEqual(b.origin.timesSent(FILM).slice(0, 2), [1, 0]);
    assert.ok(b.tier instanceof SlabTier && b.tier.stats.filling === 0);
  });

  it('keeps the fill going from open to the reader, and on while the reader has not asked yet', async () => {
    const b = bench();
    const opened = await b.worker().object(FILM, { end: 4 * BLOCK_SIZE });
    const reader = opened.reader();
    opened.release();
    await b.origin.until(() => b.origin.requests.every(request => request.done));
    assert.deepEqual(b.origin.timesSent(FILM), [1, 1, 1, 1, 0, 0, 0]);
    reader.close();
  });

  it('learns the size of an object from a range past its end', async () => {
    const b = bench();
    const opened = await b.worker().object(FILM, { start: SIZE + 10 * BLOCK_SIZE, end: SIZE + 11 * BLOCK_SIZE });
    assert.equal(opened.object.size, SIZE);
    assert.deepEqual(
      b.origin.requests.map(request => request.range?.start),
      [11 * BLOCK_SIZE + 5 * BLOCK_SIZE, 0],
    );
  });

  it('opens an empty object', async () => {
    const b = bench({}, 0);
    const opened = await b.worker().object(FILM);
    assert.equal(opened.object.size, 0);
    assert.equal((await b.worker().object(FILM)).object.etag, '"v1"');
  });

  it('takes the whole of an object from an origin that ignores ranges', async () => {
    const b = bench();
    b.origin.every = { ignoreRange: true };
    const worker = b.worker();
    await worker.watch(FILM, { start: 4 * BLOCK_SIZE, end: 5 * BLOCK_SIZE });
    assert.equal(b.origin.requests.length, 1);
    await worker.watch(FILM);
    await worker.watch(FILM);
    assert.ok(b.origin.requests.length <= 2);
  });

  it('streams past the cache when there is no room for a fill, without asking twice', async () => {
    const tier = new SlabTier({ blocks: 4, fillShare: 0.25 });
    const b = bench({ tier });
    const blocker = tier.claim(new Uint32Array([1, 1, 1, 1]) as never, 0, 10);
    assert.ok(typeof blocker === 'object');
    const opened = await b.worker().watch(FILM, { end: 3 * BLOCK_SIZE });
    assert.equal(opened.object.size, SIZE);
    assert.equal(b.origin.requests.length, 1);
    blocker.abandon();
  });

  it('guesses the media type where the origin has none of use', async () => {
    const b = bench();
    for (const [path, type, expected] of [
      ['/a.mp4', 'application/octet-stream', 'video/mp4'],
      ['/b.FLV', 'binary/octet-stream; x=1', 'video/x-flv'],
      ['/c.unknown-extension', '', 'application/octet-stream'],
      ['/d.mp4', 'video/quicktime', 'video/quicktime'],
      ['/e.mp4', 'bad\ntype', 'video/mp4'],
    ] as const) {
      b.origin.put(path, { size: 10, fields: { 'content-type': type } });
      assert.equal((await b.worker().object(path)).object.contentType, expected, path);
    }
  });

  it('keeps query strings apart', async () => {
    const b = bench();
    const worker = b.worker();
    const ids = [];
    for (const query of ['', 'a=1', 'a=2']) ids.push((await worker.object(FILM, { query })).object.id.join());
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(
      b.origin.requests.map(request => request.query),
      ['', 'a=1', 'a=2'],
    );
  });

  it('is made by another worker when the one that asks dies', async () => {
    const tier = new SlabTier({ blocks: 64, fillShare: 0.9 });
    const b = bench({ tier });
    // Another process holds the right to ask, and never says a word.
    const { lockId } = await import('../../../src/catalog/object-identity.js');
    const held = tier.claim(lockId(`main${FILM}`), 0, 1);
    assert.ok(typeof held === 'object');
    const watching = b.worker().watch(FILM);
    await turns();
    assert.equal(b.origin.requests.length, 0);
    held.abandon();
    await watching;
    assert.deepEqual(b.origin.timesSent(FILM), new Array(7).fill(1));
  });
});

describe('a body of unknown size', () => {
  it('goes to the player as it comes and is an object when it has ended', async () => {
    const b = bench();
    b.origin.next = { noLength: true };
    const worker = b.worker();
    assert.ok((await worker.bytes(FILM)).equals(contentAt(FILM, 'v1', 0, SIZE)));
    await turns();
    const opened = await worker.watch(FILM);
    assert.equal(opened.object.size, SIZE);
    assert.equal(opened.firstOutcome, 'memory');
    assert.equal(b.origin.requests.length, 1);
  });

  it('gives a player what it takes, and goes on to its bound and no further while the player stands still', async () => {
    const b = bench({ supplyOptions: { wholeMax: 2 * BLOCK_SIZE } });
    b.origin.put(FILM, { size: 40 * BLOCK_SIZE });
    b.origin.every = { noLength: true };
    const opened = await b.worker().open(FILM);
    assert.equal(opened.kind, 'stream');
    if (opened.kind !== 'stream') return;
    let got = 0;
    const handle = opened.start({
      bytes: chunk => {
        got += chunk.length;
        return false;
      },
      ended: assert.fail,
      failed: assert.fail,
    });
    await turns(300);
    assert.ok(got <= 64 * 1024, `${got}`);
    const sent = b.origin.bytesSent;
    assert.ok(sent >= 2 * BLOCK_SIZE && sent <= 8 * BLOCK_SIZE, `${sent}`);
    handle.resume();
    await turns();
    assert.ok(got > 64 * 1024 && got <= 128 * 1024);
    handle.cancel();
    assert.ok(b.origin.requests[0]?.cancelled);
  });

  it('leaves nothing when it breaks off; when only the closed connection ends it, for a minute', async () => {
    for (const fault of [
      { noLength: true, failAfter: 300_000 },
      { noLength: true, head: { unframed: true } },
    ]) {
      const b = bench();
      b.origin.next = fault;
      const worker = b.worker();
      await worker.bytes(FILM).catch(() => {});
      await turns();
      b.pass(61);
      await worker.watch(FILM);
      assert.equal(b.origin.requests.length > 1, true);
    }
  });

  it('goes on without a player, so that the next one finds an object', async () => {
    const b = bench();
    b.origin.next = { noLength: true };
    const worker = b.worker();
    (await worker.open(FILM)).release();
    await b.origin.until(() => b.origin.requests[0]!.done);
    await turns();
    assert.equal((await worker.watch(FILM)).firstOutcome, 'memory');
    assert.equal(b.origin.requests.length, 1);
  });

  it('ends at its bound without a player', async () => {
    const b = bench({ supplyOptions: { wholeMax: BLOCK_SIZE } });
    b.origin.next = { noLength: true };
    (await b.worker().open(FILM)).release();
    await b.origin.until(() => b.origin.requests[0]!.cancelled);
    assert.ok(b.origin.bytesSent <= 2 * BLOCK_SIZE);
  });

  it('is one fetch for all players of a process, each at its pace, those that come later too', async () => {
    const b = bench();
    b.origin.every = { noLength: true };
    const worker = b.worker();
    const first = worker.bytes(FILM);
    await b.origin.until(() => b.origin.bytesSent > BLOCK_SIZE * 1.5);
    const later = await Promise.all([worker.bytes(FILM), worker.bytes(FILM)]);
    for (const bytes of [await first, ...later]) assert.deepEqual(bytes, contentAt(FILM, 'v1', 0, SIZE));
    assert.equal(b.origin.requests.length, 1);
  });

  it('is not shared when it was purged, nor with or among players with credentials', async () => {
    const b = bench();
    b.origin.every = { noLength: true };
    b.origin.fields = { 'cache-control': 'public, max-age=60' };
    const worker = b.worker();
    b.origin.hold();
    const open = (fields = {}) => worker.open(FILM, { fields });
    const streams = [open(), open({ authorization: 'a' }), open({ authorization: 'b' })];
    await turns();
    b.origin.go();
    const opened = await Promise.all(streams);
    assert.equal(b.origin.requests.length, 3);
    b.purger.urls([`main${FILM}`], false);
    const another = await open();
    assert.equal(b.origin.requests.length, 4);
    for (const each of [...opened, another]) each.release();
  });
});

describe('freshness', () => {
  it('revalidates a stale object by one conditional request for all who wait, in all workers', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'max-age=60' };
    const workers = [b.worker(), b.worker()];
    await workers[0]!.watch(FILM);
    b.pass(30);
    assert.equal((await workers[1]!.object(FILM)).age, 30);
    b.pass(31);
    b.origin.requests.length = 0;
    const opened = await Promise.all(Array.from({ length: 50 }, (_, i) => workers[i % 2]!.watch(FILM)));
    assert.equal(b.origin.requests.length, 1);
    assert.equal(b.origin.requests[0]?.condition?.kind, 'changed');
    assert.equal(opened[0]?.firstOutcome, 'revalidated');
    for (const { age } of opened) assert.equal(age, 0);
    assert.equal(b.origin.bytesSent, 0);
  });

  it('updates the stored fields from a 304', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'max-age=60', 'x-old': '1' };
    const worker = b.worker();
    await worker.watch(FILM);
    b.pass(61);
    b.origin.fields = { 'cache-control': 'max-age=1000', 'x-new': '2' };
    const { object } = await worker.object(FILM);
    assert.deepEqual(Object.fromEntries(object.fields), {
      'cache-control': 'max-age=1000',
      'x-old': '1',
      'x-new': '2',
    });
    b.pass(500);
    await worker.watch(FILM);
    assert.equal(b.origin.requests.filter(request => request.condition?.kind === 'changed').length, 1);
  });

  it('serves stale while it revalidates in the background, once per machine', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'max-age=60, stale-while-revalidate=30' };
    const workers = [b.worker(), b.worker()];
    await workers[0]!.watch(FILM);
    b.pass(70);
    const before = b.origin.requests.length;
    const opened = await Promise.all(Array.from({ length: 20 }, (_, i) => workers[i % 2]!.object(FILM)));
    assert.deepEqual(new Set(opened.map(({ outcome }) => outcome)), new Set(['stale']));
    assert.equal(opened[0]?.age, 70);
    await turns();
    assert.equal(b.origin.requests.length, before + 1);
    for (const worker of workers) assert.equal((await worker.object(FILM)).age, 0);
    b.pass(100);
    assert.equal((await workers[0]!.object(FILM)).outcome, 'revalidated');
  });

  it('serves stale when the origin fails, asks again after a while, and says so', async () => {
    const b = bench({ freshness: { ...DEFAULTS.catalog.freshness, staleIfError: 3_600_000 } });
    b.origin.fields = { 'cache-control': 'max-age=60' };
    const worker = b.worker();
    await worker.watch(FILM);
    b.pass(100);
    b.origin.every = { fail: { code: 'origin_unavailable', status: 503 } };
    const before = b.origin.requests.length;
    for (let i = 0; i < 3; i++) {
      const opened = await worker.watch(FILM);
      assert.equal(opened.firstOutcome, 'stale');
      assert.equal(opened.age, 100);
    }
    assert.equal(b.origin.requests.length, before + 1);
    b.pass(2);
    await worker.watch(FILM);
    assert.equal(b.origin.requests.length, before + 2);
    b.pass(3600);
    await refused(worker.watch(FILM), 'origin_unavailable');
    b.origin.every = undefined;
    b.pass(2);
    assert.equal((await worker.watch(FILM)).firstOutcome, 'revalidated');
  });

  it('lets nobody wait for an origin that has failed before', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'max-age=60' };
    const worker = b.worker();
    await worker.watch(FILM);
    b.pass(100);
    b.origin.next = { fail: { code: 'origin_timeout' } };
    await worker.watch(FILM);
    b.pass(5);
    b.origin.hold();
    const request = { host: '', path: FILM, query: '', hint: { start: 0, end: 1 }, asker: EDGE_ITSELF };
    for (let i = 0; i < 3; i++) {
      let over = false;
      const field = (name: string) => (over ? assert.fail(`${name} was read after the request`) : '');
      const opened = worker.catalog.open({ ...request, field });
      over = true;
      assert.ok(!(opened instanceof Promise) && opened.kind === 'object' && opened.outcome === 'stale');
    }
    b.origin.go();
    await turns();
    assert.equal(b.origin.requests.filter(({ condition }) => condition?.kind === 'changed').length, 2);
    assert.equal((await worker.object(FILM)).outcome, undefined);
  });

  it('serves what it holds after a restart without its origin', async () => {
    const b = bench();
    await b.worker().watch(FILM);
    b.pass(3600 * 3);
    b.origin.every = { fail: { code: 'origin_unavailable' } };
    const opened = await b.worker().watch(FILM);
    assert.equal(opened.firstOutcome, 'stale');
  });

  it('never serves stale what must be revalidated', async () => {
    for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache']) {
      const b = bench();
      b.origin.fields = { 'cache-control': `max-age=60, ${directive}` };
      const worker = b.worker();
      await worker.watch(FILM);
      b.pass(61);
      b.origin.every = { fail: { code: 'origin_timeout' } };
      await refused(worker.watch(FILM), 'origin_timeout');
    }
  });

  it('asks about a no-cache object each time, but keeps its blocks', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'no-cache' };
    const worker = b.worker();
    for (let i = 0; i < 3; i++) await worker.watch(FILM);
    assert.equal(b.origin.requests.filter(request => request.condition?.kind === 'changed').length, 2);
    assert.deepEqual(b.origin.timesSent(FILM), new Array(7).fill(1));
  });

  it('fetches an object without validators anew when its lifetime is over, never mixing the two', async () => {
    const b = bench();
    b.origin.put(FILM, { size: SIZE, etag: null, lastModified: null, fields: { 'cache-control': 'max-age=60' } });
    const worker = b.worker();
    const old = await worker.object(FILM, { end: BLOCK_SIZE });
    const oldReader = old.reader();
    await worker.watch(FILM, { end: BLOCK_SIZE });
    b.pass(61);
    b.origin.put(FILM, { size: SIZE, version: 'v2', etag: null, lastModified: null });
    const opened = await worker.watch(FILM, { version: 'v2' });
    assert.notDeepEqual(opened.object.id, old.object.id);
    assert.notEqual(opened.object.etag, old.object.etag);
    // The old one came in one as well, so whoever is at it gets the rest of it.
    await verifyAll(oldReader, 0, SIZE, { path: FILM, version: 'v1' });
    assert.equal(b.origin.requests.filter(({ range }) => range === undefined).length, 2);
  });

  it('asks an origin that is cheap to ask in each worker, and writes nothing down for it', async () => {
    const b = bench({ defaultLifetime: 1000 });
    const workers = [b.worker(), b.worker()];
    for (const worker of workers) await worker.watch(FILM, { end: BLOCK_SIZE });
    const { saves } = b.store as MemoryCatalogStore;
    for (let i = 0; i < 5; i++) {
      b.pass(1.5);
      for (const worker of workers) assert.equal((await worker.watch(FILM, { end: BLOCK_SIZE })).age, 0);
    }
    assert.equal((b.store as MemoryCatalogStore).saves, saves);
    assert.equal(b.origin.requests.length, 11);
  });

  it('uses the lifetime of the route for answers that say nothing', async () => {
    const b = bench({ defaultLifetime: 5000 });
    const worker = b.worker();
    await worker.watch(FILM);
    b.pass(6);
    assert.equal((await worker.watch(FILM)).firstOutcome, 'revalidated');
  });
});

describe('request directives', () => {
  const asked = (value: string) => ({ fields: { 'cache-control': value } });

  it('are not heeded unless the edge is told to', async () => {
    const b = bench();
    const worker = b.worker();
    await worker.watch(FILM);
    const before = b.origin.requests.length;
    await worker.watch(FILM, asked('no-cache'));
    assert.equal(b.origin.requests.length, before);
  });

  it('are heeded when it is', async () => {
    const b = bench({ honourRequestDirectives: true });
    b.origin.fields = { 'cache-control': 'max-age=60' };
    const worker = b.worker();
    await refused(worker.watch(FILM, asked('only-if-cached')), 'only_if_cached');
    await worker.watch(FILM);
    assert.equal((await worker.watch(FILM, asked('only-if-cached'))).firstOutcome, 'memory');
    assert.equal((await worker.watch(FILM, asked('no-cache'))).firstOutcome, 'revalidated');
    assert.equal((await worker.watch(FILM, { fields: { pragma: 'no-cache' } })).firstOutcome, 'memory');
    b.pass(20);
    assert.equal((await worker.watch(FILM, asked('max-age=30'))).firstOutcome, 'memory');
    assert.equal((await worker.watch(FILM, asked('max-age=10'))).firstOutcome, 'revalidated');
    b.pass(20);
    assert.equal((await worker.watch(FILM, asked('min-fresh=30'))).firstOutcome, 'memory');
    assert.equal((await worker.watch(FILM, asked('min-fresh=50'))).firstOutcome, 'revalidated');
    b.pass(80);
    assert.equal((await worker.watch(FILM, asked('max-stale=30'))).firstOutcome, 'stale');
    assert.equal((await worker.watch(FILM, asked('max-stale'))).firstOutcome, 'stale');
    await refused(worker.watch(FILM, asked('max-stale=10, only-if-cached')), 'only_if_cached');
  });

  it('no-store keeps an answer out of the cache', async () => {
    const b = bench({ honourRequestDirectives: true });
    const worker = b.worker();
    assert.equal((await worker.watch(FILM, asked('no-store'))).firstOutcome, 'bypass');
    assert.equal((await worker.watch(FILM)).firstOutcome, 'miss');
  });
});

describe('what must not be stored', () => {
  for (const [name, fields] of [
    ['no-store', { 'cache-control': 'no-store' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['Vary: *', { vary: '*' }],
    ['no-store for CDNs', { 'cdn-cache-control': 'no-store', 'cache-control': 'max-age=60' }],
  ] as const) {
    it(`${name}: goes past the cache, each player for itself`, async () => {
      const b = bench();
      b.origin.fields = fields;
      const workers = [b.worker(), b.worker()];
      for (const worker of workers) {
        const opened = await worker.watch(FILM, { start: 100, end: 2 * BLOCK_SIZE });
        assert.equal(opened.firstOutcome, 'bypass');
        assert.equal(opened.object.size, SIZE);
      }
      await Promise.all(Array.from({ length: 5 }, () => workers[0]!.watch(FILM)));
      assert.equal(b.origin.requests.length, 7);
      assert.ok(b.tier instanceof SlabTier && b.tier.stats.filling === 0);
      // The media stage can read it at random, too.
      const source = (await workers[0]!.object(FILM)).source();
      assert.deepEqual(
        Buffer.from(await source.read(BLOCK_SIZE - 5, 10)),
        contentAt(FILM, 'v1', BLOCK_SIZE - 5, BLOCK_SIZE + 5),
      );
    });
  }

  it('is stored again when the origin allows it', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'no-store' };
    const worker = b.worker();
    await worker.watch(FILM);
    b.origin.fields = {};
    await worker.watch(FILM);
    await worker.watch(FILM);
    const before = b.origin.requests.length;
    assert.equal((await worker.watch(FILM)).firstOutcome, 'memory');
    assert.equal(b.origin.requests.length, before);
  });

  it('Set-Cookie is dropped, or keeps the answer out of the cache', async () => {
    const cookies = 'a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/, b=2';
    for (const setCookie of ['drop', 'bypass'] as const) {
      const b = bench({ setCookie });
      b.origin.fields = { 'set-cookie': cookies };
      const { object, outcome } = await b.worker().object(FILM);
      const found = object.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value);
      assert.deepEqual(
        found,
        setCookie === 'drop' ? [] : ['a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/', 'b=2'],
      );
      assert.equal(outcome, setCookie === 'drop' ? 'miss' : 'bypass');
    }
  });

  it('an answer to Authorization is shared only when it says so', async () => {
    const b = bench();
    const worker = b.worker();
    const fields = { authorization: 'Bearer one' };
    assert.equal((await worker.watch(FILM, { fields })).firstOutcome, 'bypass');
    assert.equal(b.origin.requests.at(-1)?.fields.authorization, 'Bearer one');
    assert.equal((await worker.watch(FILM, { end: BLOCK_SIZE })).firstOutcome, 'miss');
    b.origin.put('/shared.mp4', { size: SIZE, fields: { 'cache-control': 'public, max-age=60' } });
    assert.equal((await worker.watch('/shared.mp4', { fields, end: BLOCK_SIZE })).firstOutcome, 'miss');
    const other = { authorization: 'Bearer two' };
    assert.equal((await worker.watch('/shared.mp4', { fields: other, end: BLOCK_SIZE })).firstOutcome, 'memory');
    await worker.watch('/shared.mp4', { fields: other });
    assert.equal(b.origin.requests.at(-1)?.fields.authorization, 'Bearer two');
  });

  it('an error for one player’s credentials is not remembered for others', async () => {
    const b = bench();
    const worker = b.worker();
    b.origin.next = { fail: { code: 'forbidden', status: 401, fields: { 'www-authenticate': 'Basic realm="x"' } } };
    const error = await refused(worker.watch(FILM, { fields: { authorization: 'Basic bad' } }), 'unauthorized');
    assert.deepEqual(error.options.headers, { 'WWW-Authenticate': 'Basic realm="x"' });
    assert.equal(error.status, 401);
    await worker.watch(FILM);
  });
});

describe('Vary', () => {
  it('keeps variants apart, each with its own request fields', async () => {
    const b = bench();
    b.origin.fields = { vary: 'Origin, Accept-Encoding' };
    const workers = [b.worker(), b.worker()];
    const ids = new Set<string>();
    for (const origin of ['', 'https://a.example', 'https://b.example', 'https://a.example', '']) {
      for (const worker of workers) {
        const opened = await worker.watch(FILM, { fields: { origin, 'accept-encoding': 'gzip' } });
        ids.add(opened.object.id.join());
      }
    }
    assert.equal(ids.size, 3);
    assert.equal(new Set(b.origin.requests.map(request => request.fields.origin)).size, 3);
    const heads = b.origin.requests.filter(request => request.condition === undefined);
    assert.equal(heads.length, 3);
  });

  it('asks again with the fields that an answer turns out to depend on', async () => {
    const b = bench();
    b.origin.fields = { vary: 'X-Device' };
    await b.worker().watch(FILM, { fields: { 'x-device': 'tv' }, end: BLOCK_SIZE });
    assert.deepEqual(
      b.origin.requests.map(request => request.fields),
      [{}, { 'x-device': 'tv' }],
    );
  });

  it('goes back to one variant when the origin does', async () => {
    const b = bench();
    b.origin.fields = { vary: 'X-Device', 'cache-control': 'max-age=1' };
    const worker = b.worker();
    await worker.watch(FILM, { fields: { 'x-device': 'tv' } });
    b.pass(2);
    b.origin.fields = { 'cache-control': 'max-age=100' };
    b.origin.put(FILM, { size: SIZE, version: 'v2' });
    await worker.watch(FILM, { fields: { 'x-device': 'tv' }, version: 'v2' });
    const before = b.origin.requests.length;
    await worker.watch(FILM, { fields: { 'x-device': 'phone' }, version: 'v2' });
    assert.equal(b.origin.requests.length, before);
  });
});

describe('versions', () => {
  it('a change found by revalidation ends the old answers early and gives new requests the new version', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'max-age=60' };
    const workers = [b.worker(), b.worker()] as const;
    const old = await workers[1].object(FILM, { end: BLOCK_SIZE });
    const reader = old.reader();
    await workers[1].watch(FILM, { end: BLOCK_SIZE });
    b.pass(61);
    b.origin.put(FILM, { size: SIZE + 5, version: 'v2' });
    const fresh = await workers[0].watch(FILM, { version: 'v2' });
    assert.equal(fresh.object.size, SIZE + 5);
    assert.equal((await workers[1].watch(FILM, { version: 'v2' })).object.etag, '"v2"');
    assert.ok(reader.read(0, BLOCK_SIZE));
    reader.release();
    const before = b.origin.requests.length;
    const failure = new Promise(resolve => reader.want(BLOCK_SIZE, SIZE, { readable: assert.fail, failed: resolve }));
    assert.equal(((await failure) as EdgeError).code, 'object_changed');
    assert.equal(b.origin.requests.length, before);
  });

  it('a change in the middle of a film never mixes the two, whichever block it comes at', async () => {
    for (let block = 1; block < 6; block++) {
      const b = bench();
      const workers = [b.worker(), b.worker()] as const;
      await workers[0].watch(FILM, { end: block * BLOCK_SIZE });
      b.origin.put(FILM, { size: SIZE, version: 'v2' });
      await refused(workers[0].watch(FILM, { start: 5 }), 'object_changed');
      await turns();
      for (const worker of workers) await worker.watch(FILM, { version: 'v2' });
    }
  });

  it('a size that differs under the same validator is another version', async () => {
    const b = bench();
    const worker = b.worker();
    await worker.watch(FILM, { end: BLOCK_SIZE });
    b.origin.put(FILM, { size: SIZE - BLOCK_SIZE });
    await refused(worker.watch(FILM, { start: BLOCK_SIZE }), 'object_changed');
    await turns();
    assert.equal((await worker.watch(FILM)).object.size, SIZE - BLOCK_SIZE);
  });

  it('an origin with another validator at each request is found out once, and then fetched in one', async () => {
    const b = bench();
    const worker = b.worker();
    for (let i = 0; i < 4; i++) {
      b.origin.put(FILM, { size: SIZE, version: 'v1', etag: `"${i}"` });
      await worker.watch(FILM, { end: BLOCK_SIZE });
      b.origin.put(FILM, { size: SIZE, version: 'v1', etag: `"${i}-later"` });
      if (i === 0) await refused(worker.watch(FILM, { start: BLOCK_SIZE }), 'object_changed');
      else await worker.watch(FILM, { start: BLOCK_SIZE });
      await turns();
    }
    for (let i = 0; i < 2; i++) {
      void b.purger.all(false);
      b.pass(61);
      await worker.watch(FILM);
      await turns();
    }
    const last = b.origin.requests.at(-1)!;
    assert.equal(last.condition?.kind, 'same', 'validators that stay are trusted again');
  });

  it('a weak validator gives players a strong tag of our own', async () => {
    const b = bench();
    b.origin.put(FILM, { size: SIZE, etag: 'W/"x"' });
    const { etag } = (await b.worker().object(FILM)).object;
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    assert.equal((await b.worker().object(FILM)).object.etag, etag);
  });
});

describe('errors', () => {
  it('404 is remembered for its time, in all workers', async () => {
    const b = bench();
    const workers = [b.worker(), b.worker()];
    await Promise.all(Array.from({ length: 20 }, (_, i) => refused(workers[i % 2]!.watch('/none'), 'not_found')));
    assert.equal(b.origin.requests.length, 1);
    b.pass(9);
    await refused(workers[1]!.watch('/none'), 'not_found');
    assert.equal(b.origin.requests.length, 1);
    b.origin.put('/none', { size: 10 });
    b.pass(2);
    await workers[1]!.watch('/none');
  });

  it('what a 404 says of its own lifetime counts', async () => {
    const b = bench();
    const worker = b.worker();
    const fail = (value: string) => ({ code: 'not_found', status: 404, fields: { 'cache-control': value } }) as const;
    b.origin.every = { fail: fail('max-age=100') };
    await refused(worker.watch('/a'), 'not_found');
    b.pass(99);
    await refused(worker.watch('/a'), 'not_found');
    assert.equal(b.origin.requests.length, 1);
    b.origin.every = { fail: fail('no-store') };
    for (let i = 0; i < 2; i++) await refused(worker.watch('/b'), 'not_found');
    assert.equal(b.origin.requests.length, 3);
  });

  it('a 5xx is remembered for a short time, a full queue is not', async () => {
    const b = bench();
    const worker = b.worker();
    b.origin.every = { fail: { code: 'origin_unavailable', status: 500 } };
    for (let i = 0; i < 3; i++) await refused(worker.watch(FILM), 'origin_unavailable');
    assert.equal(b.origin.requests.length, 1);
    b.origin.every = { fail: { code: 'overloaded' } };
    b.pass(1.1);
    for (let i = 0; i < 3; i++) await refused(worker.watch(FILM), 'overloaded');
    assert.equal(b.origin.requests.length, 4);
    b.origin.every = undefined;
    await worker.watch(FILM);
  });

  it('404 and 410 take the place of a stored object, 503 does not', async () => {
    const b = bench();
    b.origin.fields = { 'cache-control': 'max-age=60, must-revalidate' };
    const worker = b.worker();
    await worker.watch(FILM);
    b.pass(61);
    b.origin.next = { fail: { code: 'origin_unavailable', status: 503 } };
    await refused(worker.watch(FILM), 'origin_unavailable');
    b.pass(2);
    assert.equal((await worker.watch(FILM)).firstOutcome, 'revalidated');
    b.pass(61);
    b.origin.next = { fail: { code: 'gone', status: 410 } };
    await refused(worker.watch(FILM), 'gone');
    await refused(worker.watch(FILM), 'gone');
    b.pass(11);
    assert.equal((await worker.watch(FILM)).firstOutcome, 'miss');
  });

  it('an unknown host has no origin', () => {
    const b = bench({ route: () => undefined });
    const request = {
      host: 'x',
      path: '/',
      query: '',
      hint: { start: 0, end: 1 },
      asker: EDGE_ITSELF,
      field: () => '',
    };
    assert.throws(() => b.worker().catalog.open(request), { code: 'not_found' });
  });
});

describe('purge', () => {
  const key = `main${FILM}`;
  const refetched = async (b: CatalogBench, worker: Worker, path = FILM) => {
    const before = b.origin.requests.length;
    await worker.watch(path);
    return b.origin.requests.length > before;
  };

  for (const [name, purge] of [
    ['by URL', (b: CatalogBench) => b.purger.urls([key], false)],
    ['by prefix', (b: CatalogBench) => b.purger.prefixes(['main/fil'], false)],
    ['of everything', (b: CatalogBench) => b.purger.all(false)],
  ] as const) {
    it(`${name} has effect in all workers at once, though the validator is the same`, async () => {
      const b = bench();
      const workers = [b.worker(), b.worker()];
      const ids = [];
      for (const worker of workers) ids.push((await worker.watch(FILM)).object.id.join());
      purge(b);
      assert.ok(await refetched(b, workers[1]!));
      assert.equal(b.origin.requests.at(-1)?.condition?.kind !== 'changed', true);
      for (const worker of workers) {
        const again = (await worker.watch(FILM)).object.id.join();
        assert.notEqual(again, ids[0]);
      }
      assert.ok(!(await refetched(b, workers[0]!)));
      // A restarted edge has not forgotten.
      assert.ok(!(await refetched(b, b.worker())));
    });

    it(`${name} concerns answers that were under way`, async () => {
      const b = bench();
      const worker = b.worker();
      b.origin.hold();
      const early = worker.watch(FILM);
      await turns(3);
      purge(b);
      const late = worker.object(FILM);
      await turns(3);
      b.origin.go();
      const [first, second] = await Promise.all([early, late]);
      assert.notDeepEqual(first.object.id, second.object.id);
      assert.deepEqual((await worker.object(FILM)).object.id, second.object.id);
      second.release();
    });
  }

  it('leaves others alone', async () => {
    const b = bench();
    b.origin.put('/other.mp4', { size: SIZE });
    const worker = b.worker();
    await worker.watch(FILM);
    await worker.watch('/other.mp4');
    b.purger.urls([key], false);
    void b.purger.prefixes(['main/film'], false);
    assert.ok(!(await refetched(b, worker, '/other.mp4')));
    assert.ok(await refetched(b, worker));
  });

  it('takes all variants of a URL', async () => {
    const b = bench();
    b.origin.fields = { vary: 'Origin' };
    const worker = b.worker();
    const ids = async () => {
      const found = [];
      for (const origin of ['', 'a', 'b'])
        found.push((await worker.watch(FILM, { fields: { origin } })).object.id.join());
      return found;
    };
    const before = await ids();
    b.purger.urls([key], false);
    assert.equal(new Set([...before, ...(await ids())]).size, 6);
  });

  it('soft: marks stale, so that the next request revalidates and the blocks stay', async () => {
    for (const purge of [(b: CatalogBench) => b.purger.urls([key], true), (b: CatalogBench) => b.purger.all(true)]) {
      const b = bench();
      const workers = [b.worker(), b.worker()];
      for (const worker of workers) await worker.watch(FILM);
      purge(b);
      const opened = await workers[0]!.watch(FILM);
      assert.equal(opened.firstOutcome, 'revalidated');
      assert.equal((await workers[0]!.watch(FILM)).firstOutcome, 'memory');
      assert.equal((await workers[1]!.watch(FILM)).firstOutcome, 'memory');
      assert.deepEqual(b.origin.timesSent(FILM), new Array(7).fill(1));
      purge(b);
      b.origin.every = { fail: { code: 'origin_unavailable' } };
      assert.equal((await workers[1]!.watch(FILM)).firstOutcome, 'stale');
    }
  });

  it('takes remembered errors, too', async () => {
    const b = bench();
    const worker = b.worker();
    await refused(worker.watch('/none'), 'not_found');
    b.origin.put('/none', { size: 10 });
    b.purger.urls(['main/none'], false);
    await worker.watch('/none');
  });
});
