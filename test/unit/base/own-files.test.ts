import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.js';
import { expectOwnFile, expectOwnFolder, makeOwnFile, makeOwnFolder } from '../../../src/base/own-files.js';
import { SharedMemoryTier } from '../../../src/cache/memory/shared-memory-tier.js';
import { Environment } from '../../../src/store/environment.js';
import { DEFAULTS } from '../../support/defaults.js';

const root = mkdtempSync(join(tmpdir(), 'moovedge-own-'));
after(() => rmSync(root, { recursive: true }));
const OTHER = 65534;
const onlyRoot = { skip: process.geteuid?.() === 0 ? false : 'only root can give files to another user' };
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(++count));
  mkdirSync(folder);
});
const modeOf = (path: string) => statSync(path).mode & 0o7777;
const environment = (path: string) =>
  Environment.open({ path, format: 'test 1', tables: ['a'], mapSize: 2 ** 24, log: silentLog });
const tier = (file: string) =>
  new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', size: 2 ** 26 });

describe('own files and folders', () => {
  it('are made for their owner alone, whatever the umask', () => {
    const before = process.umask(0);
    try {
      makeOwnFolder(join(folder, 'a/b/c'));
      makeOwnFile(join(folder, 'a/b/c/file'));
      void environment(join(folder, 'a/lmdb/data.mdb')).close();
      tier(join(folder, 'a/b/tier')).close();
    } finally {
      process.umask(before);
    }
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      assert.equal(modeOf(path), statSync(path).isDirectory() ? 0o700 : 0o600, name);
    }
  });

  it('take the rights of others away from what an older version has left', async () => {
    const path = join(folder, 'data.mdb');
    await environment(path).close();
    tier(join(folder, 'tier')).close();
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o666);
    chmodSync(folder, 0o777);
    await environment(path).close();
    tier(join(folder, 'tier')).close();
    for (const name of readdirSync(folder)) assert.equal(modeOf(join(folder, name)), 0o600, name);
    assert.equal(modeOf(folder), 0o775);
  });

  it('are not made where nothing can be made, and that is told at once', () => {
    for (const path of ['/proc/moovedge', '/proc/1/moovedge/x', '/sys/moovedge', '/dev/null/x']) {
      assert.throws(() => makeOwnFolder(path), /ENOENT|EACCES|EPERM|ENOTDIR|EROFS/, path);
      assert.throws(() => environment(`${path}/data.mdb`), /can not be used/, path);
    }
  });

  it('are no links', () => {
    for (const target of ['not-there', '/etc/passwd', '.']) {
      const link = join(folder, `link-${target.replaceAll('/', '_')}`);
      symlinkSync(target, link);
      assert.throws(() => makeOwnFile(link), /ELOOP|is a link to|EISDIR/, target);
      assert.throws(() => expectOwnFile(link), /is a link to/, target);
      assert.throws(() => environment(link), /is a link to/, target);
      assert.throws(() => tier(link), /it is a link, which is not followed/, target);
    }
    assert.ok(!existsSync(join(folder, 'not-there')));
  });

  it('are not the lock file that a link stands for either', async () => {
    const path = join(folder, 'data.mdb');
    await environment(path).close();
    rmSync(`${path}-lock`);
    symlinkSync(join(folder, 'not-there'), `${path}-lock`);
    assert.throws(() => environment(path), /is a link to/);
  });

  it('may be reached by a link to a folder of ours', () => {
    makeOwnFolder(join(folder, 'real'));
    symlinkSync('real', join(folder, 'link'));
    expectOwnFolder(join(folder, 'link'));
    makeOwnFile(join(folder, 'link/file'));
    assert.equal(modeOf(join(folder, 'real/file')), 0o600);
  });

  it('are refused when another user owns them, their folder, or the link to it', onlyRoot, async () => {
    const theirs = join(folder, 'theirs');
    mkdirSync(theirs, 0o777);
    chownSync(theirs, OTHER, OTHER);
    const expected = /belongs to user 65534, who could change what players get/;
    assert.throws(() => makeOwnFolder(theirs), expected);
    assert.throws(() => makeOwnFile(join(theirs, 'file')), expected);
    assert.throws(() => environment(join(theirs, 'data.mdb')), expected);
    assert.throws(() => tier(join(theirs, 'tier')), expected);
    makeOwnFolder(join(folder, 'ours'));
    symlinkSync('ours', join(folder, 'link'));
    lchownSync(join(folder, 'link'), OTHER, OTHER);
    assert.throws(() => makeOwnFolder(join(folder, 'link')), expected);
    const path = join(folder, 'ours/data.mdb');
    await environment(path).close();
    for (const name of [path, `${path}-lock`]) {
      chownSync(name, OTHER, OTHER);
      assert.throws(() => environment(path), expected, name);
      chownSync(name, 0, 0);
    }
    const file = join(folder, 'ours/tier');
    writeFileSync(file, '');
    chownSync(file, OTHER, OTHER);
    assert.throws(() => tier(file), expected);
  });
});
