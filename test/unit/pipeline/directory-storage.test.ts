import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DirectoryStorage } from '../../../src/pipeline/storage/directory-storage.js';
import { FileSystemSync } from '../../../src/pipeline/storage/file-system-sync.js';

const root = mkdtempSync(join(tmpdir(), 'moovedge-storage-'));
after(() => rmSync(root, { recursive: true, force: true }));

describe('a directory', () => {
  for (const [how, findSync] of [
    ['together', FileSystemSync.of],
    ['one by one', async () => undefined],
  ] as const) {
    it(`takes lazy objects once, makes them durable ${how}, and leaves nothing beside them`, async () => {
      const place = join(root, how);
      const storage = new DirectoryStorage(place, findSync);
      const keys = Array.from({ length: 8 }, (_, i) => `uploads/a/${i}`);
      const put = await Promise.all(keys.map(key => storage.lazy.put(key, Buffer.from(key))));
      assert.ok(put.every(isPut => isPut));
      assert.equal(await storage.lazy.put(keys[0]!, Buffer.from('other')), false);
      assert.equal(String(await storage.get(keys[0]!)), keys[0]);
      await Promise.all([storage.lazy.flush(keys.slice(0, 4)), storage.lazy.flush(keys.slice(4))]);
      assert.deepEqual(readdirSync(place), ['uploads']);
      // A part that a dead process has left is there, and is written over by whoever sees that.
      writeFileSync(join(place, 'uploads/a/9'), 'par');
      assert.equal(await storage.lazy.put('uploads/a/9', Buffer.from('part')), false);
      assert.equal(await storage.put('uploads/a/9', Buffer.from('part')), true);
      assert.equal(await storage.head('uploads/a/9'), 4);
      storage.close();
      await assert.rejects(
        storage.lazy.flush(['uploads/none/0']).then(() => assert.equal(how, 'one by one')),
        {
          code: 'origin_unavailable',
        },
      );
      storage.close();
    });
  }

  it('tells that it can’t be written to', async () => {
    writeFileSync(join(root, 'file'), '');
    const storage = new DirectoryStorage(join(root, 'file'));
    await assert.rejects(storage.put('a', Buffer.from('a')), { code: 'origin_unavailable', message: /ENOTDIR|EEXIST/ });
    await assert.rejects(storage.lazy.put('a', Buffer.from('a')), { code: 'origin_unavailable' });
    storage.close();
    const none = new DirectoryStorage(join(root, 'none'));
    await assert.rejects(none.lazy.flush(['a']), { code: 'origin_unavailable' });
  });

  it('is swept of what dead writers have left, by its age, and of nothing else', async () => {
    const storage = new DirectoryStorage(join(root, 'swept'));
    await storage.put('films/a', Buffer.from('a'));
    const unfinished = join(root, 'swept/.unfinished');
    mkdirSync(unfinished, { recursive: true });
    for (const [name, hours] of [
      ['old', 25],
      ['young', 23],
    ] as const) {
      writeFileSync(join(unfinished, name), name);
      const seconds = Date.now() / 1000 - hours * 3600;
      utimesSync(join(unfinished, name), seconds, seconds);
    }
    const old = Date.now() / 1000 - 100 * 24 * 3600;
    utimesSync(join(root, 'swept/films/a'), old, old);
    await storage.sweep(24 * 3600_000);
    assert.deepEqual(readdirSync(unfinished), ['young']);
    assert.equal(String(await storage.get('films/a')), 'a');
    await storage.sweep(0);
    assert.deepEqual(readdirSync(unfinished), []);
    // One that has nothing yet is swept, too.
    await new DirectoryStorage(join(root, 'empty')).sweep(0);
  });
});

describe('the file system of a directory', () => {
  it('is made durable once for all who ask at a time', async () => {
    const sync = await FileSystemSync.of(root);
    // Elsewhere files are made durable one by one.
    if (sync === undefined) return;
    const first = sync.all();
    assert.equal(sync.all(), first);
    await setImmediate();
    const second = sync.all();
    assert.notEqual(second, first, 'a run that had begun was taken for one that sees all');
    assert.equal(sync.all(), second);
    await Promise.all([first, second]);
    await sync.close();
  });

  it('is not trusted with that when it is of a kind that may not tell', async () => {
    assert.equal(await FileSystemSync.of('/proc'), undefined);
  });
});
