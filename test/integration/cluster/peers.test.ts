import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, mock, test } from 'node:test';
import type { ContentRequest } from '../../../src/catalog/content.js';
import { ObjectCatalog } from '../../../src/catalog/object-catalog.js';
import { PeerSignature } from '../../../src/cluster/peer/signature.js';
import { isPackagedFile } from '../../../src/view/packaging/url/file-set.js';
import { parsePackagedPath } from '../../../src/view/packaging/url/packaged-path.js';
import { TestCluster, type TestEdge } from '../../support/cluster-edge.js';
import { contentAt, firstWrong } from '../../support/content.js';
import { FaultOrigin, faults } from '../../support/fault-origin.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const origin = await FaultOrigin.start();
after(() => origin.close());
const cluster = await TestCluster.start(3, origin.url);

const SIZE = 1_500_000;
let films = 0;

/** A film of its own, in the storage. */
function film(options: Parameters<FaultOrigin['put']>[1] = { size: SIZE }): string {
  const path = `/film-${films++}.mp4`;
  origin.put(path, options);
  return path;
}

/** Edges by their part in a film: owner, first and second replica. */
function parts(path: string) {
  const [owner, replica, last] = cluster.serving(path) as [TestEdge, TestEdge, TestEdge];
  return { owner, replica, last };
}

test('a film is fetched from the storage once, whichever edges it is asked of, and kept by its owner only', async () => {
  const path = film();
  const { owner } = parts(path);
  for (const edge of cluster.edges) {
    const { status, body, fields } = await edge.get(path);
    assert.equal(status, 200);
    assert.equal(firstWrong(body, path, 'v1', 0), -1);
    assert.equal(body.length, SIZE);
    const way = edge === owner ? /hit|miss/ : /detail=peer/;
    assert.match(fields['cache-status']!, way);
  }
  assert.ok(
    origin.timesSent(path).every(times => times === 1),
    String(origin.timesSent(path)),
  );
  for (const edge of cluster.edges) assert.equal(edge.loader.stats.filledBytes, edge === owner ? SIZE : 0);
});

test('an answer by way of another edge has the fields of its own, and nothing of what edges say to one another', async () => {
  const path = film({ size: SIZE, headers: { 'Cache-Control': 'max-age=100', 'Content-Disposition': 'inline' } });
  const { owner, last } = parts(path);
  const own = await owner.get(path, { Range: 'bytes=1000-1999' });
  const relayed = await last.get(path, { Range: 'bytes=1000-1999' });
  const { date: _, 'cache-status': __, age: ___, ...expected } = own.fields;
  const { date: ____, 'cache-status': way, age, ...found } = relayed.fields;
  assert.deepEqual(found, expected);
  assert.equal(way, 'moovedge; fwd=bypass; detail=peer');
  assert.ok(Number(age) >= 0);
  assert.deepEqual(relayed.body, own.body);
});

for (const [name, fields] of [
  ['no range', {}],
  ['a range', { Range: 'bytes=300000-800000' }],
  ['the end', { Range: 'bytes=-1000' }],
  ['an open range', { Range: 'bytes=1400000-' }],
  ['two ranges', { Range: 'bytes=0-99,1000000-1000099' }],
  ['a range behind the end', { Range: 'bytes=9000000-' }],
  ['a condition that is met', { 'If-None-Match': '*' }],
  ['a condition that fails', { 'If-Match': '"other"' }],
  ['a range of another version', { Range: 'bytes=0-99', 'If-Range': '"other"' }],
] as const) {
  test(`answers are the same by way of another edge: ${name}`, async () => {
    const path = film();
    const { owner, last } = parts(path);
    await owner.get(path);
    for (const method of ['GET', 'HEAD']) {
      const own = await owner.get(path, fields as never, method);
      const relayed = await last.get(path, fields as never, method);
      assert.equal(relayed.status, own.status);
      const strip = ({ date: _, 'cache-status': __, age: ___, ...rest }: Record<string, string>) => rest;
      const boundary = (text: string) => text.replaceAll(/boundary=\S+/g, '');
      const [a, b] = [strip(relayed.fields), strip(own.fields)];
      assert.equal(boundary(a['content-type'] ?? ''), boundary(b['content-type'] ?? ''));
      assert.equal(a['content-range'], b['content-range']);
      assert.equal(a['content-length'], b['content-length']);
      assert.equal(a.etag, b.etag);
      if (!own.fields['content-type']?.startsWith('multipart')) assert.deepEqual(relayed.body, own.body);
      else assert.equal(relayed.body.length, own.body.length);
    }
  });
}

const LONG = 8_000_000;

test('a long body goes from socket to socket, and its connection goes on with the next answer', async () => {
  const path = film({ size: LONG });
  const { owner, last } = parts(path);
  await owner.get(path);
  const before = { carried: last.routing.stats.carriedBytes, sent: last.sent };
  const connection = await RawConnection.open(last.port);
  connection.request('GET', path).request('GET', path, { Range: 'bytes=100000-4999999' }).request('GET', path);
  for (const [status, from, to] of [
    [200, 0, LONG],
    [206, 100_000, 5_000_000],
    [200, 0, LONG],
  ] as const) {
    const answer = await connection.answer();
    assert.equal(answer.status, status);
    assert.equal(answer.body.length, to - from);
    assert.equal(firstWrong(answer.body, path, 'v1', from), -1);
  }
  connection.socket.destroy();
  const total = 2 * LONG + 4_900_000;
  assert.equal(last.sent - before.sent, total);
  const carried = last.routing.stats.carriedBytes - before.carried;
  assert.ok(carried > total * 0.9, String(carried));
});

test('a player that rests within a long body gets it whole; one that leaves ends it everywhere', async () => {
  const path = film({ size: LONG });
  const { owner, last } = parts(path);
  await owner.get(path);
  const ask = () => resting(last, path);
  const waiting = await ask();
  const leaving = await ask();
  assert.ok(last.openResponses > 0);
  leaving.destroy();
  const bytes = await restOf(waiting);
  const body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
  assert.equal(body.length, LONG);
  assert.equal(firstWrong(body, path, 'v1', 0), -1);
  await until('all answers to end', () => last.openResponses + owner.openResponses === 0);
});

test('the same of a body of unknown length', async () => {
  const path = film({ size: LONG, headers: { 'Cache-Control': 'no-store' }, etag: null, lastModified: null });
  origin.fault(faults.ignoreRange(), { path });
  origin.fault(faults.chunked(), { path });
  const { owner, last } = parts(path);
  const waiting = await resting(last, path);
  const leaving = await resting(last, path);
  assert.ok(last.openResponses > 0);
  leaving.destroy();
  const bytes = await restOf(waiting);
  assert.equal(firstWrong(dechunked(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4), LONG), path, 'v1', 0), -1);
  await until('all answers to end', () => last.openResponses + owner.openResponses === 0);
});

/** A player that has seen that an answer begins, and reads nothing of it. */
async function resting(edge: TestEdge, path: string): Promise<Socket> {
  const socket = connect(edge.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

async function restOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The bytes of a chunked body, which ends as it should and is so long. */
function dechunked(bytes: Buffer, length: number): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (size === 0) {
      assert.equal(bytes.length, end + 4);
      const body = Buffer.concat(chunks);
      assert.equal(body.length, length);
      return body;
    }
    chunks.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + size + 4;
  }
}

test('by Node’s HTTP servers answers of other edges are the same, of any length and none', async () => {
  const other = await TestCluster.start(2, origin.url, { engine: 'node' });
  const path = film({ size: LONG });
  const [owner, last] = other.serving(path) as [TestEdge, TestEdge];
  const connection = await RawConnection.open(last.port);
  for (const [fields, from, to] of [
    [{}, 0, LONG],
    [{ Range: 'bytes=100000-4999999' }, 100_000, 5_000_000],
    [{ Range: 'bytes=5-9' }, 5, 10],
  ] as const) {
    const { body, fields: found } = await connection.request('GET', path, fields).answer();
    assert.match(found['cache-status']!, /detail=peer/);
    assert.equal(body.length, to - from);
    assert.equal(firstWrong(body, path, 'v1', from), -1);
  }
  const unsized = film({ size: LONG, headers: { 'Cache-Control': 'no-store' }, etag: null, lastModified: null });
  origin.fault(faults.ignoreRange(), { path: unsized });
  origin.fault(faults.chunked(), { path: unsized });
  const { body } = await other.edges.find(edge => edge !== other.serving(unsized)[0])!.get(unsized);
  assert.equal(body.length, LONG);
  assert.equal(firstWrong(body, unsized, 'v1', 0), -1);
  connection.socket.destroy();
  await until('all answers to end', () => last.openResponses + owner.openResponses === 0);
});

test('a seek is made by the owner, with what it says of it', async () => {
  const path = film({ bytes: readFileSync(new URL('../../../src/samples/bframes-faststart.mp4', import.meta.url)) });
  const { owner, last } = parts(path);
  const own = await owner.get(`${path}?start=2`);
  const relayed = await last.get(`${path}?start=2`);
  assert.equal(own.status, 200);
  assert.ok(Number(own.fields['x-seek-actual']) > 0);
  assert.equal(relayed.fields['x-seek-actual'], own.fields['x-seek-actual']);
  assert.equal(relayed.fields.etag, own.fields.etag);
  assert.deepEqual(relayed.body, own.body);
  assert.equal((await last.get(`${path}?start=99999`)).status, 416);
});

test('what the owner refuses is refused, with what the storage says', async () => {
  const path = film();
  origin.delete(path);
  const { owner, last } = parts(path);
  const [own, relayed] = [await owner.get(path), await last.get(path)];
  assert.equal(own.status, 404);
  assert.equal(relayed.status, 404);
  assert.deepEqual(relayed.body, own.body);
});

test('a body that must not be stored, and one of no bytes', async () => {
  const path = film({ size: SIZE, headers: { 'Cache-Control': 'no-store' } });
  const { status, body } = await parts(path).last.get(path);
  assert.equal(status, 200);
  assert.equal(firstWrong(body, path, 'v1', 0), -1);
  assert.equal(body.length, SIZE);
  const empty = film({ size: 0 });
  for (const edge of [parts(empty).owner, parts(empty).last]) {
    const { status, fields } = await edge.get(empty);
    assert.deepEqual([status, fields['content-length']], [200, '0']);
  }
});

for (const [name, headers] of [
  ['is kept', {}],
  ['must not be stored', { 'Cache-Control': 'no-store' }],
] as const) {
  test(`a body of unknown length that ${name} goes on as it comes, asked for once`, async () => {
    const unsized = () => {
      const path = film({ size: LONG, headers, etag: null, lastModified: null });
      origin.fault(faults.ignoreRange(), { path });
      origin.fault(faults.chunked(), { path });
      return path;
    };
    const path = unsized();
    const { owner, last } = parts(path);
    const before = { hops: last.routing.stats.hops, sent: last.sent };
    const connection = await RawConnection.open(last.port);
    const answer = await connection.request('GET', path).answer();
    assert.equal(answer.status, 200);
    assert.equal(answer.fields['content-length'], undefined);
    assert.match(answer.fields['cache-status']!, /detail=peer/);
    assert.equal(answer.body.length, LONG);
    assert.equal(firstWrong(answer.body, path, 'v1', 0), -1);
    assert.equal(last.sent - before.sent, LONG);
    assert.equal(last.routing.stats.hops - before.hops, 1);
    assert.equal(origin.requestsFor(path).length, 1);
    // The connection goes on, and who knows no chunks is told.
    const small = film({ size: 1000 });
    assert.equal((await connection.request('GET', small).answer()).status, 200);
    connection.send(`GET ${unsized()} HTTP/1.0\r\nHost: edge\r\n\r\n`);
    assert.match((await connection.rest()).toString('latin1'), /^HTTP\/1\.1 505 /);
    await until('all answers to end', () => last.openResponses + owner.openResponses === 0);
  });
}

test('a replica has its bytes from the owner, by the validators of the storage', async () => {
  for (const etag of ['"strong"', 'W/"weak"', null]) {
    const path = film({ size: SIZE, etag });
    const { owner, replica } = parts(path);
    await owner.get(path);
    const sent = origin.bytesSent(path);
    // What the map says, but that the viewer was sent to the replica: as a request of a peer is.
    const answer = await askAsPeer(owner, replica, 'hop', path);
    assert.equal(answer.status, 200);
    assert.equal(firstWrong(answer.body, path, 'v1', 0), -1);
    assert.equal(origin.bytesSent(path), sent, `the storage was not asked again (${etag})`);
    // The storage may take over at any byte: its version is the same.
    const again = await askAsPeer(owner, replica, 'hop', path);
    assert.equal(again.fields['cache-status'], 'moovedge; hit; detail=memory');
  }
});

test('a request from a peer is answered here, whatever the map says', async () => {
  const path = film();
  const { owner, last } = parts(path);
  // None of both owns it, and the one that is asked must not ask the owner to answer.
  const before = owner.routing.stats.hops + last.routing.stats.hops;
  const { status, body } = await askAsPeer(owner, last, 'hop', path);
  assert.equal(status, 200);
  assert.equal(firstWrong(body, path, 'v1', 0), -1);
  assert.equal(owner.routing.stats.hops + last.routing.stats.hops, before);
});

test('a fill is answered by the owner; others have what is cached and fetch nothing', async () => {
  const path = film();
  const { owner, replica, last } = parts(path);
  const refused = await askAsPeer(replica, last, 'fill', path, { Range: 'bytes=0-999' });
  assert.equal(refused.status, 504);
  assert.equal(origin.requestsFor(path).length, 0);
  const filled = await askAsPeer(replica, owner, 'fill', path, { Range: 'bytes=0-999' });
  assert.equal(filled.status, 206);
  assert.deepEqual(filled.body, contentAt(path, 'v1', 0, 1000));
  const cached = await askAsPeer(replica, owner, 'cached', path, { Range: 'bytes=0-1499999' });
  assert.equal(cached.status, 206);
  assert.equal(cached.fields['content-range'], `bytes 0-262143/${SIZE}`);
});

test('a joiner has what the owner before it has cached, and the rest from the storage', async () => {
  const path = film();
  const { owner, replica } = parts(path);
  await owner.get(path, { Range: 'bytes=0-600000' });
  const before = cluster.state;
  const nodeOf = (edge: TestEdge) => cluster.edges.indexOf(edge);
  const partition = cluster.partition(path);
  const change = <T>(list: readonly T[], value: T) => list.map((each, at) => (at === partition ? value : each));
  cluster.tell({
    map: change(before.map, [nodeOf(replica), nodeOf(owner)]),
    previousOwners: change(before.previousOwners, nodeOf(owner)),
  });
  const { body } = await replica.get(path);
  assert.equal(firstWrong(body, path, 'v1', 0), -1);
  assert.equal(body.length, SIZE);
  assert.ok(
    origin.timesSent(path).every(times => times <= 1),
    String(origin.timesSent(path)),
  );
  cluster.tell({ map: before.map, previousOwners: before.previousOwners });
});

test('redirects to the owner where a film begins, and proxies the rest', async () => {
  const redirecting = await TestCluster.start(2, origin.url, { routing: 'redirect' });
  const path = film();
  const [owner, other] = redirecting.serving(path) as [TestEdge, TestEdge];
  const { status, fields } = await other.get(`${path}?token=a%20b&start=1`);
  assert.equal(status, 307);
  assert.equal(fields.location, `http://${owner.id}.test${path}?token=a%20b&start=1`);
  assert.equal(fields['cache-control'], 'no-store');
  assert.equal((await other.get(path, { Range: 'bytes=1000-1999' })).status, 206);
  assert.equal((await other.get(path, { Range: 'bytes=0-' })).status, 307);
  assert.equal((await owner.get(path)).status, 200);
  // A manifest is a beginning, what a player asks for by it is not.
  assert.equal((await other.get(`${path}/hls.m3u8`)).status, 307);
  const part = `${path}/0123456789abcdef/v1/7.m4s`;
  assert.ok(parsePackagedPath(part, isPackagedFile) !== undefined, part);
  assert.notEqual((await other.get(part)).status, 307);
  // Without an address for players they are answered by way of this edge.
  redirecting.tellNode(owner, { url: undefined });
  const { status: proxied, fields: own } = await other.get(path);
  assert.equal(proxied, 200);
  assert.match(own['cache-status']!, /detail=peer/);
});

test('viewers in some of a hundred go to a replica, each always to the same, of a film that many watch fewer', async () => {
  const warming = await TestCluster.start(3, origin.url, { warmUp: { share: [0.2, 0.1], from: 'owner' } });
  const sentAway = async (path: string, viewer: number) => {
    const { fields } = await warming.serving(path)[0]!.get(path, { 'User-Agent': `player ${viewer}` });
    return fields['cache-status']!.includes('peer');
  };
  let away = 0;
  const seldom = Array.from({ length: 150 }, () => film({ size: 1000 }));
  for (const path of seldom) {
    const ways = [await sentAway(path, 1), await sentAway(path, 1)];
    assert.equal(ways[0], ways[1]);
    if (ways[0]) away++;
  }
  // Half of the viewers: what is set, and what those of films that many watch give.
  assert.ok(away > 50 && away < 100, String(away));
  const counted = warming.edges.reduce((sum, { routing }) => sum + routing.stats.warmUps, 0);
  assert.equal(counted, 2 * away);
  for (const path of seldom) assert.deepEqual(origin.timesSent(path), [1], 'replicas fill from the owner');
  const popular = film({ size: 1000 });
  for (let viewer = 0; viewer < 100; viewer++) await sentAway(popular, viewer);
  let late = 0;
  for (let viewer = 100; viewer < 200; viewer++) if (await sentAway(popular, viewer)) late++;
  assert.ok(late < 15, String(late));
  const [, replica, last] = warming.serving(popular) as [TestEdge, TestEdge, TestEdge];
  assert.ok(replica.loader.stats.filledBytes > 0 && last.loader.stats.filledBytes > 0);
});

test('a viewer is the client whom a trusted proxy names, and nobody else is believed', async () => {
  const trusting = await TestCluster.start(3, origin.url, {
    warmUp: { share: [0.5], from: 'owner' },
    trusted: ['127.0.0.1'],
  });
  const wary = await TestCluster.start(3, origin.url, { warmUp: { share: [0.5], from: 'owner' } });
  const path = film({ size: 1000 });
  const waysOf = async (edges: TestCluster) => {
    const ways = [];
    for (let viewer = 0; viewer < 20; viewer++) {
      const fields = { 'User-Agent': 'the same', 'X-Forwarded-For': `10.0.0.${viewer}` };
      const answer = await edges.serving(path)[0]!.get(path, fields);
      ways.push(answer.fields['cache-status']!.includes('peer'));
    }
    return new Set(ways).size;
  };
  assert.equal(await waysOf(trusting), 2, 'some to a replica');
  assert.equal(await waysOf(wary), 1, 'all are one viewer');
});

test('an edge asks for the client whose request it passes on, and fills for whom it is asked for', async () => {
  const trusting = await TestCluster.start(3, origin.url, { trusted: ['127.0.0.1'] });
  const path = film({ size: 1000 });
  const [owner, replica] = trusting.serving(path) as [TestEdge, TestEdge];
  const { catalog } = owner;
  const asked: string[] = [];
  mock.method(catalog, 'open', (request: ContentRequest) => {
    asked.push(request.asker.client);
    return ObjectCatalog.prototype.open.call(catalog, request);
  });
  const forged = { 'Moovedge-Asker': '192.0.2.9' };
  assert.equal((await replica.get(path, { 'X-Forwarded-For': '192.0.2.1', ...forged })).status, 200);
  assert.equal((await replica.get(path, { 'X-Forwarded-For': '2001:db8::1' }, 'HEAD')).status, 200);
  assert.equal((await askAsPeer(owner, replica, 'hop', path, { 'Moovedge-Asker': '192.0.2.2' })).status, 200);
  assert.equal((await owner.get(path, { 'X-Forwarded-For': '192.0.2.3', ...forged })).status, 200);
  assert.deepEqual(asked, ['192.0.2.1', '2001:db8::1', '192.0.2.2', '192.0.2.3']);
});

test('a request that has come through this edge before is refused', async () => {
  const [edge] = cluster.edges;
  const path = film();
  assert.equal((await edge!.get(path, { 'CDN-Loop': `other, ${edge!.id}; v=1` })).status, 508);
  assert.equal((await edge!.get(path, { 'CDN-Loop': 'other' })).status, 200);
  const { owner } = parts(path);
  assert.equal(origin.requestsFor(path)[0]!.headers['cdn-loop'], `other, ${owner.id}`);
});

/** What one edge answers another one's request with. */
function askAsPeer(
  from: TestEdge,
  to: TestEdge,
  mark: 'hop' | 'fill' | 'cached',
  path: string,
  fields: Record<string, string> = {},
) {
  const signature = new PeerSignature('a secret of the cluster');
  const claim = { from: from.id, to: to.id, mark, epoch: 1, time: Date.now(), host: 'edge.example' };
  const { value } = signature.request(claim, {
    method: 'GET',
    target: path,
    field: name => fields[name === 'range' ? 'Range' : name] ?? '',
  });
  return fetchRaw(to.peerPort, 'GET', path, { ...fields, 'Moovedge-Peer': value });
}
