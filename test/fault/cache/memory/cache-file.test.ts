import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EXIT } from '../../../../src/app/exit-code.js';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { EdgeError } from '../../../../src/base/errors.js';
import { inspectMemoryTier } from '../../../../src/cache/memory/memory-inspection.js';
import { defaultMemorySize } from '../../../../src/cache/memory/memory-size.js';
import { ABSENT } from '../../../../src/cache/memory/memory-tier.js';
import { SharedMemoryTier, type SharedMemoryTierOptions } from '../../../../src/cache/memory/shared-memory-tier.js';
import { inspectCache } from '../../../../src/commands/inspect-cache.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { onSmallDisk } from '../../../support/small-disk.js';
import { temporaryCacheFile } from '../../../unit/cache/memory/temporary-tier.js';
import { PATTERN_ID, pattern, patternLength } from './pattern.js';

const BLOCKS = 40;

function open(file: string, options: Partial<SharedMemoryTierOptions> = {}): SharedMemoryTier {
  return new SharedMemoryTier({
    ...DEFAULTS.memoryTier,
    file,
    role: 'supervisor',
    size: BLOCKS * BLOCK_SIZE,
    ...options,
  });
}

function refused(file: string, message: RegExp, options: Partial<SharedMemoryTierOptions> = {}): void {
  assert.throws(
    () => open(file, options).close(),
    (error: unknown) => {
      assert.ok(error instanceof EdgeError, String(error));
      assert.equal(error.code, 'cache_file');
      assert.match(error.message, message);
      return true;
    },
  );
}

function fill(tier: SharedMemoryTier, block: number): boolean {
  const claim = tier.claim(PATTERN_ID, block, patternLength(block));
  if (typeof claim === 'string') return false;
  claim.append(pattern(block, claim.watermark, patternLength(block)));
  return true;
}

/** Readable bytes, none of them wrong. */
function read(tier: SharedMemoryTier, block: number): number {
  const readable = tier.acquire(PATTERN_ID, block);
  if (readable === ABSENT) return readable;
  assert.ok(pattern(block, 0, readable).equals(tier.view(0, readable)), `wrong bytes in block ${block}`);
  tier.release();
  return readable;
}

function count(tier: SharedMemoryTier): number {
  let whole = 0;
  for (let block = 0; block < BLOCKS; block++) if (read(tier, block) === patternLength(block)) whole++;
  return whole;
}

function made(file: string): void {
  const tier = open(file);
  for (let block = 0; block < BLOCKS; block++) assert.ok(fill(tier, block));
  tier.close();
}

/** Runs the rest of a test in the folder of a tmpfs with these options. */
function onTmpfs(context: TestContext, options: string, work: (folder: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-tmpfs-'));
  return onSmallDisk(context, folder, options, disk => work(disk.path));
}

it('the default size counts what the file that is there takes, so that a small filesystem has room at each start', context =>
  onSmallDisk(context, '/dev/shm/moovedge-test-default', 'size=160m', ({ path }) => {
    const file = join(path, 'cache');
    assert.equal(defaultMemorySize(file, 2 ** 40), 80 << 20);
    writeFileSync(file, Buffer.alloc(80 << 20));
    assert.equal(defaultMemorySize(file, 2 ** 40), 80 << 20);
    writeFileSync(join(path, 'another'), Buffer.alloc(40 << 20));
    assert.throws(() => defaultMemorySize(file, 2 ** 40), { code: 'cache_file' });
  }));

describe('the cache file', () => {
  it('of another program is refused and left as it is', () => {
    const { file, remove } = temporaryCacheFile();
    for (const content of [Buffer.from('precious'), Buffer.alloc(3 << 20), Buffer.alloc(70_000, 'moovedge block!')]) {
      writeFileSync(file, content);
      refused(file, /is not a cache file of moovedge; remove it or choose another/);
      refused(file, /is not a cache file of moovedge/, { role: 'worker' });
      assert.equal(statSync(file).size, content.length);
      assert.throws(() => inspectMemoryTier(file), /is not a cache file/);
    }
    remove();
  });

  it('that is a directory, a device or nowhere is told in words', () => {
    const { file, remove } = temporaryCacheFile();
    mkdirSync(file);
    refused(file, /it is a directory; cache.memory.file must name a file/);
    remove();
    refused('/dev/null', /is not a regular file/);
    refused(join(file, 'x'), /it does not exist, or its directory does not/);
    refused('/etc/passwd/x', /not a directory/);
    refused(file, /does not exist/, { role: 'worker' });
  });

  it('of another user, or without permission, is refused', context => {
    if (process.geteuid?.() !== 0) return context.skip('needs root to be somebody else');
    const { file, remove } = temporaryCacheFile();
    made(file);
    process.seteuid!(65534);
    try {
      refused(file, /no permission/);
      assert.throws(() => inspectMemoryTier(file), /Permission denied/);
    } finally {
      process.seteuid!(0);
    }
    chownSync(file, 65534, 65534);
    chmodSync(file, 0o666);
    refused(file, /belongs to user 65534|no permission/);
    remove();
  });

  it('that is cut off is made anew, wherever the cut is', () => {
    const { file, remove } = temporaryCacheFile();
    made(file);
    const { size } = statSync(file);
    for (const length of [17, 4095, 4096, 300_000, size - BLOCK_SIZE, size - 1]) {
      truncateSync(file, length);
      refused(file, /cut off/, { role: 'worker' });
      const tier = open(file);
      assert.equal(count(tier), 0);
      for (let block = 0; block < BLOCKS; block++) assert.ok(fill(tier, block));
      assert.equal(count(tier), BLOCKS);
      tier.close();
    }
    remove();
  });

  it('that somebody still has open is not cut off when it is made anew', () => {
    const { file, remove } = temporaryCacheFile();
    made(file);
    const old = open(file);
    const next = open(file, { takeOver: true, size: 2 * BLOCKS * BLOCK_SIZE });
    assert.equal(count(next), BLOCKS, 'its blocks are taken along');
    assert.equal(count(old), BLOCKS);
    assert.ok(fill(next, BLOCKS));
    assert.equal(count(old), BLOCKS);
    old.close();
    assert.equal(read(next, BLOCKS), BLOCK_SIZE);
    next.close();
    remove();
  });

  it('takes along what fits, what was used last first, when it grows or shrinks, whoever uses it still', () => {
    for (const takeOver of [false, true]) {
      for (const blocks of [BLOCKS / 4, BLOCKS - 1, 2 * BLOCKS, 600, 3 * 600]) {
        const { file, remove } = temporaryCacheFile();
        made(file);
        const old = open(file);
        // The hot ones.
        for (let block = 0; block < BLOCKS / 8; block++) assert.ok(read(old, block) > 0);
        if (!takeOver) old.close();
        const next = open(file, { takeOver, size: blocks * BLOCK_SIZE });
        assert.equal(count(next), Math.min(blocks, BLOCKS), `${blocks} blocks`);
        for (let block = 0; block < BLOCKS / 8; block++) assert.ok(next.has(PATTERN_ID, block), `block ${block}`);
        // With their content, which `read` verifies; and the index takes new ones.
        for (let block = 0; block < BLOCKS; block++) {
          if (next.has(PATTERN_ID, block)) assert.equal(read(next, block), patternLength(block));
        }
        assert.ok(fill(next, 5000));
        assert.ok(read(next, 5000) > 0);
        if (takeOver) old.close();
        next.close();
        const again = open(file, { size: blocks * BLOCK_SIZE });
        assert.ok(again.clean);
        assert.ok(again.has(PATTERN_ID, 5000));
        again.close();
        remove();
      }
    }
  });

  it('takes no damaged block along', () => {
    const { file, remove } = temporaryCacheFile();
    made(file);
    const { size } = statSync(file);
    const bytes = readFileSync(file);
    const dataAt = size - BLOCKS * BLOCK_SIZE;
    // A byte of every second block.
    for (let slot = 0; slot < BLOCKS; slot += 2) bytes[dataAt + slot * BLOCK_SIZE + 7]! ^= 1;
    writeFileSync(file, bytes);
    const next = open(file, { size: 2 * BLOCKS * BLOCK_SIZE });
    assert.equal(count(next), BLOCKS / 2);
    for (let block = 0; block < BLOCKS; block++) {
      if (next.has(PATTERN_ID, block)) assert.equal(read(next, block), patternLength(block));
    }
    next.close();
    remove();
  });

  it('with flipped bits anywhere gives no wrong byte, and works', () => {
    const { file, remove } = temporaryCacheFile();
    made(file);
    const { size } = statSync(file);
    const dataAt = size - BLOCKS * BLOCK_SIZE;
    let state = 12345;
    const random = (limit: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    // Where a bit may be: index and slot headers are small beside the counters and the blocks.
    const layout = { stripes: 4096 + 640 * 704 + 65536 * 4, slots: 4096 + 640 * 704 + 65536 * 4 + 3 * 4096 };
    const places = [
      () => 160 + random(100),
      () => 4096 + random(64 * 704),
      () => layout.stripes + random(12_288),
      () => layout.slots + random(BLOCKS * 64),
      () => layout.slots + random(BLOCKS * 64),
      () => dataAt + random(BLOCKS * BLOCK_SIZE),
    ];
    let lost = 0;
    for (let round = 0; round < 60; round++) {
      const descriptor = openSync(file, 'r+');
      for (let flip = 0; flip < 1 + (round % 4); flip++) {
        const at = places[(round + flip) % places.length]!();
        const byte = Buffer.alloc(1);
        readSync(descriptor, byte, 0, 1, at);
        byte[0]! ^= 1 << random(8);
        writeSync(descriptor, byte, 0, 1, at);
      }
      closeSync(descriptor);
      const tier = open(file, { verify: 'always' });
      lost += BLOCKS - count(tier);
      for (let block = 0; block < BLOCKS; block++) fill(tier, block);
      assert.equal(count(tier), BLOCKS, `round ${round}`);
      tier.close();
    }
    // Some were damaged, and few were lost for it.
    assert.ok(lost >= 10 && lost <= 160, `${lost} blocks lost`);
    remove();
  });

  it('on a filesystem that is too small is refused before anything is used, and one that just fits works', context =>
    onTmpfs(context, 'size=32m', folder => {
      const file = join(folder, 'cache');
      refused(file, /has 32 MiB free, the cache needs \d+ MiB; set a smaller cache.memory.size, or enlarge/, {
        size: 64 << 20,
      });
      assert.deepEqual(readdirSync(folder), []);
      refused(file, /has 32 MiB free; the smallest memory tier takes 64 MiB/, { size: undefined });
      const tier = open(file, { size: 28 << 20 });
      // Nothing is left for others, and still every block can be written.
      assert.throws(() => writeFileSync(join(folder, 'other'), Buffer.alloc(4 << 20)), /ENOSPC/);
      for (let block = 0; block < 112; block++) assert.ok(fill(tier, block));
      for (let block = 0; block < 112; block++) assert.equal(read(tier, block), patternLength(block));
      tier.close();
      assert.ok(existsSync(file));
      open(file, { size: 28 << 20 }).close();
    }));

  it('with holes, as a copy may have, is refused where they can not be filled', context =>
    onTmpfs(context, 'size=24m', folder => {
      const file = join(folder, 'cache');
      const sparse = open(file, { size: 28 << 20, reserve: false });
      sparse.close();
      refused(file, /the cache needs \d+ MiB/, { size: 28 << 20 });
    }));

  it('on a read-only filesystem is refused', context =>
    onTmpfs(context, 'size=1m,ro', folder => refused(join(folder, 'cache'), /read-only/)));

  it('on a disk filesystem works as well', () => {
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-cache-'));
    const file = join(folder, 'cache');
    made(file);
    const tier = open(file);
    assert.equal(tier.clean, true);
    assert.equal(count(tier), BLOCKS);
    tier.close();
    // A copy is as good as the original.
    copyFileSync(file, `${file}-copy`);
    const copy = open(`${file}-copy`);
    assert.equal(count(copy), BLOCKS);
    copy.close();
    rmSync(folder, { recursive: true });
  });

  it('is told of by inspect-cache while it is in use, when it is not, and when it is no cache', async () => {
    const { file, remove } = temporaryCacheFile();
    const inspect = async (options: object = {}) => {
      let text = '';
      const code = await inspectCache({ file, ...options }, more => {
        text += more;
      });
      return { code, text };
    };
    made(file);
    const tier = open(file);
    read(tier, 1);
    let { code, text } = await inspect({ disk: async () => [['blocks', '7']] });
    assert.equal(code, 0);
    assert.match(
      text,
      new RegExp(`^memory tier ${file}\n  state +in use by 1 process\n +supervisor ${process.pid} since`),
    );
    assert.match(text, /\n {2}capacity +10\.0 MiB\n/);
    assert.match(text, /\n {2}used +10\.0 MiB in 40 blocks, 100\.0 %\n/);
    assert.match(text, /\n {2}hits, misses +1, 0; 100\.0 % hits\n/);
    assert.match(text, /\ndisk tier\n {2}blocks +7\n$/);
    tier.close();
    assert.match((await inspect()).text, /not in use, stopped cleanly/);
    writeFileSync(file, 'something else');
    ({ code, text } = await inspect());
    assert.equal(code, EXIT.cantCreate);
    assert.match(text, /can't be read: it is not a cache file of moovedge/);
    remove();
    assert.equal((await inspect()).code, EXIT.cantCreate);
  });
});
