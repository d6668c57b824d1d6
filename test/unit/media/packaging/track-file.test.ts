import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  fieldOf,
  parseMoof,
  SAMPLE_DURATION,
  SAMPLE_FLAGS,
  SAMPLE_OFFSET,
  SAMPLE_SIZE,
} from '../../../../src/media/fmp4/moof.js';
import { parseBoxes, u32, u64 } from '../../../../src/media/mp4/box/box.js';
import type { KeyFrames, PackageTrack, SampleRun } from '../../../../src/media/packaging/media-package.js';
import { type ReadSamples, TrackFiles } from '../../../../src/media/packaging/track-file.js';
import { lengthOf, sliceSpans } from '../../../../src/virtual-file/slice.js';
import { contentAt } from '../../../support/content.js';
import { bytesOf } from '../../../support/open-spans.js';
import { packageTrack } from '../../../support/package-track.js';

const object = contentAt('/track', 'v1', 0, 20_000);
const FIELDS = [SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_OFFSET];
const ENTRY = Buffer.concat([Buffer.from([0, 0, 0, 86]), Buffer.from('avc1'), Buffer.alloc(78, 1)]);
const files = new TrackFiles({ hvc1: true, memory: 1 << 20 });

interface Sample {
  readonly offset: number;
  readonly size: number;
  readonly duration: number;
  readonly composition: number;
  readonly flags: number;
}

/** A track of these samples, and the way to read them. */
function trackOf(
  rows: readonly (readonly Sample[])[],
  fields: readonly number[],
  more: Partial<PackageTrack> = {},
): { track: PackageTrack; read: ReadSamples } {
  const all = rows.flat();
  const sums = (values: readonly number[], first = 0) =>
    Float64Array.from([0, ...values]).map((_, i) => first + values.slice(0, i).reduce((sum, value) => sum + value, 0));
  const ticks = sums(
    rows.map(row => row.reduce((sum, { duration }) => sum + duration, 0)),
    5_000_000_000,
  );
  const segments = {
    count: rows.length,
    samples: sums(
      rows.map(({ length }) => length),
      100,
    ),
    times: ticks,
    begins: ticks,
    bytes: sums(rows.map(row => row.reduce((sum, { size }) => sum + size, 0))),
    fields: Uint16Array.from(fields),
  };
  const read = (first: number, end: number): SampleRun => {
    const run = all.slice(first - 100, end - 100);
    return {
      count: run.length,
      offsets: Float64Array.from(run, ({ offset }) => offset),
      sizes: Uint32Array.from(run, ({ size }) => size),
      durations: Uint32Array.from(run, ({ duration }) => duration),
      compositions: Int32Array.from(run, ({ composition }) => composition),
      flags: Uint32Array.from(run, ({ flags }) => flags),
    };
  };
  return { track: packageTrack({ entry: ENTRY, segments, end: ticks.at(-1)!, ...more }), read };
}

const sample = fc.record({
  offset: fc.nat(19_000),
  size: fc.nat(900),
  duration: fc.nat(0xfff_ffff),
  composition: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  flags: fc.nat(0xffff_ffff),
});
const rows = fc.array(fc.array(sample, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });
const someFields = fc.subarray(FIELDS).map(bits => bits.reduce((sum, bit) => sum | bit, 0));
const defaults = { defaultDuration: 1001, defaultSize: 7 };

describe('the file of a track', () => {
  it('is its init segment, its index and its segments, each of the size that was said before', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.array(someFields, { minLength: 8, maxLength: 8 }),
        fc.boolean(),
        async (list, fields, later) => {
          const { track, read } = trackOf(list, fields.slice(0, list.length), defaults);
          const file = files.of(track);
          const reads: ReadSamples = (a, b) => (later ? Promise.resolve(read(a, b)) : read(a, b));
          const whole = await bytesOf(file.spans(reads), object);
          assert.equal(whole.length, file.size);
          const boxes = parseBoxes(whole, 0, whole.length);
          const types = ['ftyp', 'moov', 'sidx', ...list.flatMap(() => ['moof', 'mdat'])];
          assert.deepEqual(
            boxes.map(({ type }) => type),
            types,
          );
          assert.deepEqual(whole.subarray(0, file.init.length), Buffer.from(file.init));
          assert.deepEqual(file.sidx, { offset: boxes[2]!.offset, length: boxes[2]!.end - boxes[2]!.offset });
          const { segments } = track;
          let at = boxes[2]!.end;
          for (let row = 0; row < list.length; row++) {
            assert.equal(file.segmentOffset(row), at);
            const segment = file.segment(row, reads);
            assert.equal(lengthOf(segment), file.segmentSize(row));
            assert.deepEqual(await bytesOf(segment, object), whole.subarray(at, at + file.segmentSize(row)));
            const kept = file.segment(row, () => assert.fail('its samples are known'));
            assert.ok(kept.every(({ kind }) => kind !== 'sectioned'));
            assert.deepEqual(await bytesOf(kept, object), await bytesOf(segment, object));
            const reference = boxes[2]!.offset + 40 + row * 12;
            assert.equal(u32(whole, reference), file.segmentSize(row));
            assert.equal(u32(whole, reference + 4), segments.begins[row + 1]! - segments.begins[row]!);
            assert.equal(u32(whole, reference + 8), 0x9000_0000);
            at += file.segmentSize(row);
          }
          assert.equal(u64(whole, boxes[2]!.offset + 20), segments.begins[0]);
          assert.equal(at, whole.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives any range of itself, and reads the samples of segments in it only', async () => {
    await fc.assert(
      fc.asyncProperty(rows, someFields, fc.nat(), fc.nat(), async (list, fields, a, b) => {
        const { track, read } = trackOf(
          list,
          list.map(() => fields),
          defaults,
        );
        const file = new TrackFiles({ hvc1: true, memory: 0 }).of(track);
        const whole = await bytesOf(file.spans(read), object);
        const from = a % file.size;
        const to = from + 1 + (b % (file.size - from));
        const touched: number[] = [];
        const part = sliceSpans(
          file.spans((first, end) => {
            touched.push(first);
            return read(first, end);
          }),
          from,
          to,
        );
        assert.deepEqual(await bytesOf(part, object), whole.subarray(from, to));
        const expected = list.flatMap((_, row) => {
          const begin = file.segmentOffset(row);
          return begin < to && begin + file.segmentSize(row) > from ? [track.segments.samples[row]!] : [];
        });
        assert.deepEqual(touched, expected);
      }),
      { numRuns: 60 },
    );
  });

  it('reads the samples of a segment once for all who ask, as long as there is room', async () => {
    const sample = { offset: 0, size: 10, duration: 1, composition: 0, flags: 0 };
    for (const [memory, expected] of [
      [0, 4],
      [1 << 20, 2],
    ] as const) {
      const { track, read } = trackOf([[sample], [sample]], [0, 0], defaults);
      const file = new TrackFiles({ hvc1: true, memory }).of(track);
      let reads = 0;
      const counted = (first: number, end: number) => {
        reads++;
        return read(first, end);
      };
      const once = [await bytesOf(file.segment(0, counted), object), await bytesOf(file.segment(1, counted), object)];
      const again = [await bytesOf(file.segment(0, counted), object), await bytesOf(file.segment(1, counted), object)];
      assert.deepEqual(again, once);
      assert.equal(reads, expected);
    }
  });

  it('has fragments that say of each sample what the run does, in its fields or by the defaults', async () => {
    const some = fc.record({
      list: rows,
      fields: someFields,
      syncs: fc.constantFrom('all' as const, 'first' as const),
    });
    await fc.assert(
      fc.asyncProperty(some, async ({ list, fields, syncs }) => {
        const { track, read } = trackOf(
          list,
          list.map(() => fields),
          { ...defaults, syncs },
        );
        for (const [row, samples] of list.entries()) {
          // Without the field a sample has the default size; the rest of this is about samples that do.
          if ((fields & SAMPLE_SIZE) === 0 && samples.some(({ size }) => size !== 7)) continue;
          const bytes = await bytesOf(files.of(track).segment(row, read), object);
          const [moof, mdat] = parseBoxes(bytes, 0, bytes.length);
          const box = bytes.subarray(0, moof!.end);
          assert.equal(u32(box, 20), row + 1);
          const known = [{ id: 1, timescale: 1000 }] as unknown as Parameters<typeof parseMoof>[2];
          const [fragment] = parseMoof(box, 0, known);
          assert.equal(fragment!.decodeTime, track.segments.times[row]);
          assert.equal(fragment!.runs.length, 1);
          const run = fragment!.runs[0]!;
          assert.equal(run.position, mdat!.offset + mdat!.headerSize);
          const view = new DataView(box.buffer, box.byteOffset, box.length);
          const field = (i: number, name: number, otherwise: number) => fieldOf(view, run, i, name, otherwise);
          let at = run.position;
          for (const [i, wanted] of samples.entries()) {
            const size = field(i, SAMPLE_SIZE, fragment!.sampleSize);
            assert.equal(size, wanted.size);
            assert.deepEqual(bytes.subarray(at, at + size), object.subarray(wanted.offset, wanted.offset + size));
            at += size;
            const isIn = (name: number) => (fields & name) !== 0;
            assert.equal(
              field(i, SAMPLE_DURATION, fragment!.sampleDuration),
              isIn(SAMPLE_DURATION) ? wanted.duration : 1001,
            );
            assert.equal(field(i, SAMPLE_OFFSET, 0) | 0, isIn(SAMPLE_OFFSET) ? wanted.composition : 0);
            const first = i === 0 ? (run.firstFlags ?? fragment!.sampleFlags) : fragment!.sampleFlags;
            const flags = field(i, SAMPLE_FLAGS, first);
            const isSync = syncs === 'all' || i === 0;
            assert.equal(flags, isIn(SAMPLE_FLAGS) ? wanted.flags : isSync ? 0x200_0000 : 0x101_0000);
          }
        }
      }),
    );
  });

  it('has several segments a reference when there are more than an index holds', async () => {
    const one = { offset: 0, size: 1, duration: 2, composition: 0, flags: 0 };
    const count = 70_001;
    const sums = (each: number) => Float64Array.from({ length: count + 1 }, (_, i) => i * each);
    const columns = { samples: sums(1), times: sums(2), begins: sums(2), bytes: sums(1) };
    const segments = { count, ...columns, fields: new Uint16Array(count).fill(SAMPLE_SIZE) };
    const { track } = trackOf([[one]], [0], { ...defaults, end: count * 2 });
    const file = files.of({ ...track, segments });
    const head = file.segmentOffset(0);
    const index = await bytesOf(
      sliceSpans(
        file.spans(() => assert.fail()),
        file.sidx.offset,
        head,
      ),
      object,
    );
    assert.equal(index.readUInt16BE(38), 35_001);
    assert.equal(u32(index, 40), 2 * file.segmentSize(0));
    assert.equal(u32(index, 44), 4);
    assert.deepEqual([u32(index, index.length - 12), u32(index, index.length - 8)], [file.segmentSize(0), 2]);
  });

  it('says so when a segment is too large for an index, and has a wide box when it is too large for a narrow one', async () => {
    const size = 0x1_0000_0000;
    const segments = {
      ...{ count: 1, samples: Float64Array.of(0, 2), times: Float64Array.of(0, 9), begins: Float64Array.of(0, 9) },
      ...{ bytes: Float64Array.of(0, size), fields: Uint16Array.of(SAMPLE_SIZE) },
    };
    const file = files.of(packageTrack({ entry: ENTRY, segments, end: 9 }));
    await assert.rejects(
      bytesOf(
        sliceSpans(
          file.spans(() => assert.fail()),
          0,
          9,
        ),
        object,
      ),
      {
        code: 'unplayable',
        message: /segment 1 has 4294967\d\d\d bytes/,
      },
    );
    const run: SampleRun = {
      ...{ count: 2, offsets: Float64Array.of(0, 1e10), sizes: Uint32Array.of(size / 2, size / 2) },
      ...{ durations: new Uint32Array(2), compositions: new Int32Array(2), flags: new Uint32Array(2) },
    };
    const head = file.segmentSize(0) - size;
    const bytes = await bytesOf(
      sliceSpans(
        file.segment(0, () => run),
        0,
        head,
      ),
      object,
    );
    assert.deepEqual([u32(bytes, head - 16), bytes.toString('latin1', head - 12, head - 8)], [1, 'mdat']);
    assert.equal(u64(bytes, head - 8), size + 16);
  });

  it('gives a key frame alone, until the next one', async () => {
    const list: Sample[][] = [
      [
        { offset: 50, size: 30, duration: 10, composition: 40, flags: 0x200_0000 },
        { offset: 90, size: 20, duration: 10, composition: -10, flags: 0x101_0000 },
      ],
    ];
    const { track, read } = trackOf(list, [SAMPLE_SIZE | SAMPLE_OFFSET], { ...defaults, editMedia: 3, end: 900 });
    const keyFrames: KeyFrames = {
      samples: Float64Array.of(100, 101),
      times: Float64Array.of(7, 700),
      sizes: Float64Array.of(30, 20),
    };
    const file = files.of(track);
    for (const [i, ticks, piece] of [
      [0, 693, object.subarray(50, 80)],
      [1, 200, object.subarray(90, 110)],
    ] as const) {
      for (const later of [false, true]) {
        const reads: ReadSamples = (a, b) => (later ? Promise.resolve(read(a, b)) : read(a, b));
        const bytes = await bytesOf(file.keyFrameSegment(keyFrames, i, reads), object);
        assert.equal(bytes.length, file.keyFrameSizes(keyFrames)[i]);
        const known = [{ id: 1 }] as unknown as Parameters<typeof parseMoof>[2];
        const [moof] = parseBoxes(bytes, 0, bytes.length);
        const [fragment] = parseMoof(bytes.subarray(0, moof!.end), 0, known);
        assert.equal(fragment!.decodeTime, keyFrames.times[i]! + 3);
        assert.deepEqual([fragment!.samples, fragment!.duration, fragment!.sync], [1, ticks, true]);
        assert.equal(fragment!.compositionOffset, 0);
        assert.deepEqual(bytes.subarray(bytes.length - piece.length), Buffer.from(piece));
      }
    }
  });

  it('is told apart from samples that are not those of its rows', async () => {
    const { track, read } = trackOf([[{ offset: 0, size: 5, duration: 1, composition: 0, flags: 0 }]], [SAMPLE_SIZE]);
    const lie = { ...read(100, 101), sizes: Uint32Array.of(6) };
    await assert.rejects(
      bytesOf(
        files.of(track).segment(0, () => lie),
        object,
      ),
      { code: 'internal' },
    );
  });
});
