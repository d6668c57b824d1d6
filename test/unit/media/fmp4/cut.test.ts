import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FragmentedMp4 } from '../../../../src/media/fmp4/fragmented-mp4.js';
import type { FragmentIndex } from '../../../../src/media/fmp4/index.js';
import {
  box,
  makeFragmented,
  readFragmented,
  type TestFragment,
  type TestLayout,
  type TestRun,
  TIMESCALES,
} from '../../../support/fmp4.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const format = new FragmentedMp4();

const layout: fc.Arbitrary<TestLayout> = fc.record({
  base: fc.constantFrom('absolute', 'moof', 'none'),
  index: fc.constantFrom('sidx', 'nested sidx', 'mfra', 'none'),
  tfdt: fc.constantFrom(0, 1, 1),
  leading: fc.boolean(),
  edit: fc.constantFrom(0, 80),
});

/** Films of video with audio in the same fragments, in fragments of its own, or without. */
const film = fc
  .record({
    audio: fc.constantFrom('none', 'together', 'apart', 'apart, first'),
    groups: fc.array(fc.record({ frames: fc.integer({ min: 1, max: 6 }), sync: fc.boolean(), size: fc.nat(300) }), {
      minLength: 1,
      maxLength: 12,
    }),
  })
  .map(({ audio, groups }) => {
    const fragments: TestFragment[] = [];
    let [time, fill] = [0, 0];
    groups.forEach(({ frames, sync, size }, group) => {
      const video: TestRun = {
        track: 1,
        time,
        samples: Array.from({ length: frames }, (_, i) => ({
          duration: 500,
          compositionOffset: 80,
          sync: i === 0 && (sync || group === 0),
          data: Buffer.alloc(1 + size, fill++ % 256),
        })),
      };
      const sound: TestRun = {
        track: 2,
        time: time * 8,
        samples: Array.from({ length: frames }, () => ({
          duration: 4000,
          compositionOffset: 0,
          sync: true,
          data: Buffer.alloc(8, fill++ % 256),
        })),
      };
      if (audio === 'none') fragments.push([video]);
      else if (audio === 'together') fragments.push([video, sound]);
      else fragments.push(...(audio === 'apart' ? [[video], [sound]] : [[sound], [video]]));
      time += frames * 500;
    });
    return { fragments, audio, duration: time };
  });

async function compile(bytes: Buffer, later: boolean | 'mixed' = false): Promise<FragmentIndex> {
  const index = await format.compile(new MemorySource(bytes, later));
  assert.ok(index);
  assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
  return index;
}

test('a cut has the samples of the fragments from the sync sample on, wherever they now stand', async () => {
  await fc.assert(
    fc.asyncProperty(
      film,
      layout,
      fc.nat(999),
      fc.option(fc.integer({ min: 1, max: 9000 }), { nil: undefined }),
      fc.nat(),
      fc.constantFrom(false, true, 'mixed' as const),
      async (made, shape, where, length, seed, later) => {
        // An index of the reference track alone can't tell of fragments of other tracks that stand before it.
        fc.pre(made.audio !== 'apart, first' || !shape.index.includes('sidx'));
        const { bytes, starts } = makeFragmented(made.fragments, shape);
        const index = await compile(bytes, later);
        const start = Math.floor((made.duration * where) / 1000);
        const end = length === undefined ? undefined : start + length;
        fc.pre(start > 0 || end !== undefined);
        const seek = { start: start / 1000, end: end === undefined ? undefined : end / 1000 };
        const file = await format.plan(index, mediaObject(new MemorySource(bytes, later)), seek);
        // Where fragments begin that a cut may begin with: their sync sample, and the audio fragment that belongs to
        // it.
        const all = made.fragments.map((fragment, i) => ({ i, run: fragment.find(({ track }) => track === 1) }));
        const video = all.flatMap(({ i, run }) =>
          run ? [{ first: made.audio === 'apart, first' ? i - 1 : i, run }] : [],
        );
        const sync = video.filter(({ run }) => run.samples[0]!.sync);
        const indexed = shape.index === 'mfra' && shape.base !== 'none' ? video : sync;
        // A key frame that comes a millisecond later may be the one that is meant: players round.
        fc.pre(!sync.some(({ run }) => run.time === start + 1));
        const first = sync.findLast(({ run }) => run.time <= start) ?? sync[0]!;
        // Without SAP flags, a cut may end where any fragment begins.
        const stops = index.sync ? sync : indexed.length > sync.length || shape.index === 'mfra' ? video : sync;
        const last =
          end === undefined ? undefined : stops.find(({ run, first: i }) => run.time >= end && i > first.first);
        if (!file) {
          assert.ok(start === 0 && last === undefined);
          return;
        }
        let random = seed;
        const output = render(file, bytes, () => {
          random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
          return 1 + (random % 3000);
        });
        assert.deepEqual(render(file, bytes), output, 'windows matter');
        const found = readFragmented(output);
        const source = readFragmented(bytes);
        const counted = made.fragments
          .slice(0, first.first)
          .flat()
          .reduce((sum, { samples }) => sum + samples.length, 0);
        const taken = made.fragments
          .slice(first.first, last?.first)
          .flat()
          .reduce((sum, { samples }) => sum + samples.length, 0);
        assert.deepEqual(found.samples, source.samples.slice(counted, counted + taken));
        assert.equal(file.seekActual, (first.run.time - sync[0]!.run.time) / 1000);
        assert.deepEqual(found.types.slice(0, 3), ['ftyp', 'moov', 'sidx']);
        assert.ok(!found.types.slice(3).includes('sidx') && !found.types.includes('mfra'));
        // The index leads to each fragment that it knows, and to the end of the file.
        const { sidx } = found;
        let at = sidx!.at;
        for (const { size } of sidx!.references) {
          assert.ok(found.segments.includes(at), 'a reference leads to a fragment');
          at += size;
        }
        assert.equal(at, output.length);
        assert.equal(sidx!.time, Math.max(0, first.run.time + 80 - shape.edit));
        assert.equal(starts.length, made.fragments.length);
      },
    ),
    { numRuns: 300 },
  );
});

/** A film of `count` fragments of 2 s with a sync sample each, video and audio together. */
function plainFilm(count: number, size = 100): TestFragment[] {
  return Array.from({ length: count }, (_, i) => [
    {
      track: 1,
      time: i * 2000,
      samples: [0, 1, 2, 3].map(n => ({
        duration: 500,
        compositionOffset: 0,
        sync: n === 0,
        data: Buffer.alloc(size, i + n),
      })),
    },
    {
      track: 2,
      time: i * 16000,
      samples: [0, 1].map(n => ({ duration: 8000, compositionOffset: 0, sync: true, data: Buffer.alloc(50, i + n) })),
    },
  ]);
}
const plain: TestLayout = { base: 'moof', index: 'none', tfdt: 1, leading: false, edit: 0 };

for (const index of ['sidx', 'mfra', 'none'] as const) {
  test(`bytes read for an index: ${index}`, async () => {
    const { bytes } = makeFragmented(plainFilm(60, 400_000), { ...plain, index });
    const source = new MemorySource(bytes);
    const compiled = (await format.compile(source))!;
    assert.equal(compiled.positions.length, 60);
    assert.equal(compiled.seen, index === 'none');
    if (index !== 'none') assert.ok(source.blocks.size <= 6, `${source.blocks.size} blocks`);
    assert.ok(source.bytesRead < 200_000, `${source.bytesRead} bytes`);
    source.blocks.clear();
    const file = (await format.plan(compiled, mediaObject(source), { start: 61, end: undefined }))!;
    assert.equal(file.seekActual, 60);
    assert.ok(source.blocks.size <= 1);
    const literals = file.spans.reduce((sum, span) => sum + (span.kind === 'literal' ? span.length : 0), 0);
    assert.ok(literals < 1024);
  });
}

test('two hours in fragments of two seconds: a small index, a small sidx, planned at once', async () => {
  const { bytes } = makeFragmented(plainFilm(3600, 10), { ...plain, index: 'sidx' });
  const source = new MemorySource(bytes);
  const index = (await format.compile(source))!;
  assert.ok(format.weight(index) < 64 * 1024);
  assert.ok(format.encode(index).length < 24 * 1024);
  const file = format.plan(index, mediaObject(source), { start: 10, end: undefined });
  assert.ok(file && !(file instanceof Promise), 'cached bytes need no promise');
  const { sidx } = readFragmented(render(file, bytes));
  assert.ok(sidx!.references.length <= 1024);
  assert.ok(sidx!.references.every(({ sap }) => sap));
  assert.equal(
    sidx!.references.reduce((sum, { duration }) => sum + duration, 0),
    7200_000 - 10_000,
  );
});

test('a start past the end says how long the film is; start 0 without an end is the plain file', async () => {
  const { bytes } = makeFragmented(plainFilm(5), plain);
  const index = await compile(bytes);
  const object = mediaObject(new MemorySource(bytes));
  assert.throws(
    () => format.plan(index, object, { start: 10, end: undefined }),
    /start=10 is past the end: the file lasts 10 s/,
  );
  assert.equal(format.plan(index, object, { start: 0, end: undefined }), undefined);
  assert.equal(format.plan(index, object, { start: 0, end: 99 }), undefined);
});

test('equal requests give equal tags; others give others', async () => {
  const { bytes } = makeFragmented(plainFilm(5), plain);
  const index = await compile(bytes);
  const tag = async (start: number, end?: number, etag = '"a"') =>
    (await format.plan(index, mediaObject(new MemorySource(bytes), { etag }), { start, end }))!.etag;
  assert.equal(await tag(3), await tag(2.5));
  const tags = await Promise.all([tag(3), tag(5), tag(3, 5), tag(3, 7), tag(3, undefined, '"b"')]);
  assert.equal(new Set(tags).size, tags.length);
});

test('fragments that are cut off are left out', async () => {
  const { bytes, starts } = makeFragmented(plainFilm(5), plain);
  for (const cut of [starts[4]! + 4, starts[4]! + 30, bytes.length - 1]) {
    const index = await compile(bytes.subarray(0, cut));
    assert.equal(index.end, starts[4], `cut at ${cut}`);
    assert.equal(index.duration, 8000);
  }
});

test('an index that lies is not believed, or found out when it is used', async () => {
  const film = plainFilm(20);
  for (const kind of ['sidx', 'mfra'] as const) {
    const { bytes, starts } = makeFragmented(film, { ...plain, index: kind });
    const honest = await compile(bytes);
    assert.equal(honest.seen, false);
    const shifted = Buffer.from(bytes);
    const field = kind === 'sidx' ? bytes.indexOf('sidx') + 28 : bytes.indexOf('tfra') + 28;
    if (kind === 'sidx') shifted.writeUInt32BE(bytes.readUInt32BE(field) + 1, field);
    else shifted.writeUInt32BE(bytes.readUInt32BE(field) + 1, field);
    const walked = await compile(shifted);
    assert.equal(walked.seen, true, kind);
    assert.deepEqual([...walked.positions], starts, kind);
  }
  const { bytes } = makeFragmented(film, { ...plain, index: 'sidx' });
  const references = bytes.indexOf('sidx') + 28;
  bytes.writeUInt32BE(bytes.readUInt32BE(references + 12) + 5, references + 12);
  bytes.writeUInt32BE(bytes.readUInt32BE(references + 24) - 5, references + 24);
  const partly = await compile(bytes);
  assert.equal(partly.seen, false);
  const object = mediaObject(new MemorySource(bytes));
  assert.throws(() => format.plan(partly, object, { start: 4.5, end: undefined }), { code: 'unplayable' });
  assert.equal((await format.plan(partly, object, { start: 8.5, end: undefined }))!.seekActual, 8);
});

test('times beyond all bounds are not taken from an index: the fragments tell', async () => {
  const { bytes } = makeFragmented(plainFilm(4), { ...plain, index: 'sidx' });
  const sidx = bytes.indexOf('sidx');
  bytes.writeUInt32BE(1, sidx + 12);
  for (let reference = 0; reference < 4; reference++) bytes.writeUInt32BE(0x7fff_ffff, sidx + 32 + reference * 12);
  bytes.writeUInt32BE(0xffff_fff0, bytes.indexOf('mdhd') + 16);
  const index = await compile(bytes);
  assert.equal(index.seen, true);
  assert.equal(index.duration, 8000);
});

test('segment indexes without end, and too many of them, are given up', async () => {
  const { bytes } = makeFragmented(plainFilm(4), { ...plain, index: 'sidx' });
  const at = bytes.indexOf('sidx') - 4;
  // A reference of the index to itself: 2^32 - size before the end of the box.
  const loop = Buffer.from(bytes);
  loop.writeUInt32BE(0x80000000, at + 32);
  const index = await compile(loop);
  assert.equal(index.seen, true);
});

test('files that are not fragmented, or have no fragments, are passed on or refused', async () => {
  const { bytes, starts } = makeFragmented(plainFilm(2), plain);
  const without = Buffer.from(bytes);
  without.write('free', without.indexOf('mvex'));
  assert.equal(await format.compile(new MemorySource(without)), undefined);
  assert.equal(await format.compile(new MemorySource(box('ftyp', Buffer.alloc(8)))), undefined);
  await assert.rejects(async () => format.compile(new MemorySource(bytes.subarray(0, starts[0]))), {
    code: 'unplayable',
  });
  assert.equal(format.matches(Buffer.from('FLV\x01\x05\0\0\0\x09')), false);
  assert.equal(format.matches(bytes), true);
  for (const scale of [bytes.indexOf('mdhd') + 16, bytes.indexOf('mvhd') + 16]) {
    const zero = Buffer.from(bytes);
    zero.fill(0, scale, scale + 4);
    await assert.rejects(async () => format.compile(new MemorySource(zero)), { code: 'unplayable' });
  }
});

test('a moof with absolute offsets that is too large to be patched is refused', async () => {
  const samples = Array.from({ length: 7000 }, (_, i) => ({
    duration: 1,
    compositionOffset: 0,
    sync: i === 0,
    data: Buffer.alloc(1),
  }));
  const film: TestFragment[] = [0, 1].map(i => [{ track: 1, time: i * 7000, samples }]);
  const { bytes } = makeFragmented(film, { ...plain, base: 'absolute' });
  await assert.rejects(async () => format.compile(new MemorySource(bytes)), { code: 'media_too_large' });
  const movable = makeFragmented(film, plain).bytes;
  assert.equal((await compile(movable)).positions.length, 2);
});

test('damaged index bytes give no index or a sound one', async () => {
  const { bytes } = makeFragmented(plainFilm(6), { ...plain, base: 'absolute' });
  const index = await compile(bytes);
  const encoded = format.encode(index);
  assert.equal(format.decode(encoded, bytes.length - 1), undefined);
  for (let i = 0; i < encoded.length; i++) {
    assert.equal(format.decode(encoded.subarray(0, i), bytes.length), undefined);
    for (const value of [0, 0x7f, 0xff, encoded[i]! ^ 1]) {
      const damaged = encoded.slice();
      damaged[i] = value;
      const decoded = format.decode(damaged, bytes.length);
      if (!decoded) continue;
      assert.ok(decoded.end <= bytes.length && decoded.reference.timescale > 0);
      assert.ok(
        decoded.positions.every((position, n) => position < decoded.end && position > (decoded.positions[n - 1] ?? -1)),
      );
    }
  }
});

test('the timescales of the model are those of its files', () => {
  assert.deepEqual(TIMESCALES, [1000, 8000]);
});
