import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ReplayGuard } from '../../../src/cluster/peer/replay-guard.js';

const folder = mkdtempSync('/dev/shm/moovedge-replays-');
after(() => rmSync(folder, { recursive: true, force: true }));
const nonce = () => randomBytes(12).toString('base64url');

test('a nonce is fresh once, for all who share the folder, within its time', () => {
  const [one, two] = [new ReplayGuard(join(folder, 'a')), new ReplayGuard(join(folder, 'a'))];
  const now = 1_700_000_000_000;
  const seen = Array.from({ length: 10_000 }, nonce);
  for (const [at, each] of seen.entries()) assert.equal((at % 2 ? one : two).isFresh(each, now + at, now), true);
  for (const [at, each] of seen.entries()) assert.equal((at % 3 ? one : two).isFresh(each, now + at, now), false);
  one.close();
  two.close();
});

test('files of old requests are removed', () => {
  const guard = new ReplayGuard(join(folder, 'b'));
  const start = Date.now() - 600_000;
  for (let time = start; time < start + 300_000; time += 1000) guard.isFresh(nonce(), time, time);
  assert.ok(readdirSync(join(folder, 'b')).length <= 6, String(readdirSync(join(folder, 'b'))));
  guard.close();
});

test('of processes that are sent one request at a time, one takes it', async () => {
  const file = fileURLToPath(new URL('../../support/replay-process.ts', import.meta.url));
  const nonces = Array.from({ length: 2000 }, nonce);
  const args = [join(folder, 'c'), String(Date.now())];
  const children = Array.from({ length: 3 }, () => fork(file, args));
  const next = <T>(child: ChildProcess) => new Promise<T>(resolve => child.once('message', resolve as never));
  await Promise.all(children.map(child => next(child)));
  const fresh = children.map((): boolean[] => []);
  // In small lots, so that the processes are in one another's way.
  for (let at = 0; at < nonces.length; at += 20) {
    const answers = children.map(child => next<boolean[]>(child));
    for (const child of children) child.send(nonces.slice(at, at + 20));
    for (const [child, answer] of (await Promise.all(answers)).entries()) fresh[child]!.push(...answer);
  }
  for (const child of children) child.disconnect();
  assert.deepEqual(
    nonces.map((_, at) => fresh.filter(each => each[at]).length),
    nonces.map(() => 1),
  );
  assert.ok(
    fresh.every(each => each.includes(true)),
    'they ran at the same time',
  );
});
