import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EtcdError } from '../../../../src/cluster/etcd/etcd-error.js';
import { Gateway } from '../../../../src/cluster/etcd/gateway.js';
import { selfSigned } from '../../../support/certificate.js';
import { Etcd } from '../../../support/etcd.js';
import { startHttp } from '../../../support/etcd-proxy.js';
import { freePort } from '../../../support/ports.js';
import { assertSoon } from '../../../support/stopwatch.js';
import { until } from '../../../support/until.js';

let etcd: Etcd;
let gateway: Gateway;
before(async () => {
  etcd = await Etcd.start();
  gateway = new Gateway({ endpoints: etcd.urls });
});
after(async () => {
  await gateway.close();
  await etcd.end();
});

/** Expects a failure of one kind. */
async function fails(promise: Promise<unknown>, failure: EtcdError['failure'], text?: RegExp): Promise<EtcdError> {
  const error = await promise.then(
    () => assert.fail(`expected ${failure}, found success`),
    error => error,
  );
  assert.ok(error instanceof EtcdError, String(error));
  assert.equal(error.failure, failure, error.message);
  if (text !== undefined) assert.match(error.message, text);
  return error;
}

describe('the gateway', () => {
  it('reads what begins with a prefix, texts of any kind, with revisions as numbers', async () => {
    const value = '{"é":"\u{1F3AC}","n":1}';
    const { done, revision } = await gateway.txn(
      [],
      [
        { put: '/r/é', value },
        { put: '/r0', value: '' },
      ],
    );
    assert.ok(done);
    const reading = await gateway.range('/r/');
    assert.deepEqual(reading.keys, [{ key: '/r/é', value, created: revision, modified: revision }]);
    assert.ok(reading.revision >= revision && /^\d+$/.test(reading.store));
    assert.deepEqual((await gateway.range('/nothing/')).keys, []);
  });

  it('writes only when all comparisons hold', async () => {
    const first = await gateway.txn([{ key: '/t', created: 0 }], [{ put: '/t', value: '1' }]);
    assert.ok(first.done);
    const again = await gateway.txn([{ key: '/t', created: 0 }], [{ put: '/t', value: '2' }]);
    assert.ok(!again.done);
    const both = [
      { key: '/t', created: first.revision },
      { key: '/t', modified: first.revision },
    ];
    assert.ok((await gateway.txn(both, [{ put: '/t', value: '3' }])).done);
    assert.ok(!(await gateway.txn(both, [{ remove: '/t' }])).done, 'one of two comparisons has failed');
    const [key] = (await gateway.range('/t')).keys;
    assert.equal(key?.value, '3');
    assert.equal(key?.created, first.revision);
  });

  it('keeps a lease, says when it is gone, and takes its keys along', async () => {
    const lease = await gateway.grant(5);
    await gateway.txn([], [{ put: '/l', value: 'x', lease }]);
    assert.equal(await gateway.keepAlive(lease), true);
    await gateway.revoke(lease);
    assert.equal(await gateway.keepAlive(lease), false);
    assert.deepEqual((await gateway.range('/l')).keys, []);
    await fails(gateway.txn([], [{ put: '/l', value: 'x', lease }]), 'lease');
    await fails(gateway.revoke(lease), 'lease');
  });

  it('treats the life of a lease as a minimum: its keys may be there for longer', async () => {
    const lease = await gateway.grant(1);
    const begun = performance.now();
    await gateway.txn([], [{ put: '/min', value: 'x', lease }]);
    await until('the lease to end', async () => (await gateway.range('/min')).keys.length === 0);
    assert.ok(performance.now() - begun >= 1000);
  });

  it('finds errors in the middle of a stream, and compacted revisions', async () => {
    const revision = await etcd.put('/c', '1');
    await etcd.put('/c', '2');
    const last = await etcd.put('/c', '3');
    await etcd.compact(last);
    const messages: { canceled?: boolean; compact_revision?: string }[] = [];
    const create_request = { key: btoa('/c'), start_revision: String(revision) };
    const call = await gateway.stream(
      '/v3/watch',
      { create_request },
      { message: message => messages.push(message as object), ended() {} },
    );
    const canceled = await until('the watch to be canceled', () => messages.find(each => each.canceled));
    assert.equal(canceled.compact_revision, String(last));
    call.cancel();
  });

  it('asks the next member when one is not there, is silent, or is something else', async () => {
    const silent = await startHttp(() => {});
    const broken = await startHttp((_, response) => response.destroy());
    const endpoints = [`http://127.0.0.1:${await freePort()}`, broken.url, silent.url, ...etcd.urls];
    const patient = new Gateway({ endpoints });
    try {
      await patient.range('/r/');
      assert.equal(patient.endpoint, etcd.urls[0], 'it stays with the one that works');
    } finally {
      await patient.close();
      silent.close();
      broken.close();
    }
  });

  it('says what it met in place of etcd', async () => {
    const other = await startHttp((_, response) => response.end('<html>hello</html>'));
    const missing = await startHttp((_, response) => response.writeHead(404).end('no such page'));
    const nobody = `http://127.0.0.1:${await freePort()}`;
    for (const [url, failure, text] of [
      [other.url, 'protocol', /expected the gateway of etcd/],
      [missing.url, 'protocol', /no such page/],
      [nobody, 'unreachable', /ECONNREFUSED|connect/],
    ] as const) {
      const one = new Gateway({ endpoints: [url] });
      await fails(one.range('/'), failure, text);
      await one.close();
    }
    other.close();
    missing.close();
  });

  it('gives a renewal one second', async () => {
    const silent = await startHttp(() => {});
    const one = new Gateway({ endpoints: [silent.url] });
    const begun = performance.now();
    await fails(one.keepAlive('1'), 'timeout');
    assertSoon(performance.now() - begun, 2500, 'a renewal that fails');
    await one.close();
    silent.close();
  });
});

describe('etcd with authentication', () => {
  let secured: Etcd;
  before(async () => {
    secured = await Etcd.start();
    const [url = ''] = secured.urls;
    await secured.post(url, '/v3/auth/user/add', { name: 'root', password: 'secret' });
    await secured.post(url, '/v3/auth/role/add', { name: 'root' });
    await secured.post(url, '/v3/auth/user/grant', { user: 'root', role: 'root' });
    await secured.post(url, '/v3/auth/enable', {});
  });
  after(() => secured.end());

  it('is spoken to with a token, which is asked for again when it is not known any more', async () => {
    const one = new Gateway({ endpoints: secured.urls, username: 'root', password: 'secret' });
    assert.ok((await one.txn([], [{ put: '/a', value: '1' }])).done);
    // Tokens live in the member's memory.
    await secured.members[0]!.kill();
    secured.startMember(secured.members[0]!);
    await until('the member', () => one.range('/a').catch(() => undefined));
    assert.equal((await one.range('/a')).keys[0]?.value, '1');
    await one.close();
  });

  it('refuses strangers, which is said', async () => {
    for (const user of [{}, { username: 'root', password: 'wrong' }, { username: 'nobody', password: 'x' }]) {
      const one = new Gateway({ endpoints: secured.urls, ...user });
      await fails(one.range('/a'), 'auth');
      await one.close();
    }
  });
});

describe('etcd over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-etcd-tls-'));
  const { cert, key } = selfSigned(['localhost']);
  let secured: Etcd;
  before(async () => {
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), ca: join(folder, 'cert.pem') };
    writeFileSync(tls.cert, cert);
    writeFileSync(tls.key, key);
    secured = await Etcd.start({ tls });
  });
  after(async () => {
    await secured.end();
    rmSync(folder, { recursive: true });
  });

  it('is trusted by its authority only, and wants to know us', async () => {
    const known = new Gateway({ endpoints: secured.urls, tls: { ca: cert, cert, key } });
    await until('etcd to answer', () => known.range('/a').catch(() => undefined));
    const doubtful = new Gateway({ endpoints: secured.urls, tls: { cert, key } });
    await fails(doubtful.range('/a'), 'auth', /self.signed certificate/);
    const unknown = new Gateway({ endpoints: secured.urls, tls: { ca: cert } });
    await assert.rejects(unknown.range('/a'), EtcdError);
    for (const one of [known, doubtful, unknown]) await one.close();
  });

  it('refuses our common name when it has users, which is said with what to do', async () => {
    const one = new Gateway({ endpoints: secured.urls, tls: { ca: cert, cert, key } });
    const ask = (path: string, body: object) =>
      new Promise<void>((resolve, reject) => {
        void one.stream(path, body, { message: () => resolve(), ended: reject });
      });
    await ask('/v3/auth/user/add', { name: 'root', password: 'secret' });
    await ask('/v3/auth/role/add', { name: 'root' });
    await ask('/v3/auth/user/grant', { user: 'root', role: 'root' });
    await ask('/v3/auth/enable', {});
    await one.close();
    const user = { username: 'root', password: 'secret' };
    const named = new Gateway({ endpoints: secured.urls, ...user, tls: { ca: cert, cert, key } });
    await fails(named.range('/a'), 'auth', /CommonName.*use one without/);
    await named.close();
  });
});
