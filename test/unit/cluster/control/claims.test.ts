import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../../src/base/log.js';
import { Claims } from '../../../../src/cluster/control/claims.js';
import type { Keys } from '../../../../src/cluster/control/member.js';
import type { Gateway } from '../../../../src/cluster/etcd/gateway.js';
import type { Compare, EtcdKey, Write } from '../../../../src/cluster/etcd/messages.js';
import type { Mirror } from '../../../../src/cluster/etcd/mirror.js';

/** etcd whose watch tells of what is written before the answer to its writer comes. */
class QuickWatch {
  readonly keys = new Map<string, EtcdKey>();
  revision = 0;
  readonly watchers: (() => void)[] = [];
  readonly hasRead = true;
  readonly isFailing = false;

  get(key: string): EtcdKey | undefined {
    return this.keys.get(key);
  }

  under(prefix: string): EtcdKey[] {
    return [...this.keys.values()].filter(({ key }) => key.startsWith(prefix));
  }

  async range(path: string): Promise<{ keys: EtcdKey[] }> {
    return { keys: this.under(path) };
  }

  async txn(compares: readonly Compare[], writes: readonly Write[]): Promise<{ done: boolean; revision: number }> {
    const done = compares.every(
      compare => 'modified' in compare && (this.keys.get(compare.key)?.modified ?? 0) === compare.modified,
    );
    if (done) {
      const modified = ++this.revision;
      for (const write of writes) {
        if ('remove' in write) this.keys.delete(write.remove);
        else this.keys.set(write.put, { key: write.put, value: write.value, modified } as EtcdKey);
      }
      for (const told of this.watchers) told();
      await new Promise(resolve => setImmediate(resolve));
    }
    return { done, revision: this.revision };
  }
}

function claimsOf(id: string, store: QuickWatch): Claims {
  const claims = new Claims({
    id,
    instance: `${id}1`,
    gateway: store as unknown as Gateway,
    mirror: store as unknown as Mirror,
    keys: { claims: 'claims/', claim: (name: string) => `claims/${name}` } as Keys,
    log: silentLog,
    lease: () => '1',
    changed() {},
    lost(name, holder) {
      assert.fail(`${id} has lost ${name} to ${holder}`);
    },
  });
  store.watchers.push(() => claims.update());
  return claims;
}

test('a name stays its taker’s although the watch is faster than the answer', async () => {
  const store = new QuickWatch();
  const [a, b] = [claimsOf('a', store), claimsOf('b', store)];
  assert.equal(await a.take('app/one', false), undefined);
  assert.equal(await b.take('app/one', false), 'a');
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(JSON.parse(store.get('claims/app/one')!.value), { node: 'a', instance: 'a1', isActive: true });
  // What is not wanted any more goes.
  a.drop('app/one');
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve));
  assert.equal(store.keys.size, 0);
});
