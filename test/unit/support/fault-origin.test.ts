import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { ContentVerifier, contentAt, firstWrong } from '../../support/content.js';
import { FaultOrigin, faults } from '../../support/fault-origin.js';

let origin: FaultOrigin;
before(async () => {
  origin = await FaultOrigin.start();
});
after(() => origin.close());
beforeEach(() => {
  origin.heal();
  origin.forget();
  origin.put('/f', { size: 1_000_000 });
});

const get = (headers: Record<string, string> = {}, method = 'GET') => fetch(`${origin.url}/f`, { method, headers });

test('content is a pure function of path, version and offset', () => {
  const whole = contentAt('/f', 'v1', 0, 5000);
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), (a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      assert.deepEqual(contentAt('/f', 'v1', start, end), whole.subarray(start, end));
    }),
  );
  assert.notDeepEqual(contentAt('/f', 'v2', 0, 64), whole.subarray(0, 64));
  assert.notDeepEqual(contentAt('/g', 'v1', 0, 64), whole.subarray(0, 64));
  assert.notDeepEqual(contentAt('/f', 'v1', 2 ** 34, 2 ** 34 + 64), whole.subarray(0, 64));
  const spoilt = Buffer.from(whole);
  spoilt[1234]! ^= 1;
  assert.equal(firstWrong(spoilt.subarray(1000), '/f', 'v1', 1000), 234);
  assert.throws(() => new ContentVerifier('/f', 'v1').push(spoilt), /byte 1234 /);
});

test('answers whole and ranged requests, conditions and HEAD', async () => {
  const whole = await get();
  assert.equal(whole.status, 200);
  new ContentVerifier('/f', 'v1').push(new Uint8Array(await whole.arrayBuffer()));
  const part = await get({ range: 'bytes=1000-1999' });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), 'bytes 1000-1999/1000000');
  assert.equal(firstWrong(new Uint8Array(await part.arrayBuffer()), '/f', 'v1', 1000), -1);
  const etag = part.headers.get('etag')!;
  assert.equal((await get({ 'if-none-match': etag })).status, 304);
  assert.equal((await get({ 'if-match': '"other"' })).status, 412);
  const other = await get({ range: 'bytes=0-9', 'if-range': '"other"' });
  assert.equal(other.status, 200);
  await other.arrayBuffer();
  assert.equal((await get({ range: 'bytes=1000000-' })).status, 416);
  assert.equal((await get({}, 'HEAD')).headers.get('content-length'), '1000000');
  assert.equal((await fetch(`${origin.url}/none`)).status, 404);
});

test('counts requests, bytes and blocks', async () => {
  await (await get({ range: 'bytes=0-524287' })).arrayBuffer();
  await (await get({ range: 'bytes=262144-999999' })).arrayBuffer();
  await origin.settled();
  assert.equal(origin.bytesSent('/f'), 524288 + 737856);
  assert.deepEqual(origin.timesSent('/f'), [1, 2, 1, 1]);
  assert.deepEqual(
    origin.requests.map(r => r.range),
    [
      { start: 0, end: 524288 },
      { start: 262144, end: 1000000 },
    ],
  );
});

test('faults befall the chosen requests only, and do what they say', async () => {
  const laid = origin.fault(faults.status(503, { 'Retry-After': '7' }), { skip: 1, times: 1 });
  assert.deepEqual([(await get()).status, (await get()).status, (await get()).status], [200, 503, 200]);
  assert.equal(laid.hits, 1);
  origin.heal();
  for (const fault of [
    faults.reset(1000),
    faults.cut(1000),
    faults.short(1000),
    faults.reset('head'),
    faults.unterminated(),
  ]) {
    origin.heal();
    origin.fault(fault, { times: 1 });
    await assert.rejects(async () => (await get()).arrayBuffer());
  }
  origin.heal();
  origin.fault(faults.drip(200_000, 5));
  const drip = await get();
  new ContentVerifier('/f', 'v1').push(new Uint8Array(await drip.arrayBuffer()));
  origin.heal();
  origin.fault(faults.stall(1000));
  const stalled = await get();
  const reader = stalled.body!.getReader();
  assert.equal((await reader.read()).value!.length, 1000);
  origin.release();
  let rest = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) rest += next.value.length;
  assert.equal(rest, 999_000);
  await origin.refuse();
  await assert.rejects(get());
  await origin.accept();
  origin.heal();
  assert.equal((await get()).status, 200);
});
