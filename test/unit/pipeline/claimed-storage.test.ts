import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Gateway } from '../../../src/cluster/etcd/gateway.js';
import type { Compare, Write } from '../../../src/cluster/etcd/messages.js';
import { ClaimedStorage } from '../../../src/pipeline/storage/claimed-storage.js';
import { MemoryStorage } from '../../support/memory-storage.js';

/** Keys of an etcd that fails when it is told to, before or after it has done what it was asked. */
class Keys {
  readonly keys = new Map<string, string>();
  /** Called before and after each transaction. */
  around: (when: 'before' | 'after') => void = () => {};

  asGateway(): Gateway {
    return {
      grant: async () => '1',
      txn: async ([compare]: readonly Compare[], [write]: readonly Write[]) => {
        this.around('before');
        const done = !this.keys.has(compare!.key);
        if (done && 'put' in write!) this.keys.set(write.put, write.value);
        this.around('after');
        return { done, revision: 1 };
      },
      range: async (prefix: string) => ({
        keys: [...this.keys]
          .filter(([key]) => key.startsWith(prefix))
          .map(([key, value]) => ({ key, value, created: 1, modified: 1 })),
        revision: 1,
        store: '',
      }),
      close: async () => {},
    } as unknown as Gateway;
  }
}

const dead = () => {
  throw new Error('dead');
};

describe('a storage that can’t write on a condition, with an etcd', () => {
  it('keeps the first of several writers, who all see that', async () => {
    const storage = new MemoryStorage();
    const etcd = new Keys().asGateway();
    const writers = Array.from({ length: 8 }, () => new ClaimedStorage(storage, etcd, '/test'));
    const results = await Promise.all(
      writers.map((writer, number) => writer.put('a', Buffer.from(`${number}`), { ifAbsent: true })),
    );
    assert.deepEqual(results.filter(isFirst => isFirst).length, 1);
    assert.equal(String(storage.objects.get('a')), String(results.indexOf(true)));
  });

  for (const [name, harm] of [
    ['before it has claimed', (keys: Keys) => (keys.around = when => when === 'before' && dead())],
    ['after it has claimed, before it knows', (keys: Keys) => (keys.around = when => when === 'after' && dead())],
    ['before it has written', (_: Keys, storage: MemoryStorage) => (storage.beforePut = dead)],
  ] as const) {
    it(`has one object, whatever the first writer dies of: ${name}`, async () => {
      const storage = new MemoryStorage();
      const keys = new Keys();
      const claimed = () => new ClaimedStorage(storage, keys.asGateway(), '/test');
      harm(keys, storage);
      await assert.rejects(claimed().put('a', Buffer.from('first'), { ifAbsent: true }));
      keys.around = () => {};
      storage.beforePut = () => {};
      const isFirst = await claimed().put('a', Buffer.from('second'), { ifAbsent: true });
      const counts = String(await claimed().get('a'));
      assert.equal(counts, isFirst ? 'second' : 'first');
      assert.equal(isFirst, name === 'before it has claimed');
      assert.equal(await claimed().put('a', Buffer.from('third'), { ifAbsent: true }), false);
      assert.equal(String(await claimed().get('a')), counts);
    });
  }

  it('keeps it while the storage does not show it', async () => {
    const storage = new MemoryStorage();
    const claimed = new ClaimedStorage(storage, new Keys().asGateway(), '/test');
    assert.equal(await claimed.put('a', Buffer.from('first'), { ifAbsent: true }), true);
    storage.objects.delete('a');
    assert.equal(await claimed.put('a', Buffer.from('second'), { ifAbsent: true }), false);
    assert.equal(String(await claimed.get('a')), 'first');
  });
});
