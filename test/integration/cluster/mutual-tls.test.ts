import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import { TestCluster, type TestEdge, type TestEdgeOptions } from '../../support/cluster-edge.js';
import { firstWrong } from '../../support/content.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

const origin = await FaultOrigin.start();
after(() => origin.close());
const folder = mkdtempSync(join(tmpdir(), 'moovedge-mutual-'));
after(() => rmSync(folder, { recursive: true }));

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

/** An authority, and a certificate of it that every edge may have. */
function authority(name: string) {
  openssl('req', '-x509', ...EC, '-subj', `/CN=${name}`, '-keyout', `${name}-ca.key`, '-out', `${name}-ca.pem`);
  const issuer = ['-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`, '-CAcreateserial'];
  openssl('req', ...EC.slice(0, -2), '-subj', '/CN=edge', '-keyout', `${name}.key`, '-out', `${name}.csr`);
  openssl('x509', '-req', '-days', '2', '-in', `${name}.csr`, ...issuer, '-out', `${name}.pem`);
  const files = {
    ca: join(folder, `${name}-ca.pem`),
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
  };
  return files;
}
const ours = authority('ours');
const theirs = authority('theirs');

const SIZE = 1_000_000;
let films = 0;
function film(): string {
  const path = `/tls-film-${films++}.mp4`;
  origin.put(path, { size: SIZE });
  return path;
}

test('edges that know one another by certificates answer for one another without a secret', async () => {
  const cluster = await TestCluster.start(2, origin.url, { peerTls: ours, secret: undefined });
  const path = film();
  const [owner, other] = cluster.serving(path) as [TestEdge, TestEdge];
  for (let times = 0; times < 2; times++) {
    const { status, body, fields } = await other.get(path);
    assert.equal(status, 200);
    assert.equal(body.length, SIZE);
    assert.equal(firstWrong(body, path, 'v1', 0), -1);
    assert.match(fields['cache-status']!, /detail=peer/);
  }
  assert.equal((await other.get(path, { Range: 'bytes=5-9' })).body.length, 5);
  assert.deepEqual([owner.loader.stats.filledBytes, other.loader.stats.filledBytes], [SIZE, 0]);
  assert.equal(other.cluster.peers.isWell(owner.id), true);
});

test('who has no certificate, or one of another authority, and who speaks no TLS, is refused', async () => {
  const lines: string[] = [];
  const warn = (fields: object, text: string) => lines.push(`${text} ${JSON.stringify(fields)}`);
  const log = { debug() {}, info() {}, warn, error: warn };
  const cluster = await TestCluster.start(2, origin.url, { peerTls: ours, secret: undefined, log });
  const [edge] = cluster.edges;
  const { refused } = edge!.cluster.gate;
  for (let times = 0; times < 2; times++) {
    assert.match(await ask(edge!.peerPort, {}), /^HTTP\/1\.1 403 /);
  }
  assert.equal(refused.certificate, 2);
  assert.equal(lines.filter(line => line.includes('it has no certificate')).length, 1);
  const foreign = { cert: readFileSync(theirs.cert), key: readFileSync(theirs.key) };
  assert.doesNotMatch(await ask(edge!.peerPort, foreign), /HTTP\/1\.1 2/);
  const plain = await new Promise<string>(resolve => {
    let text = '';
    const socket = connectTcp(edge!.peerPort, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    socket.on('data', data => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
  assert.doesNotMatch(plain, /HTTP/);
});

test('an edge of another authority is left out, counted, and logged once; the storage is asked instead', async () => {
  const lines: string[] = [];
  const warn = (fields: object, text: string) => lines.push(`${text} ${JSON.stringify(fields)}`);
  const log = { debug() {}, info() {}, warn, error: warn };
  const options = (at: number): TestEdgeOptions => ({ secret: undefined, peerTls: at === 0 ? ours : theirs, log });
  const cluster = await TestCluster.start(2, origin.url, options);
  const [first, second] = cluster.edges as [TestEdge, TestEdge];
  for (const edge of [first, second]) {
    for (let times = 0; times < 6; times++) {
      const path = film();
      const { status, body } = await edge.get(path);
      assert.equal(status, 200);
      assert.equal(firstWrong(body, path, 'v1', 0), -1);
      assert.equal(body.length, SIZE);
    }
  }
  for (const edge of [first, second]) {
    const [peer] = edge.cluster.peers.all;
    await until('the peer to be left out', () => !peer!.health.isWell && peer!.stats.requests.refused > 0);
    assert.equal(peer!.stats.requests.answered, 0);
  }
  await until('both to have said so', () => told() === 2);
  function told(): number {
    return lines.filter(line => line.includes('can not be worked with') && line.includes('certificate')).length;
  }
});

/** Asks the port for peers by TLS; what it says before the connection ends, '' when there is none. */
function ask(port: number, own: { cert?: Buffer; key?: Buffer }): Promise<string> {
  return new Promise(resolve => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...own }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    });
    socket.on('data', data => {
      text += data;
      if (text.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}
