import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteSource } from '../../../../../src/base/byte-source.js';
import { perform } from '../../../../../src/media/io/reading.js';
import { lookUp, mapTogether, type TableBytes } from '../../../../../src/media/mp4/table/table-bytes.js';

/** Byte `i` is `i % 256`. Reads from `absent` on wait for `arrive`, each time that they are asked for. */
class SlowSource implements ByteSource {
  readonly size = 1 << 20;
  reads = 0;
  #waiting: (() => void)[] = [];

  constructor(private readonly absent: number) {}

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    this.reads++;
    const bytes = Uint8Array.from({ length }, (_, i) => (offset + i) % 256);
    if (offset < this.absent) return bytes;
    return new Promise(resolve => this.#waiting.push(() => resolve(bytes)));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  arrive(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function sumOf(bytes: TableBytes, offsets: readonly number[]): number {
  return offsets.reduce((sum, offset) => sum + bytes.read(offset, 4)[0]!, 0);
}

describe('lookups in tables', () => {
  it('are made at once when all bytes are at hand, and read the same bytes once', () => {
    const source = new SlowSource(1000);
    const sum = perform(lookUp(source, bytes => sumOf(bytes, [1, 2, 3, 1, 2, 3])));
    assert.equal(sum, 12);
    assert.equal(source.reads, 3);
  });

  it('wait for each read that is not at hand, however many there are', async () => {
    const source = new SlowSource(1000);
    const offsets = Array.from({ length: 40 }, (_, i) => i * 100);
    const sum = perform(lookUp(source, bytes => sumOf(bytes, offsets)));
    assert.ok(sum instanceof Promise);
    let waits = 0;
    for (; source.waiting > 0; await new Promise(setImmediate)) {
      assert.equal(source.waiting, 1);
      waits++;
      source.arrive();
    }
    assert.equal(waits, 30);
    assert.equal(
      await sum,
      offsets.reduce((whole, offset) => whole + (offset % 256), 0),
    );
  });

  it('wait at the same time for what several items need', async () => {
    const source = new SlowSource(0);
    const sum = perform(lookUp(source, bytes => mapTogether([3, 400, 5000], offset => bytes.read(offset, 1)[0])));
    assert.equal(source.waiting, 3);
    source.arrive();
    assert.deepEqual(await sum, [3, 400 % 256, 5000 % 256]);
    assert.equal(source.reads, 3);
  });

  it('fail as they do, and as their source does', async () => {
    const failing: ByteSource = { size: 9, read: () => Promise.reject(new Error('the origin is down')) };
    await assert.rejects(async () => perform(lookUp(failing, bytes => bytes.read(0, 1))), /the origin is down/);
    const broken = () => {
      throw new Error('broken');
    };
    assert.throws(() => perform(lookUp(new SlowSource(9), broken)), /broken/);
    const both = (bytes: TableBytes) => mapTogether([0, 1], item => (item === 0 ? bytes.read(0, 1) : broken()));
    assert.throws(() => perform(lookUp(failing, both)), /broken/);
  });
});
