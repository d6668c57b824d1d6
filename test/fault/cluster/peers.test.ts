import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { PEER_TIMEOUTS } from '../../../src/cluster/peer/peer-client.js';
import { HEALTH_TIMES } from '../../../src/cluster/peer/peer-health.js';
import { PeerSignature } from '../../../src/cluster/peer/signature.js';
import { TestCluster, type TestEdge, type TestEdgeOptions } from '../../support/cluster-edge.js';
import { contentAt, firstWrong } from '../../support/content.js';
import { FalsePeer } from '../../support/false-peer.js';
import { FaultOrigin, faults } from '../../support/fault-origin.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { assertSoon } from '../../support/stopwatch.js';
import { until } from '../../support/until.js';

const origin = await FaultOrigin.start();
after(() => origin.close());

const SIZE = 3_000_000;
/** The tag that the storage gives. */
const ETAG = `"v1-${SIZE}"`;
let films = 0;

function film(options: Parameters<FaultOrigin['put']>[1] = { size: SIZE }): string {
  const path = `/fault-${films++}.mp4`;
  origin.put(path, options);
  return path;
}

/** A cluster in which another thing than the owner of `path` answers at the owner's place. */
async function withFalseOwner(path: string, peer: FalsePeer, options: TestEdgeOptions = {}) {
  const lines: string[] = [];
  const line = (fields: object, text: string) => lines.push(`${text} ${JSON.stringify(fields)}`);
  const log = { debug() {}, info: line, warn: line, error: line };
  const cluster = await TestCluster.start(3, origin.url, { log, ...options });
  await peer.listen();
  after(() => peer.close());
  const [owner, replica, last] = cluster.serving(path) as [TestEdge, TestEdge, TestEdge];
  cluster.tellNode(owner, { port: peer.port });
  return { cluster, owner, replica, last, lines };
}

function right({ status, body }: { status: number; body: Buffer }, path: string, version = 'v1'): void {
  assert.equal(status, 200);
  assert.equal(body.length, SIZE);
  assert.equal(firstWrong(body, path, version, 0), -1);
}

test('the owner is killed before and within an answer: the player gets every byte', async () => {
  const cluster = await TestCluster.start(3, origin.url);
  const path = film();
  const [owner, , last] = cluster.serving(path) as [TestEdge, TestEdge, TestEdge];
  origin.fault(faults.drip(16 * 1024, 5), { path, times: 1 });
  const connection = await RawConnection.open(last.port);
  const answer = connection.request('GET', path).answer();
  await until('the film flows', () => owner.loader.stats.filledBytes > 300_000);
  owner.kill();
  right(await answer, path);
  // So far it went from socket to socket.
  assert.ok(last.routing.stats.carriedBytes > 0);
  const started = performance.now();
  right(await last.get(path), path);
  assertSoon(performance.now() - started, 3000, 'a film for which nobody waits for it any more');
  assert.equal(last.cluster.peers.isWell(owner.id), false);
});

for (const [name, options, query] of [
  ['a weak tag', { size: SIZE, etag: 'W/"weak"' }, ''],
  ['a date only', { size: SIZE, etag: null }, ''],
  ['a seek', { bytes: readFileSync(new URL('../../../src/samples/long-gop.mp4', import.meta.url)) }, '?start=3'],
] as const) {
  test(`the owner breaks off within an answer of ${name}: the rest comes from a replica, of the same version`, async () => {
    const path = film(options);
    const reference = await TestCluster.start(1, origin.url);
    const expected = await reference.edges[0]!.get(path + query);
    let asked = 0;
    const peer = new FalsePeer((request, response, voucher) => {
      // Replicas ask it, too, for what they don't have.
      if (String(request.headers['moovedge-peer']).split(' ')[3] !== 'hop') return void response.destroy();
      asked++;
      response.writeHead(200, {
        'Content-Length': expected.body.length,
        ETag: expected.fields.etag!,
        ...(expected.fields['last-modified'] && { 'Last-Modified': expected.fields['last-modified'] }),
        'Moovedge-Peer': voucher(200),
      });
      response.write(expected.body.subarray(0, expected.body.length >> 1), () => response.destroy());
    });
    const { last } = await withFalseOwner(path, peer);
    const answer = await last.get(path + query);
    assert.equal(answer.status, 200);
    assert.equal(answer.fields.etag, expected.fields.etag);
    assert.deepEqual(answer.body, expected.body);
    assert.equal(asked, 1);
  });
}

test('the owner breaks off within several ranges, or a body of unknown length: the player sees it cut', async () => {
  for (const isMultipart of [true, false]) {
    const path = film();
    const fields: Record<string, string> = isMultipart ? { Range: 'bytes=0-99999,1000000-1999999' } : {};
    const type = 'multipart/byteranges; boundary=b';
    const peer = new FalsePeer((_request, response, voucher) => {
      const head = isMultipart ? { 'Content-Length': 1_100_200, 'Content-Type': type } : {};
      const status = isMultipart ? 206 : 200;
      response.writeHead(status, { ...head, ETag: ETAG, 'Moovedge-Peer': voucher(status) });
      response.write(contentAt(path, 'v1', 0, 500_000), () => response.destroy());
    });
    const { last } = await withFalseOwner(path, peer);
    await assert.rejects(last.get(path, fields), /ended within an answer/);
    assert.equal(peer.requests.length, 1);
    await until('all answers to end', () => last.openResponses === 0);
  }
});

test('a fill goes on with the storage at the byte where the owner stops', async () => {
  const path = film();
  const peer = new FalsePeer((request, response, voucher) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.map(Number) as [number, number, number];
    const end = Math.min(to + 1, SIZE);
    response.writeHead(206, { ...head(from, end), 'Moovedge-Peer': voucher(206) });
    response.write(contentAt(path, 'v1', from, from + 100_000), () => response.destroy());
  });
  const { cluster, owner, replica } = await withFalseOwner(path, peer);
  const value = signed(cluster.edges.find(edge => edge !== owner && edge !== replica)!, replica, path);
  right(await fetchRaw(replica.peerPort, 'GET', path, { 'Moovedge-Peer': value }), path);
  assert.ok(origin.bytesSent(path) < SIZE);
});

test('of a film that changes, a fill from the owner and the storage never makes one of two', async () => {
  const path = film();
  const peer = new FalsePeer((_request, response, voucher) => {
    response.writeHead(206, { ...head(0, SIZE), 'Moovedge-Peer': voucher(206) });
    response.write(contentAt(path, 'v1', 0, 400_000), () => response.destroy());
  });
  // Once it has broken off, the owner is left out: it would not know the later version.
  const times = { look: 60_000, rest: 60_000, maxRest: 60_000 };
  const { cluster, owner, replica } = await withFalseOwner(path, peer, { times });
  origin.put(path, { size: SIZE, version: 'v2' });
  const other = cluster.edges.find(edge => edge !== owner && edge !== replica)!;
  const ask = () => fetchRaw(replica.peerPort, 'GET', path, { 'Moovedge-Peer': signed(other, replica, path) });
  assert.equal(await ask().catch(() => 'cut'), 'cut');
  right(await ask(), path, 'v2');
});

test('all peers are killed within an answer: this edge goes on by itself at the byte', async () => {
  const cluster = await TestCluster.start(3, origin.url);
  const path = film();
  const [owner, replica, last] = cluster.serving(path) as [TestEdge, TestEdge, TestEdge];
  origin.fault(faults.drip(16 * 1024, 5), { path, times: 1 });
  const connection = await RawConnection.open(last.port);
  const answer = connection.request('GET', path).answer();
  await until('the film flows', () => owner.loader.stats.filledBytes > 300_000);
  owner.kill();
  replica.kill();
  right(await answer, path);
  right(await last.get(path), path);
});

test('a peer that is stopped is given up within three seconds, and left out for everybody else', async () => {
  const path = film();
  const peer = new FalsePeer(() => {});
  peer.isDeaf = true;
  const { last, owner } = await withFalseOwner(path, peer, { timeouts: PEER_TIMEOUTS, times: HEALTH_TIMES });
  const started = performance.now();
  right(await last.get(path), path);
  assertSoon(performance.now() - started, 3000, 'the first answer');
  assert.equal(last.cluster.peers.isWell(owner.id), false);
  // Nobody waits for it any more: it is not asked.
  right(await last.get(path), path);
  assert.ok(peer.requests.length <= 1, String(peer.requests.length));
});

test('a peer that falls silent within a body is given up, and the answer goes on elsewhere', async () => {
  const path = film();
  const peer = new FalsePeer((_request, response, voucher) => {
    response.writeHead(200, { 'Content-Length': SIZE, ETag: ETAG, 'Moovedge-Peer': voucher(200) });
    response.write(contentAt(path, 'v1', 0, 700_000));
    peer.isDeaf = true;
  });
  const { last } = await withFalseOwner(path, peer);
  right(await last.get(path), path);
});

test('a peer that is busy is waited for: its storage is slow', async () => {
  const timeouts = { connect: 5000, firstByte: 300, stall: 5000, probe: 5000 };
  const cluster = await TestCluster.start(3, origin.url, { timeouts });
  const path = film();
  const [owner, replica, last] = cluster.serving(path) as [TestEdge, TestEdge, TestEdge];
  origin.fault(faults.stall('head', 1500), { path, times: 1 });
  right(await last.get(path), path);
  assert.equal(last.cluster.peers.isWell(owner.id), true);
  assert.equal(replica.loader.stats.filledBytes, 0);
  assert.ok(origin.timesSent(path).every(times => times === 1));
});

for (const [name, answer] of [
  [
    'shorter than its head',
    (path: string) => ({ 'Content-Length': SIZE, ETag: ETAG, body: contentAt(path, 'v1', 0, 1_000_000) }),
  ],
  [
    'of a range that nobody asked for',
    (path: string) => ({ ...head(1000, SIZE), body: contentAt(path, 'v1', 1000, SIZE) }),
  ],
  ['without a range', (path: string) => ({ ETag: ETAG, body: contentAt(path, 'v1', 0, 10) })],
] as const) {
  test(`a peer's answer ${name} does no harm`, async () => {
    const path = film();
    const peer = new FalsePeer((_request, response, voucher) => {
      const { body, ...fields } = answer(path) as { body: Buffer };
      const status = 'Content-Range' in fields || !('Content-Length' in fields) ? 206 : 200;
      response.writeHead(status, { ...fields, 'Moovedge-Peer': voucher(status) });
      response.write(body, () => response.destroy());
    });
    const { last } = await withFalseOwner(path, peer);
    right(await last.get(path), path);
  });
}

test('versions never mix: peers that have different ones end the answer, or answer one of them', async () => {
  const path = film();
  const peer = new FalsePeer((_request, response, voucher) => {
    // The version before: its first part, then nothing more.
    response.writeHead(200, { 'Content-Length': SIZE, ETag: '"v0"', 'Moovedge-Peer': voucher(200) });
    response.write(contentAt(path, 'v0', 0, 500_000), () => response.destroy());
  });
  const { last } = await withFalseOwner(path, peer);
  const got = await last.get(path).then(
    ({ body }) => body,
    () => undefined,
  );
  assert.equal(got, undefined, 'an answer that can not go on is cut');
});

for (const [name, make] of [
  ['another program', () => new FalsePeer((_request, response) => response.end('hello'))],
  [
    'an edge with another secret',
    () =>
      new FalsePeer(
        (_r, response, voucher) => response.writeHead(206, { 'Moovedge-Peer': voucher(206) }).end(),
        'other',
      ),
  ],
  [
    'an edge of another version',
    () =>
      new FalsePeer((_r, response) =>
        response.writeHead(403, { 'Moovedge-Peer': '2 0 0 0 x', 'Moovedge-Refused': 'version' }).end(),
      ),
  ],
] as const) {
  test(`${name} in a peer's place is left out, counted, and logged once`, async () => {
    const path = film();
    const peer = make();
    peer.isOther = true;
    const { last, owner, lines } = await withFalseOwner(path, peer);
    for (let i = 0; i < 5; i++) right(await last.get(path), path);
    const stats = [...last.cluster.peers.all].find(({ id }) => id === owner.id)!.stats.requests;
    assert.ok(stats.refused > 0);
    assert.equal(stats.answered, 0);
    const told = () => lines.filter(line => line.includes('can not be worked with')).length;
    await until('both others have seen it', () => told() >= 2);
    for (let i = 0; i < 5; i++) right(await last.get(path), path);
    assert.equal(told(), 2, 'once by each');
    assert.ok(peer.requests.length <= 2, String(peer.requests.length));
  });
}

for (const [why, change] of [
  ['unsigned', () => ''],
  ['unsigned', (value: string) => value.split(' ').slice(0, -1).join(' ')],
  ['version', (value: string) => value.replace(/^1 /, '2 ')],
  ['secret', (value: string) => `${value.slice(0, -2)}xx`],
  ['secret', (value: string) => value.replace(' hop ', ' fill ')],
  ['secret', (value: string) => value.replace(/ edge-\d/, ' edge-9')],
] as const) {
  test(`a request to the port for peers is refused, counted and logged once: ${why}, ${change('1 edge-1 hop 2 3')}`, async () => {
    const lines: string[] = [];
    const line = (_fields: object, text: string) => lines.push(text);
    const cluster = await TestCluster.start(2, origin.url, { log: { debug() {}, info() {}, warn: line, error: line } });
    const [from, to] = cluster.edges as [TestEdge, TestEdge];
    const path = film();
    for (let i = 0; i < 3; i++) {
      const value = change(signed(from, to, path));
      const { status, fields } = await fetchRaw(
        to.peerPort,
        'GET',
        path,
        value === '' ? {} : { 'Moovedge-Peer': value },
      );
      assert.equal(status, 403);
      assert.equal(fields['moovedge-refused'], why);
    }
    assert.equal(to.cluster.gate.refused[why], 3);
    assert.equal(lines.filter(text => text.includes('refused')).length, 1);
    assert.equal(origin.requestsFor(path).length, 0);
  });
}

test('a request is good for half a minute, one edge, one path, one range, and once', async () => {
  const cluster = await TestCluster.start(2, origin.url);
  const [from, to] = cluster.edges as [TestEdge, TestEdge];
  const path = film();
  const ask = (edge: TestEdge, value: string, target = path, fields = {}) =>
    fetchRaw(edge.peerPort, 'GET', target, { 'Moovedge-Peer': value, ...fields });
  const refusal = async (answer: ReturnType<typeof ask>) => (await answer).fields['moovedge-refused'];
  const value = signed(from, to, path);
  assert.equal((await ask(to, value)).status, 200);
  assert.equal(await refusal(ask(to, value)), 'replay');
  for (const offset of [-31_000, 31_000])
    assert.equal(await refusal(ask(to, signed(from, to, path, Date.now() + offset))), 'time');
  for (const offset of [-29_000, 29_000])
    assert.equal((await ask(to, signed(from, to, path, Date.now() + offset))).status, 200);
  assert.equal(await refusal(ask(from, signed(from, to, path))), 'addressee');
  assert.equal(await refusal(ask(to, signed(from, to, path), `${path}?start=1`)), 'secret');
  assert.equal(await refusal(ask(to, signed(from, to, path), path, { Range: 'bytes=0-1' })), 'secret');
});

test('edges that each take the other for the owner answer at once: no request goes on', async () => {
  const cluster = await TestCluster.start(2, origin.url);
  const path = film();
  const [first, second] = cluster.edges as [TestEdge, TestEdge];
  const { map } = cluster.state;
  const all = (owner: number) => map.map(() => [owner, 1 - owner]);
  const epoch = cluster.state.epoch + 1;
  first.cluster.update({ ...cluster.state, epoch, self: first.id, map: all(1), previousOwners: map.map(() => 0) });
  second.cluster.update({ ...cluster.state, epoch, self: second.id, map: all(0), previousOwners: map.map(() => 1) });
  const started = performance.now();
  for (const answer of await Promise.all([first.get(path), second.get(path), first.get(path), second.get(path)]))
    right(answer, path);
  assertSoon(performance.now() - started, 3000, 'four answers');
  assert.equal(first.routing.stats.hops, 2);
  assert.equal(second.routing.stats.hops, 2);
});

test('control: where requests of peers were passed on, the one before would hang or hop on', async () => {
  const cluster = await TestCluster.start(2, origin.url, { passesOn: true });
  const path = film();
  const [first, second] = cluster.edges as [TestEdge, TestEdge];
  const { map } = cluster.state;
  const all = (owner: number) => map.map(() => [owner, 1 - owner]);
  const epoch = cluster.state.epoch + 1;
  first.cluster.update({ ...cluster.state, epoch, self: first.id, map: all(1) });
  second.cluster.update({ ...cluster.state, epoch, self: second.id, map: all(0) });
  const got = first.get(path).catch(() => undefined);
  await until('hops', () => first.routing.stats.hops + second.routing.stats.hops > 4);
  first.kill();
  second.kill();
  await got;
});

test('control: where owners fetch for one another without end, edges of two maps wait for one another', async () => {
  const cluster = await TestCluster.start(2, origin.url, { fillsAnything: true });
  const path = film();
  const [first, second] = cluster.edges as [TestEdge, TestEdge];
  const all = (owner: number) => cluster.state.map.map(() => [owner, 1 - owner]);
  const epoch = cluster.state.epoch + 1;
  // Each takes the other for the owner, and fills what it is asked for as a peer from there.
  first.cluster.update({ ...cluster.state, epoch, self: first.id, map: all(1) });
  second.cluster.update({ ...cluster.state, epoch, self: second.id, map: all(0) });
  const ended = fetchRaw(first.peerPort, 'GET', path, { 'Moovedge-Peer': signed(second, first, path) }).then(
    () => 'ended',
    () => 'ended',
  );
  const waited = new Promise(resolve => setTimeout(() => resolve('waits'), 1500));
  assert.equal(await Promise.race([ended, waited]), 'waits');
  assert.equal(origin.requestsFor(path).length, 0, 'nobody asks the storage');
  first.kill();
  second.kill();
});

test('a peer that comes back is asked again; one that does not is looked at ever less often', async () => {
  const path = film();
  const peer = new FalsePeer((_request, response) => response.destroy());
  peer.isDeaf = true;
  const { last, owner, cluster } = await withFalseOwner(path, peer);
  right(await last.get(path), path);
  await until('it is left out', () => !last.cluster.peers.isWell(owner.id));
  right(await last.get(path), path);
  cluster.tellNode(owner, { port: owner.peerPort });
  await until('it is back', () => last.cluster.peers.isWell(owner.id));
  right(await last.get(path), path);
});

/** Head of a part of a film that is the storage's own version. */
function head(from: number, to: number): Record<string, string | number> {
  return {
    'Content-Range': `bytes ${from}-${to - 1}/${SIZE}`,
    'Content-Length': to - from,
    ETag: ETAG,
  };
}

function signed(from: TestEdge, to: TestEdge, path: string, time = Date.now()): string {
  const claim = { from: from.id, to: to.id, mark: 'hop', epoch: 1, time, host: 'edge.example' } as const;
  return new PeerSignature('a secret of the cluster').request(claim, { method: 'GET', target: path, field: () => '' })
    .value;
}
