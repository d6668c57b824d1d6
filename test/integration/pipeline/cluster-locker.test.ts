import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { silentLog } from '../../../src/base/log.js';
import { Gateway } from '../../../src/cluster/etcd/gateway.js';
import { ClusterLocker } from '../../../src/pipeline/upload/cluster-locker.js';
import { Etcd } from '../../support/etcd.js';

const ID = '0123456789abcdef0123456789abcdef';
let etcd: Etcd;
const gateways: Gateway[] = [];

before(async () => {
  etcd = await Etcd.start();
});
after(async () => {
  await Promise.all(gateways.map(gateway => gateway.close()));
  await etcd.end();
});

/** The lock of one upload, as another server has it. */
function lockOf() {
  const gateway = new Gateway({ endpoints: etcd.urls });
  gateways.push(gateway);
  return new ClusterLocker(gateway, '/test', silentLog).newLock(ID);
}

it('an upload is one server’s, which lets go when another wants it, and anybody’s while etcd is away', async () => {
  const { signal } = new AbortController();
  const [first, second] = [lockOf(), lockOf()];
  const order: string[] = [];
  await first.lock(signal, async () => {
    order.push('asked');
    await first.unlock();
    order.push('let go');
  });
  await second.lock(signal, () => {
    order.push('asked again');
  });
  assert.deepEqual(order, ['asked', 'let go']);
  const gone = new AbortController();
  gone.abort();
  await assert.rejects(
    lockOf().lock(gone.signal, () => {}),
    { status_code: 500 },
  );
  await second.unlock();
  const third = lockOf();
  await third.lock(signal, () => {});
  await third.unlock();
  await Promise.all(etcd.members.map(member => member.kill()));
  const [one, other] = [lockOf(), lockOf()];
  await one.lock(signal, () => {});
  await other.lock(signal, () => {});
  await Promise.all([one.unlock(), other.unlock()]);
});
