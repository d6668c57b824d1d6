import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../../src/base/log.js';
import { Environment } from '../../../src/store/environment.js';

/** Where commits take the least time, so that most of them meet an opening. */
const folder = mkdtempSync('/dev/shm/moovedge-store-');
after(() => rmSync(folder, { recursive: true, force: true }));

for (const kind of ['transactions', 'batches'] as const) {
  test(`${kind} are all there, one upon the other, while other processes open the environment`, async () => {
    const path = join(folder, `${kind}.mdb`);
    const store = Environment.open({
      path,
      format: 'test 1',
      tables: ['a'],
      mapSize: 64 * 1024 * 1024,
      log: silentLog,
    });
    const a = store.table('a');
    const openers = Array.from({ length: 2 }, () =>
      fork(fileURLToPath(new URL('./opener.ts', import.meta.url)), [path, '400']),
    );
    after(() => {
      for (const opener of openers) opener.kill('SIGKILL');
    });
    const gone = Promise.all(openers.map(opener => once(opener, 'exit')));
    let running = true;
    void gone.then(() => {
      running = false;
    });
    const keyOf = (n: number) => Buffer.from(String(n % 500));
    const bytesOf = (n: number) => Buffer.alloc(1000, n);
    let count = 0;
    while (running) {
      const n = count++;
      const change = () => a.put(keyOf(n), bytesOf(n));
      if (kind === 'batches') await store.batch(change);
      else {
        store.transaction(change);
        await new Promise(resolve => setImmediate(resolve));
      }
      store.refresh();
      for (const each of [n, n - 1, n - 2, n - 3, n - 100]) {
        if (each >= 0) assert.ok(a.get(keyOf(each))?.equals(bytesOf(each)), `commit ${each} is lost at ${n}`);
      }
    }
    assert.deepEqual(await gone, [
      [0, null],
      [0, null],
    ]);
    assert.ok(count > 100, `${count} commits`);
    await store.close();
  });
}
