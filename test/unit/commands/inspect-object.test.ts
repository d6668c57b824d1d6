import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ABSENT } from '../../../src/cache/memory/memory-tier.js';
import { idText } from '../../../src/catalog/object-identity.js';
import { objectRows, readId } from '../../../src/commands/inspect-object.js';
import { idOf, TemporaryTier } from '../cache/memory/temporary-tier.js';

const ID = idOf(5);

function fill(tier: TemporaryTier, block: number, bytes = 100): void {
  const claim = tier.claim(ID, block, 100);
  assert.ok(typeof claim === 'object');
  claim.append(Buffer.alloc(bytes));
  if (bytes < 100) claim.abandon();
}

function view(tier: TemporaryTier, block: number): void {
  assert.notEqual(tier.acquire(ID, block), ABSENT);
  tier.release();
}

const rowsOf = (tier: TemporaryTier, ...onDisk: number[]) =>
  objectRows(tier.file, ID, new Set(onDisk)).map(([name, text]) => `${name}: ${text.replaceAll(/\d+ s\b/g, 'N s')}`);

test('each block is told of: where it is, and why it stays or goes', () => {
  const tier = new TemporaryTier(64, { notesDemand: true, policy: 'demand' });
  assert.deepEqual(rowsOf(tier), ['blocks: none is in memory or on disk']);
  for (let block = 0; block < 5; block++) fill(tier, block);
  fill(tier, 6, 50);
  for (let block = 0; block < 3; block++) view(tier, block);
  const rows = rowsOf(tier, 4, 5, 8);
  assert.match(
    rows[0]!,
    /^blocks 0 to 1: memory, stays: it is watched often; used again in .*; 1 view; last used N s ago$/,
  );
  assert.equal(rows[1], 'block 2: memory, stays: somebody reads it; 1 view; last used N s ago');
  assert.match(rows[2]!, /^block 3: memory, stays: a viewer is on the way; used again in N s.*; 0 views; last used/);
  assert.match(rows[3]!, /^block 4: memory and disk, stays: a viewer is on the way; used again/);
  assert.match(rows[4]!, /^block 5: disk, would be worth a place: a viewer is on the way; used again in N s$/);
  assert.match(rows[5]!, /^block 6: memory, stays: /);
  assert.match(rows[6]!, /^block 7: neither, would be worth a place/);
  assert.match(rows[7]!, /^block 8: disk, would be/);
  assert.equal(rows.length, 8);
  // The viewer leaves, and has not been one of many.
  tier.leave(ID, 2);
  tier.evictBy('demand');
  const left = rowsOf(tier);
  assert.ok(
    left.every(row => !row.includes('a viewer is') && !row.includes('reads it')),
    left.join('\n'),
  );
  // All of a small tier are condemned in the end; what is used again is not.
  tier.coldest(0.5, { minViews: 0, minUses: 0, seconds: 0 }, 64);
  assert.match(rowsOf(tier).join('\n'), /: memory, goes next: it is wanted least of many; used again/);
  tier.close();
});

test('without demand it is told that the one used least recently goes', () => {
  const tier = new TemporaryTier(64);
  for (let block = 0; block < 2; block++) fill(tier, block);
  assert.deepEqual(rowsOf(tier, 2), [
    'blocks 0 to 1: memory, goes when it is the one used least recently; 0 views; last used N s ago',
    'block 2: disk',
  ]);
  tier.close();
});

test('an id is read as it is told, and nothing else is one', () => {
  assert.deepEqual(readId(idText(ID)), ID);
  for (const text of ['', 'x', idText(ID).slice(1), `${idText(ID)}0`, '/films/a.mp4']) {
    assert.throws(() => readId(text), /expected the id of an object version/);
  }
});
