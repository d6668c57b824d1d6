import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { COMPILE_BUDGET, MeteredSource } from '../../../../../src/media/io/metered-source.js';
import type { Reading } from '../../../../../src/media/io/reading.js';
import { parseBox } from '../../../../../src/media/mp4/box/box.js';
import { compileRuns, cutRuns, mendTimes, runAt, runOf } from '../../../../../src/media/mp4/table/run-table.js';
import { compileSizes, sizeOf } from '../../../../../src/media/mp4/table/sample-size.js';
import { chunkOf, compileChunks, cutChunks } from '../../../../../src/media/mp4/table/stsc.js';
import { compileSampleNumbers, cutSampleNumbers, syncSamplesBefore } from '../../../../../src/media/mp4/table/stss.js';
import { readTable, type Table } from '../../../../../src/media/mp4/table/table.js';
import { TableBytes } from '../../../../../src/media/mp4/table/table-bytes.js';
import type { TableCut } from '../../../../../src/media/mp4/table/table-cut.js';
import { box } from '../../../../support/mp4/build.js';
import { MemorySource, render } from '../../../../support/virtual.js';

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

/**
 * Performs a reading of bytes at hand: all that it can wait for is a turn of the event loop, which it takes on a busy
 * machine.
 */
function now<T>(reading: Reading<T>): T {
  for (;;) {
    const step = reading.next(undefined as never);
    if (step.done) return step.value;
  }
}

/** A table box in an object, as the compiler meets it. */
function tableIn(bytes: Buffer) {
  const source = new MemorySource(Buffer.concat([Buffer.alloc(32), bytes]));
  const scan = { source: MeteredSource.over(source, COMPILE_BUDGET) };
  const table = now(readTable(source, parseBox(source.bytes, 32, 0, source.size))) as Table;
  return { source, scan, table };
}

/** The 32-bit words of a cut's entries. */
function entriesOf(cut: TableCut, source: MemorySource): number[] {
  const spans = cut.body === undefined ? [] : [cut.body];
  const size = cut.body?.length ?? 0;
  const body = render({ size, etag: '""', lastModified: 0, contentType: '', spans, seekActual: 0 }, source.bytes);
  const inBody = Array.from({ length: size / 4 }, (_, i) => body.readUInt32BE(i * 4));
  return [...(cut.head ?? []), ...inBody, ...(cut.tail ?? [])];
}

const range = fc.tuple(fc.nat(10_000), fc.nat(10_000));
/** `[first, end)` with at least one of `count`. */
function within(count: number, [a, b]: [number, number]): [number, number] {
  const first = a % count;
  return [first, first + 1 + (b % (count - first))];
}

describe('run tables', () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 1000 })), {
    minLength: 1,
    maxLength: 500,
  });

  it('find samples and times, and are cut, as if every sample had its own entry', () => {
    fc.assert(
      fc.property(runs, range, fc.integer({ min: -50, max: 50 }), (list, pick, shift) => {
        const { source, scan, table: head } = tableIn(box('stts', false, words(0, list.length, ...list.flat())));
        const values = list.flatMap(([count, value]) => new Array<number>(count).fill(value));
        const { table, ticks, least, greatest } = now(compileRuns(scan, head, true));
        assert.equal(table.samples, values.length);
        assert.equal(
          ticks,
          values.reduce((sum, value) => sum + value, 0),
        );
        assert.deepEqual([least, greatest], [Math.min(...values), Math.max(...values)]);
        const [first, end] = within(values.length, pick);
        const run = runOf(new TableBytes(source), table, first)!;
        assert.equal(run.value, values[first]);
        const before = values.slice(0, first).reduce((sum, value) => sum + value, 0);
        assert.equal(run.ticks + (first - run.first) * run.value, before);
        const at = runAt(new TableBytes(source), table, before + values[first]! - 1)!;
        assert.equal(at.first + Math.floor((before + values[first]! - 1 - at.ticks) / at.value), first);
        assert.equal(runOf(new TableBytes(source), table, values.length), undefined);
        assert.equal(runAt(new TableBytes(source), table, ticks), undefined);
        const cut = cutRuns(new TableBytes(source), table, first, end, { shift });
        const entries = entriesOf(cut, source);
        assert.equal(entries.length, cut.count * 2);
        const left = [];
        for (let i = 0; i < entries.length; i += 2) left.push(...new Array<number>(entries[i]!).fill(entries[i + 1]!));
        assert.deepEqual(
          left,
          values.slice(first, end).map(value => (value + shift) >>> 0),
        );
      }),
    );
  });

  it('give the first sample less when told so', () => {
    const { source, scan, table: head } = tableIn(box('stts', false, words(0, 2, 3, 10, 1, 20)));
    const { table } = now(compileRuns(scan, head, true));
    const cut = (first: number, end: number) =>
      entriesOf(cutRuns(new TableBytes(source), table, first, end, { trim: 4 }), source);
    assert.deepEqual(cut(0, 4), [1, 6, 2, 10, 1, 20]);
    assert.deepEqual(cut(1, 3), [1, 6, 1, 10]);
    assert.deepEqual(cut(2, 4), [1, 6, 1, 20]);
    assert.deepEqual(cut(3, 4), [1, 16]);
  });

  it('with negative durations or endless sums are refused', () => {
    for (const entries of [
      [1, -480_001],
      [0xffff_ffff, 0x7fff_ffff],
      [0xffff_ffff, 1, 5, 1],
    ]) {
      const { scan, table } = tableIn(box('stts', false, words(0, entries.length / 2, ...entries)));
      assert.throws(
        () => {
          now(compileRuns(scan, table, true));
          now(mendTimes(scan, table, 1));
        },
        { code: 'unplayable' },
      );
    }
  });

  it('with negative durations are mended as ffmpeg reads them, and the last one goes on', () => {
    const mended = (entries: number[], samples: number) => {
      const { source, scan, table } = tableIn(box('stts', false, words(0, entries.length / 2, ...entries)));
      const { table: runs } = now(compileRuns(scan, now(mendTimes(scan, table, samples)), true));
      return entriesOf(cutRuns(new TableBytes(source), runs, 0, samples), source);
    };
    // What a tick more adds is taken off the samples that follow, as long as each keeps a tick.
    assert.deepEqual(mended([50, 512, 1, -100, 99, 512], 150), [50, 512, 1, 1, 99, 511]);
    assert.deepEqual(mended([50, 512, 1, -600, 99, 512], 150), [50, 512, 1, 1, 99, 506]);
    assert.deepEqual(mended([50, 512, 10, -1, 90, 512], 150), [50, 512, 10, 1, 90, 512]);
    assert.deepEqual(mended([2, 10, 3, 7], 9), [2, 10, 7, 7]);
  });
});

describe('sizes', () => {
  it('add up over any range, for every width', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4, 8, 16, 32),
        fc.array(fc.nat(15), { minLength: 1, maxLength: 700, size: 'max' }),
        range,
        (bits, sizes, pick) => {
          const packed = Buffer.alloc(Math.ceil((sizes.length * bits) / 8));
          for (const [i, size] of sizes.entries()) {
            if (bits === 4) packed[i >> 1]! |= i % 2 === 0 ? size << 4 : size;
            else packed.writeUIntBE(size, (i * bits) / 8, bits / 8);
          }
          const bytes =
            bits === 32
              ? box('stsz', false, words(0, 0, sizes.length), packed)
              : box('stz2', false, words(0, bits, sizes.length), packed);
          const { source, scan, table: head } = tableIn(bytes);
          const table = now(compileSizes(scan, head, true));
          const sum = (from: number, to: number) => sizes.slice(from, to).reduce((total, size) => total + size, 0);
          assert.equal(sizeOf(new TableBytes(source), table, 0, sizes.length), sum(0, sizes.length));
          const [from, to] = within(sizes.length, pick);
          assert.equal(sizeOf(new TableBytes(source), table, from, to), sum(from, to));
          assert.equal(sizeOf(new TableBytes(source), table, from, sizes.length), sum(from, sizes.length));
          assert.equal(sizeOf(new TableBytes(source), table, from, from), 0);
        },
      ),
    );
  });

  it('of samples that the table does not have are refused', () => {
    const sixteen = Buffer.from([0, 1, 0, 2, 0, 3]);
    for (const bytes of [
      box('stz2', false, words(0, 16, 3), sixteen),
      box('stsz', false, words(0, 0, 3, 1, 2, 3)),
      box('stsz', false, words(0, 7, 3)),
    ]) {
      const { source, scan, table: head } = tableIn(bytes);
      const table = now(compileSizes(scan, head, true));
      assert.ok(sizeOf(new TableBytes(source), table, 0, 3) > 0);
      for (const [from, to] of [
        [2, 4],
        [3, 5],
        [-1, 2],
      ] as const)
        assert.throws(() => sizeOf(new TableBytes(source), table, from, to), {
          code: 'unplayable',
          message: /3 samples/,
        });
    }
  });

  it('that are all the same need no table', () => {
    const { source, scan, table: head } = tableIn(box('stsz', false, words(0, 4, 0xffff_fff0)));
    const table = now(compileSizes(scan, head, true));
    assert.equal(sizeOf(new TableBytes(source), table, 7, 1_000_000_007), 4_000_000_000);
  });
});

describe('sync samples', () => {
  it('past the last sample are left out, and a list that counts from 0 is read as one that counts from 1', () => {
    const numbers = (list: number[], samples: number) => {
      const { source, scan, table: head } = tableIn(box('stss', false, words(0, list.length, ...list)));
      const table = now(compileSampleNumbers(scan, head, samples));
      return entriesOf(cutSampleNumbers(new TableBytes(source), table, 0, samples, true), source);
    };
    assert.deepEqual(numbers([1, 5, 9, 10, 400], 9), [1, 5, 9]);
    assert.deepEqual(numbers([0, 5, 9], 9), [1, 6]);
    const long = Array.from({ length: 700 }, (_, i) => i * 3);
    assert.deepEqual(
      numbers(long, 1000),
      long.map(number => number + 1).filter(number => number <= 1000),
    );
  });

  it('are found and renumbered', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 600, size: 'max' });
    fc.assert(
      fc.property(numbers, range, fc.integer({ min: 1, max: 20 }), (list, pick, most) => {
        const sorted = list.sort((a, b) => a - b);
        const { source, scan, table: head } = tableIn(box('stss', false, words(0, sorted.length, ...sorted)));
        const table = now(compileSampleNumbers(scan, head, 3000));
        const [first, end] = within(3000, pick);
        const expected = sorted
          .filter(number => number - 1 <= first)
          .reverse()
          .slice(0, most);
        assert.deepEqual(
          syncSamplesBefore(new TableBytes(source), table, first, most),
          expected.map(number => number - 1),
        );
        const cut = cutSampleNumbers(new TableBytes(source), table, first, end, false);
        const left = sorted.filter(number => number > first && number <= end).map(number => number - first);
        assert.deepEqual(entriesOf(cut, source), left);
        assert.equal(cut.count, left.length);
      }),
    );
  });
});

describe('chunks', () => {
  it('are found by sample, and cut with the first and last one shortened', () => {
    const chunks = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 2 })), {
      minLength: 1,
      maxLength: 400,
    });
    fc.assert(
      fc.property(chunks, range, (list, pick) => {
        const entries: number[][] = [];
        for (const [i, [count, description]] of list.entries()) {
          const last = entries.at(-1);
          if (last?.[1] !== count || last[2] !== description) entries.push([i + 1, count, description]);
        }
        const { source, scan, table: head } = tableIn(box('stsc', false, words(0, entries.length, ...entries.flat())));
        const probe = 1 + (pick[0] % list.length);
        const sums = now(compileChunks(scan, head, list.length, probe));
        const owners = list.flatMap(([count], chunk) => new Array<number>(count).fill(chunk + 1));
        assert.equal(sums.samples, owners.length);
        assert.equal(sums.largest, Math.max(...list.map(([count]) => count)));
        const { table } = sums;
        assert.deepEqual(sums.probe, chunkOf(new TableBytes(source), table, list.length, owners.indexOf(probe)));
        const [first, end] = within(owners.length, pick);
        const [headChunk, tailChunk] = [first, end - 1].map(sample =>
          chunkOf(new TableBytes(source), table, list.length, sample),
        );
        assert.equal(headChunk!.number, owners[first]);
        assert.equal(headChunk!.first, owners.indexOf(owners[first]!));
        assert.equal(headChunk!.description, list[owners[first]! - 1]![1]);
        const cut = cutChunks(table, { first, end, head: headChunk!, tail: tailChunk! });
        const got = entriesOf(cut, source);
        assert.equal(got.length, cut.count * 3);
        const left = list.slice(owners[first]! - 1, owners[end - 1]!).map(([, description], i, all) => {
          const chunk = owners[first]! + i;
          const count = owners.slice(first, end).filter(owner => owner === chunk).length;
          return [count, description, all.length];
        });
        const back: number[][] = [];
        for (let i = 0; i < got.length; i += 3) {
          const next = got[i + 3] ?? left.length + 1;
          assert.ok(next > got[i]!, 'entries are in order');
          for (let chunk = got[i]!; chunk < next; chunk++) back.push([got[i + 1]!, got[i + 2]!, left.length]);
        }
        assert.deepEqual(back, left);
      }),
    );
  });

  it('out of order, beyond the last, or without samples are refused', () => {
    for (const entries of [
      [2, 1, 1],
      [1, 1, 1, 1, 2, 1],
      [1, 1, 1, 9, 1, 1],
      [1, 0, 1],
    ]) {
      const { scan, table } = tableIn(box('stsc', false, words(0, entries.length / 3, ...entries)));
      assert.throws(() => now(compileChunks(scan, table, 5, 1)), { code: 'unplayable' }, String(entries));
    }
  });
});

describe('table heads', () => {
  it('that claim more entries than there is room for are refused', () => {
    const bytes = Buffer.concat([Buffer.alloc(32), box('stco', false, words(0, 3, 1, 2))]);
    const source = new MemorySource(bytes);
    assert.throws(() => now(readTable(source, parseBox(bytes, 32, 0, bytes.length))), {
      code: 'unplayable',
      message: /3 entries, and has room for 2/,
    });
    for (const short of [box('stsz', false, words(0, 0)), box('stts', false), box('stz2', false, words(0, 24, 0))]) {
      const file = new MemorySource(short);
      assert.throws(() => now(readTable(file, parseBox(short, 0, 0, short.length))), { code: 'unplayable' });
    }
  });
});
