import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EdgeError } from '../../../../src/base/errors.js';
import { silentLog } from '../../../../src/base/log.js';
import { EtcdError } from '../../../../src/cluster/etcd/etcd-error.js';
import type { EtcdKey } from '../../../../src/cluster/etcd/messages.js';
import { PurgeLog } from '../../../../src/cluster/purges/purge-log.js';
import { PurgeMark } from '../../../../src/cluster/purges/purge-mark.js';
import { until } from '../../../support/until.js';

const KEYS = { purges: '/x/purges/', purgedUpTo: '/x/purged-up-to' };
const folder = mkdtempSync(join(tmpdir(), 'moovedge-purges-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

/** Keys that several nodes see at once. */
class Etcd {
  store = 'a';
  revision = 100;
  isGone = false;
  readonly keys = new Map<string, EtcdKey>();
  hasRead = true;
  isFailing = false;

  async txn(_compare: unknown, writes: readonly { put?: string; value?: string; remove?: string }[]) {
    if (this.isGone) throw new EtcdError('unreachable', 'gone');
    this.revision++;
    for (const { put, value, remove } of writes) {
      if (remove !== undefined) this.keys.delete(remove);
      else this.keys.set(put!, { key: put!, value: value!, modified: this.revision } as EtcdKey);
    }
    return { done: true, revision: this.revision };
  }

  get(key: string) {
    return this.keys.get(key);
  }

  under(prefix: string) {
    return [...this.keys.values()].filter(({ key }) => key.startsWith(prefix));
  }

  async refresh(): Promise<void> {}
}

/** A node with what it has purged; `file` is that of another run of it. */
function makeNode(
  etcd: Etcd,
  { file = join(folder, `mark-${files++}`), settle = 1e6, fails = (): boolean => false } = {},
) {
  const purged: string[] = [];
  const log = new PurgeLog<string>({
    gateway: etcd as never,
    mirror: etcd,
    keys: KEYS,
    mark: new PurgeMark(file),
    apply: async purge => {
      if (fails()) throw new EdgeError('store', 'the disk is full');
      if (purge === 'nonsense') throw new EdgeError('bad_request', 'no purge');
      purged.push(purge);
      return `done ${purge}`;
    },
    applyAll: async () => purged.push('ALL'),
    log: silentLog,
    settle,
  });
  after(() => log.stop());
  return { log, purged, file };
}

test('what one node purges all do, in order, and each once', async () => {
  const etcd = new Etcd();
  const [a, b] = [makeNode(etcd), makeNode(etcd)];
  await b.log.catchUp();
  assert.deepEqual(await a.log.tell(['1', '2']), ['done 1', 'done 2']);
  await b.log.catchUp();
  await b.log.catchUp();
  assert.deepEqual(a.purged, ['1', '2']);
  assert.deepEqual(b.purged, ['1', '2']);
});

test('a node that was away does what it has missed, and no more, before it is caught up', async () => {
  const etcd = new Etcd();
  const a = makeNode(etcd);
  const before = makeNode(etcd, { settle: 1 });
  await a.log.tell(['1']);
  await before.log.catchUp();
  // Once more, for what it has had from nodes that had not purged yet; then it is kept.
  await until('the purge to be settled', () => before.purged.length === 2);
  await until('it to be kept', () => new PurgeMark(before.file).read()?.revision === etcd.revision);
  before.log.stop();
  await a.log.tell(['2']);
  const back = makeNode(etcd, { file: before.file });
  assert.equal(back.log.isCaughtUp, false);
  await back.log.catchUp();
  assert.equal(back.log.isCaughtUp, true);
  assert.deepEqual(back.purged, ['2']);
});

test('a node that was away for more purges than are kept purges everything', async () => {
  const etcd = new Etcd();
  const a = makeNode(etcd);
  const gone = makeNode(etcd, { settle: 1 });
  await a.log.tell(['first']);
  await gone.log.catchUp();
  await until('the mark', () => new PurgeMark(gone.file).read() !== undefined);
  gone.log.stop();
  for (let n = 0; n < 520; n++) await a.log.tell([`${n}`]);
  assert.equal(etcd.under(KEYS.purges).length, 500);
  const back = makeNode(etcd, { file: gone.file });
  await back.log.catchUp();
  assert.equal(back.purged[0], 'ALL');
  assert.equal(back.purged.length, 501);
  // One that was there all the time has missed nothing.
  assert.ok(!a.purged.includes('ALL'));
});

test('long purges are kept by their length, and one alone whatever its length', async () => {
  const etcd = new Etcd();
  const a = makeNode(etcd);
  for (let n = 0; n < 8; n++) await a.log.tell(['x'.repeat(100_000)]);
  assert.equal(etcd.under(KEYS.purges).length, 5);
  await a.log.tell(['x'.repeat(900_000)]);
  assert.equal(etcd.under(KEYS.purges).length, 1);
});

test('a node that knew another etcd, or whose mark can not be read, does too much rather than too little', async () => {
  const etcd = new Etcd();
  const a = makeNode(etcd);
  const [old, broken] = [join(folder, 'old'), join(folder, 'broken')];
  new PurgeMark(old).write({ store: 'b', revision: 5000 });
  writeFileSync(broken, '{', { mode: 0o600 });
  await a.log.tell(['1']);
  const other = makeNode(etcd, { file: old });
  await other.log.catchUp();
  assert.deepEqual(other.purged, ['ALL', '1']);
  const unread = makeNode(etcd, { file: broken });
  await unread.log.catchUp();
  assert.deepEqual(unread.purged, ['1']);
  // An etcd that was made anew under a running node: it has missed nothing.
  etcd.store = 'c';
  etcd.revision = 1;
  etcd.keys.clear();
  await a.log.tell(['2']);
  assert.deepEqual(a.purged, ['1', '2']);
});

test('without etcd only the node that is asked purges, and says so', async () => {
  const etcd = new Etcd();
  const a = makeNode(etcd);
  etcd.isGone = true;
  await assert.rejects(a.log.tell(['1']), { code: 'overloaded' });
  assert.deepEqual(a.purged, ['1']);
});

test('a purge that fails is tried again, and keeps those behind it waiting; one that is not understood does not', async () => {
  const etcd = new Etcd();
  let fails = true;
  const [a, b] = [makeNode(etcd), makeNode(etcd, { fails: () => fails })];
  await a.log.tell(['nonsense', '1']);
  await b.log.catchUp();
  assert.deepEqual([b.purged, b.log.isCaughtUp], [[], false]);
  fails = false;
  await b.log.catchUp();
  assert.deepEqual([b.purged, b.log.isCaughtUp], [['1'], true]);
});
