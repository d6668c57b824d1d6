import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { silentLog } from '../../../../src/base/log.js';
import { Gateway } from '../../../../src/cluster/etcd/gateway.js';
import { Mirror } from '../../../../src/cluster/etcd/mirror.js';
import { Etcd } from '../../../support/etcd.js';
import { Wire } from '../../../support/etcd-proxy.js';
import { until } from '../../../support/until.js';

/** Milliseconds: longer than any test, so that only the watch can tell. */
const NEVER = 600_000;

let etcd: Etcd;
let open: { stop(): void; close(): void | Promise<void> }[] = [];
before(async () => {
  etcd = await Etcd.start({ members: 3 });
});
after(() => etcd.end());
afterEach(async () => {
  for (const each of open) {
    each.stop();
    await each.close();
  }
  open = [];
});

/** A mirror of `prefix` that has read everything. */
async function mirrorOf(prefix: string, endpoints: readonly string[], readInterval = NEVER): Promise<Mirror> {
  const gateway = new Gateway({ endpoints });
  let changes = 0;
  const mirror = new Mirror({ gateway, prefix, log: silentLog, readInterval, changed: () => changes++ });
  open.push({ stop: () => mirror.stop(), close: () => gateway.close() });
  mirror.start();
  await until('the first reading', () => mirror.hasRead && changes > 0);
  return mirror;
}

async function wireTo(url: string): Promise<Wire> {
  const wire = await Wire.to(url);
  open.push({ stop() {}, close: () => wire.close() });
  return wire;
}

function shows(mirror: Mirror, key: string, value: string | undefined, seconds?: number): Promise<unknown> {
  return until(`${key} to be ${value}`, () => mirror.get(key)?.value === value, seconds);
}

describe('a mirror', () => {
  it('follows what is written and removed, by its watch alone', async () => {
    await etcd.put('/f/old', '1');
    const mirror = await mirrorOf('/f/', etcd.urls);
    assert.equal(mirror.get('/f/old')?.value, '1');
    const revision = await etcd.put('/f/new', '2');
    await shows(mirror, '/f/new', '2');
    assert.equal(mirror.get('/f/new')?.modified, revision);
    await etcd.put('/g', 'of others');
    await etcd.put('/f/new', '3');
    await shows(mirror, '/f/new', '3');
    assert.equal(mirror.get('/f/new')?.created, revision);
    await etcd.remove('/f/old');
    await shows(mirror, '/f/old', undefined);
    assert.deepEqual(
      mirror.under('/').map(({ key }) => key),
      ['/f/new'],
    );
    assert.equal(mirror.stats.readings, 1);
  });

  it('finds that its watch is deaf, and watches elsewhere', async () => {
    const wire = await wireTo(etcd.urls[0]!);
    const mirror = await mirrorOf('/d/', [wire.url, etcd.urls[1]!], 300);
    await etcd.put('/d/a', '1');
    await shows(mirror, '/d/a', '1');
    wire.cut = 'answers';
    await etcd.put('/d/a', '2', etcd.urls[1]);
    await shows(mirror, '/d/a', '2');
    // The watch is elsewhere by now, and hears at once.
    await until('a second watch', () => mirror.stats.watches > 1);
    await etcd.put('/d/a', '3', etcd.urls[1]);
    await shows(mirror, '/d/a', '3');
    assert.ok(mirror.stats.deafWatches >= 1);
  });

  it('outlives a compaction while it was cut off', async () => {
    const wire = await wireTo(etcd.urls[0]!);
    const mirror = await mirrorOf('/c/', [wire.url]);
    await etcd.put('/c/gone', '1');
    await shows(mirror, '/c/gone', '1');
    wire.cut = 'all';
    await etcd.put('/c/a', '1');
    await etcd.remove('/c/gone');
    await etcd.compact(await etcd.put('/c/a', '2'));
    wire.cut = 'nothing';
    wire.reset();
    await shows(mirror, '/c/a', '2');
    assert.equal(mirror.get('/c/gone'), undefined);
    await etcd.put('/c/a', '3');
    await shows(mirror, '/c/a', '3');
  });

  it('is not bothered by a compaction that its watch is past', async () => {
    const mirror = await mirrorOf('/e/', etcd.urls);
    const { watches } = mirror.stats;
    await etcd.put('/e/a', '1');
    await shows(mirror, '/e/a', '1');
    await etcd.compact(await etcd.put('/e/a', '2'));
    await shows(mirror, '/e/a', '2');
    await etcd.put('/e/a', '3');
    await shows(mirror, '/e/a', '3');
    assert.equal(mirror.stats.watches, watches, 'a watch that is not behind is not bothered');
  });

  it('is told by a member that has lost its majority, where others would wait in silence', async () => {
    const [alone, ...others] = etcd.members;
    const quiet: string[] = [];
    // What a watch without the field hears: nothing.
    const leave = new AbortController();
    const body = JSON.stringify({ create_request: { key: btoa('/m/a') } });
    const naive = await fetch(`${alone!.url}/v3/watch`, { method: 'POST', body, signal: leave.signal });
    void (async () => {
      for await (const chunk of naive.body!) quiet.push(Buffer.from(chunk).toString());
    })().catch(() => {});
    const mirror = await mirrorOf('/m/', [alone!.url]);
    await etcd.put('/m/a', '1');
    await shows(mirror, '/m/a', '1');
    await until('the naive watch to hear', () => quiet.some(text => text.includes('events')));
    for (const member of others) await member.stop();
    try {
      await until('the mirror to know', () => mirror.isFailing);
      assert.equal(mirror.get('/m/a')?.value, '1', 'what was known stays');
      assert.ok(!quiet.some(text => text.includes('error')), 'the naive watch hears nothing');
    } finally {
      for (const member of others) member.signal('SIGCONT');
      leave.abort();
    }
    await until('etcd to answer again', () => !mirror.isFailing);
    await etcd.put('/m/a', '2', others[0]!.url);
    await shows(mirror, '/m/a', '2');
  });

  it('keeps what it knows while all of etcd is gone, and follows again', async () => {
    const mirror = await mirrorOf('/g/', etcd.urls, 500);
    await etcd.put('/g/a', '1');
    await shows(mirror, '/g/a', '1');
    await Promise.all(etcd.members.map(member => member.kill()));
    await until('the mirror to know', () => mirror.isFailing);
    assert.equal(mirror.get('/g/a')?.value, '1');
    assert.ok(mirror.silence < Number.POSITIVE_INFINITY);
    for (const member of etcd.members) etcd.startMember(member);
    await etcd.ready();
    await until('etcd to answer again', () => !mirror.isFailing);
    await etcd.put('/g/a', '2');
    await shows(mirror, '/g/a', '2');
  });

  it('knows an etcd that was made anew', async () => {
    const wire = await wireTo(etcd.urls[0]!);
    for (let i = 0; i < 5; i++) await etcd.put('/n/a', `${i}`);
    const mirror = await mirrorOf('/n/', [wire.url], 200);
    const { store } = mirror;
    const other = await Etcd.start();
    try {
      await other.put('/n/b', 'new');
      wire.target = other.urls[0]!;
      wire.reset();
      await shows(mirror, '/n/b', 'new');
      assert.equal(mirror.get('/n/a'), undefined);
      assert.notEqual(mirror.store, store);
      await other.put('/n/b', 'newer');
      await shows(mirror, '/n/b', 'newer');
    } finally {
      mirror.stop();
      await other.end();
    }
  });
});
