import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Flv } from '../../../../src/media/flv/flv.js';
import type { FlvIndex } from '../../../../src/media/flv/flv-index.js';
import type { FlvOptions } from '../../../../src/media/flv/plan.js';
import { audio, makeFlv, metadataOf, type PlacedTag, parseFlv, type TestTag, video } from '../../../support/flv.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

/**
 * Films: groups of pictures with audio between, in AVC or by FourCC, sometimes with a key-frame table or, where there
 * is none, with new decoder configurations in the middle.
 */
const film = fc
  .record({
    enhanced: fc.boolean(),
    base: fc.constantFrom(0, 40, 3_600_000, 0xfffffe),
    withAudio: fc.boolean(),
    table: fc.boolean(),
    groups: fc.array(
      fc.record({
        frames: fc.array(fc.record({ size: fc.oneof(fc.nat(60), fc.nat(40_000)), audio: fc.nat(2) }), {
          minLength: 1,
          maxLength: 8,
        }),
        config: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    ),
  })
  .map(({ enhanced, base, withAudio, table, groups }) => {
    const tags: TestTag[] = [];
    let time = base;
    let fill = 0;
    groups.forEach(({ frames, config }, group) => {
      if (group === 0 || (config && !table)) {
        tags.push({ type: 9, timestamp: time, data: video('config', 20, fill++, enhanced), config: 'video' });
        if (withAudio) tags.push({ type: 8, timestamp: time, data: audio('config', 2, fill++ % 256), config: 'audio' });
      }
      frames.forEach((frame, i) => {
        const data = video(i === 0 ? 'key' : 'inter', frame.size, fill++ % 256, enhanced);
        tags.push({ type: 9, timestamp: time, data, key: i === 0 });
        for (let n = 0; withAudio && n < frame.audio; n++) {
          tags.push({ type: 8, timestamp: time + n * 20, data: audio('frame', frame.size % 300, fill++ % 256) });
        }
        time += 40;
      });
    });
    return { tags, base, table, end: time - 40 };
  });

const content = ({ type, data, timestamp }: TestTag, less = 0) => ({
  type,
  timestamp: Math.max(0, timestamp - less),
  data: data.toString('base64'),
});

async function compile(bytes: Buffer, options: FlvOptions, later: boolean | 'mixed' = false): Promise<FlvIndex> {
  const format = new Flv(options);
  const index = await format.compile(new MemorySource(bytes, later));
  assert.ok(index);
  assert.deepEqual({ ...format.decode(format.encode(index), bytes.length) }, { ...index });
  return index;
}

/** What must stand in a cut, by looking at all tags of the source. */
function expected(placed: readonly PlacedTag[], start: number, end: number | undefined, base: number) {
  const keys = placed.filter(({ key }) => key);
  const first = keys.findLast(({ timestamp }) => timestamp <= base + start) ?? keys[0]!;
  const after = placed.filter(({ offset }) => offset >= first.offset);
  const last =
    end === undefined
      ? undefined
      : after.find(({ type, timestamp, offset }) => type === 9 && timestamp >= base + end && offset > first.offset);
  const configs = new Map<string, PlacedTag>();
  for (const tag of placed) if (tag.config && tag.offset < first.offset) configs.set(tag.config, tag);
  return {
    first,
    tags: after.filter(({ offset }) => last === undefined || offset < last.offset),
    configs: [...configs.values()],
  };
}

for (const timestamps of ['kept', 'rebased'] as const) {
  test(`a cut is the source's tags from the key frame on, timestamps ${timestamps}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        film,
        fc.nat(1000),
        fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
        fc.nat(),
        fc.constantFrom(false, true, 'mixed' as const),
        async (made, where, length, seed, later) => {
          const { table } = made;
          const { bytes, placed } = makeFlv(made.tags, table);
          const duration = made.end - made.base;
          fc.pre(duration > 0);
          const start = Math.floor((duration * where) / 1001);
          const end = length === undefined ? undefined : start + length;
          fc.pre(start > 0 || end !== undefined);
          const options: FlvOptions = { start: 'seconds', timestamps };
          const index = await compile(bytes, options, later);
          const source = new MemorySource(bytes, later);
          const seek = { start: start / 1000, end: end === undefined ? undefined : end / 1000 };
          const file = await new Flv(options).plan(index, mediaObject(source), seek);
          assert.ok(file);
          let random = seed;
          const window = () => {
            random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
            return 1 + (random % 5000);
          };
          const output = render(file, bytes, window);
          assert.deepEqual(render(file, bytes), output, 'windows matter');
          const [metadata, ...tags] = parseFlv(output);
          const wanted = expected(
            placed,
            start,
            end === undefined || end >= index.duration ? undefined : end,
            made.base,
          );
          const less = timestamps === 'rebased' ? wanted.first.timestamp : 0;
          const stamp = wanted.first.timestamp - less;
          assert.deepEqual(
            tags.map(tag => content(tag)),
            [
              ...wanted.configs.map(tag => content({ ...tag, timestamp: stamp })),
              ...wanted.tags.map(tag => content(tag, less)),
            ],
          );
          assert.equal(file.seekActual, (wanted.first.timestamp - made.base) / 1000);
          const properties = metadataOf(metadata!);
          assert.equal(properties.get('filesize'), output.length);
          assert.equal(properties.get('creator'), table ? 'test' : undefined);
          const keyframes = properties.get('keyframes') as ReadonlyMap<string, number[]> | undefined;
          assert.equal(keyframes !== undefined, table);
          if (keyframes) {
            const keys = tags.filter(
              ({ type, data }) =>
                type === 9 && data[0] === (data[0]! & 0x80 ? 0x91 : 0x17) && (data[0]! & 0x80 || data[1] === 1),
            );
            assert.deepEqual(
              keyframes.get('filepositions'),
              keys.map(({ offset }) => offset),
            );
            const times = keyframes.get('times')!;
            assert.deepEqual(
              times.map(time => Math.round(time * 1000)),
              keys.map(({ timestamp }) => timestamp),
            );
          }
        },
      ),
      { numRuns: 150 },
    );
  });
}

const gop = (count: number, size = 100): TestTag[] => [
  { type: 9, timestamp: 0, data: video('config', 10, 1), config: 'video' },
  { type: 8, timestamp: 0, data: audio('config', 2, 2), config: 'audio' },
  ...Array.from({ length: count * 10 }, (_, i): TestTag[] => [
    { type: 9, timestamp: i * 100, data: video(i % 10 === 0 ? 'key' : 'inter', size, i % 256), key: i % 10 === 0 },
    { type: 8, timestamp: i * 100, data: audio('frame', 20, i % 256) },
  ]).flat(),
];
const seconds: FlvOptions = { start: 'seconds', timestamps: 'kept' };
const auto: FlvOptions = { start: 'auto', timestamps: 'kept' };

async function startOf(bytes: Buffer, options: FlvOptions, start: number, end?: number): Promise<number | undefined> {
  const file = await new Flv(options).plan(await compile(bytes, options), mediaObject(new MemorySource(bytes)), {
    start,
    end,
  });
  return file?.seekActual;
}

test('auto: the offset of a key-frame tag is a byte position, anything else is seconds', async () => {
  const { bytes, placed } = makeFlv(gop(20), true);
  const keys = placed.filter(({ key }) => key);
  assert.equal(await startOf(bytes, auto, keys[7]!.offset), 7);
  assert.equal(await startOf(bytes, auto, 7.9), 7);
  assert.equal(await startOf(bytes, auto, 8), 8);
  await assert.rejects(startOf(bytes, auto, keys[7]!.offset + 1), { code: 'range_not_satisfiable' });
  await assert.rejects(startOf(bytes, seconds, keys[7]!.offset), { code: 'range_not_satisfiable' });
  assert.equal(await startOf(bytes, { ...auto, start: 'bytes' }, keys[7]!.offset + 1), 7);
  await assert.rejects(startOf(bytes, { ...auto, start: 'bytes' }, bytes.length), { code: 'range_not_satisfiable' });
});

test('a byte range of a key-frame table gives whole groups of pictures', async () => {
  const { bytes, placed } = makeFlv(gop(20), true);
  const keys = placed.filter(({ key }) => key);
  const format = new Flv(auto);
  const file = await format.plan(await compile(bytes, auto), mediaObject(new MemorySource(bytes)), {
    start: keys[3]!.offset,
    end: keys[5]!.offset,
  });
  const tags = parseFlv(render(file!, bytes));
  assert.equal(tags.filter(({ type, data }) => type === 9 && data[1] === 1).length, 20);
  assert.equal(file!.seekActual, 3);
});

test('start 0 without an end is the plain file; a start at the end says how long the file is', async () => {
  const { bytes } = makeFlv(gop(3));
  assert.equal(await startOf(bytes, auto, 0), undefined);
  await assert.rejects(startOf(bytes, auto, 2.9), /start=2.9 is past the end: the file lasts 2.9 s/);
  assert.equal(await startOf(bytes, auto, 2.8), 2);
  assert.equal(await startOf(bytes, auto, 0, 1), 0);
});

test('equal requests give equal tags and bytes; other cuts, versions and modes give other tags', async () => {
  const { bytes } = makeFlv(gop(5), true);
  const plan = async (options: FlvOptions, start: number, end?: number, etag = '"a"') => {
    const object = mediaObject(new MemorySource(bytes), { etag });
    const file = await new Flv(options).plan(await compile(bytes, options), object, { start, end });
    return file!.etag;
  };
  assert.equal(await plan(auto, 2), await plan(auto, 2));
  assert.match(await plan(auto, 2), /^"[A-Za-z0-9_-]{22}"$/);
  const others = [
    plan(auto, 3),
    plan(auto, 2, 3),
    plan(auto, 2, 3.5),
    plan(auto, 2, undefined, '"b"'),
    plan({ ...auto, timestamps: 'rebased' }, 2),
  ];
  const tags = await Promise.all([plan(auto, 2), ...others]);
  assert.equal(new Set(tags).size, tags.length);
});

test('with a key-frame table a compile and a plan touch a few blocks; without one the walk reads headers only', async () => {
  const film = gop(300, 30_000);
  const table = new MemorySource(makeFlv(film, true).bytes);
  const index = (await new Flv(auto).compile(table))!;
  assert.ok(table.size > 80e6);
  assert.ok(table.blocks.size <= 12, `${table.blocks.size} blocks`);
  table.blocks.clear();
  const file = (await new Flv(auto).plan(index, mediaObject(table), { start: 200, end: undefined }))!;
  assert.equal(table.blocks.size, 1);
  assert.ok(file.spans.reduce((sum, span) => sum + (span.kind === 'literal' ? span.length : 0), 0) < 1024);
  assert.ok(new Flv(auto).weight(index) < 16 * 1024);
  const plain = new MemorySource(makeFlv(film).bytes);
  await new Flv(auto).compile(plain);
  assert.ok(plain.bytesRead < plain.size / 6, `${plain.bytesRead} of ${plain.size} bytes`);
});

test('a walk over bytes that are not at hand asks for a megabyte at a time', async () => {
  const { bytes } = makeFlv(gop(100, 30_000));
  const source = new MemorySource(bytes, true);
  const index = (await new Flv(auto).compile(source))!;
  assert.ok(index.seen && index.positions.length === 100);
  assert.ok(source.reads < bytes.length / 2 ** 20 + 20, `${source.reads} reads of ${bytes.length} bytes`);
  // Where bytes are at hand again, only the headers are copied.
  const mixed = new MemorySource(bytes, 'mixed');
  assert.deepEqual(await new Flv(auto).compile(mixed), index);
});

test('a table that lies is not believed, and the tags are walked', async () => {
  const { bytes, placed } = makeFlv(gop(20), true);
  const honest = await compile(bytes, auto);
  assert.equal(honest.seen, false);
  const keys = placed.filter(({ key }) => key);
  const at = bytes.indexOf('filepositions') + 'filepositions'.length + 5;
  const lies: [string, (entry: number) => void][] = [
    ['offsets that are one too high', i => bytes.writeDoubleBE(keys[i]!.offset + 1, at + i * 9 + 1)],
    ['offsets past the end', i => bytes.writeDoubleBE(bytes.length + i, at + i * 9 + 1)],
    ['no numbers', i => bytes.writeDoubleBE(Number.NaN, at + i * 9 + 1)],
    ['falling offsets', i => bytes.writeDoubleBE(keys[keys.length - 1 - i]!.offset, at + i * 9 + 1)],
    ['fractions', i => bytes.writeDoubleBE(keys[i]!.offset + 0.5, at + i * 9 + 1)],
  ];
  for (const [name, lie] of lies) {
    for (let i = 0; i < keys.length; i++) lie(i);
    const index = await compile(bytes, auto);
    assert.equal(index.seen, true, name);
    assert.deepEqual(
      [...index.positions],
      keys.map(({ offset }) => offset),
      name,
    );
    assert.equal(index.metadata?.table, undefined, name);
  }
  // One wrong entry that no sample meets is found when it is used.
  for (const [i, { offset }] of keys.entries()) bytes.writeDoubleBE(i === 18 ? offset + 3 : offset, at + i * 9 + 1);
  const partly = await compile(bytes, auto);
  assert.equal(partly.seen, false);
  const object = mediaObject(new MemorySource(bytes));
  assert.throws(() => new Flv(auto).plan(partly, object, { start: 18.5, end: undefined }), { code: 'unplayable' });
  assert.equal((await new Flv(auto).plan(partly, object, { start: 17.5, end: undefined }))!.seekActual, 17);
});

test('a table with rounded times does not change where a cut says it begins', async () => {
  for (const base of [0, 40, 480, 700, 3_600_300]) {
    const tags = gop(12).map(tag => ({ ...tag, timestamp: tag.timestamp * 3 + base }));
    const said: number[][] = [];
    for (const table of [false, true, 'rounded'] as const) {
      const { bytes } = makeFlv(tags, table);
      const index = await compile(bytes, auto);
      const object = mediaObject(new MemorySource(bytes));
      const starts = [0.2, 1.7, 3.1, 6.2];
      const files = await Promise.all(
        starts.map(start => new Flv(auto).plan(index, object, { start, end: undefined })),
      );
      said.push(files.map(file => file!.seekActual!));
    }
    assert.deepEqual(said[1], said[0], `from ${base}`);
    assert.deepEqual(said[2], said[0], `from ${base}, rounded`);
  }
});

test('a time of the table just below 0 is 0', async () => {
  const { bytes } = makeFlv(gop(4), true);
  const at = bytes.indexOf('times') + 'times'.length + 5;
  assert.equal(bytes.readDoubleBE(at + 1), 0);
  bytes.writeDoubleBE(-0.0001, at + 1);
  const index = await compile(bytes, auto);
  assert.ok(Object.is(index.times[0], 0) && Object.is(index.base, 0));
});

test('a file without video is cut at its audio frames', async () => {
  const tags: TestTag[] = [{ type: 8, timestamp: 0, data: audio('config', 2, 9), config: 'audio' }];
  for (let i = 0; i < 1000; i++) tags.push({ type: 8, timestamp: i * 23, data: audio('frame', 50, i % 256) });
  const { bytes } = makeFlv(tags);
  assert.ok(Math.abs((await startOf(bytes, seconds, 10))! - 10) < 1.1);
  const index = await compile(bytes, seconds);
  const file = await new Flv(seconds).plan(index, mediaObject(new MemorySource(bytes)), { start: 10, end: 12 });
  const [, config, ...frames] = parseFlv(render(file!, bytes));
  assert.equal(config!.data.toString('hex'), 'af000909');
  assert.ok(frames.every(({ type }) => type === 8));
  assert.equal(frames.at(-1)!.timestamp, 11_983);
});

test('a cut-off file is cut before its last, broken tag; a broken middle ends the seeking, not the file', async () => {
  const { bytes, placed } = makeFlv(gop(5));
  const cutOff = bytes.subarray(0, bytes.length - 60);
  const index = await compile(cutOff, auto);
  assert.equal(index.end, placed.at(-2)!.offset);
  const middle = placed.filter(({ key }) => key)[3]!.offset;
  const broken = Buffer.from(bytes);
  broken.fill(0xee, middle, middle + 5);
  const half = await compile(broken, auto);
  assert.equal(half.positions.length, 3);
  assert.equal(half.end, broken.length);
  const rebased: FlvOptions = { start: 'seconds', timestamps: 'rebased' };
  const file = await new Flv(rebased).plan(await compile(broken, rebased), mediaObject(new MemorySource(broken)), {
    start: 1,
    end: undefined,
  });
  assert.deepEqual(
    render(file!, broken, () => 7),
    render(file!, broken),
  );
});

test('files without anything to begin at are refused with the reason', async () => {
  const none = makeFlv([{ type: 9, timestamp: 0, data: video('inter', 10, 1) }]).bytes;
  for (const bytes of [none, none.subarray(0, 13), Buffer.from('FLV'), Buffer.alloc(100), Buffer.alloc(0)]) {
    await assert.rejects(async () => new Flv(auto).compile(new MemorySource(bytes)), { code: 'unplayable' });
  }
});

test('an index is not decoded for another size, and damaged bytes give none or a sound one', async () => {
  const { bytes } = makeFlv(gop(5), true);
  const format = new Flv({ start: 'auto', timestamps: 'rebased' });
  const index = (await format.compile(new MemorySource(bytes)))!;
  const encoded = format.encode(index);
  assert.equal(format.decode(encoded, bytes.length + 1), undefined);
  assert.equal(new Flv(auto).name === format.name, false);
  for (let i = 0; i < encoded.length; i++) {
    for (const value of [0, 0x7f, 0xff, encoded[i]! ^ 1]) {
      const damaged = encoded.slice();
      damaged[i] = value;
      const decoded = format.decode(damaged, bytes.length);
      if (!decoded) continue;
      assert.ok(
        decoded.positions.every(
          (position, n) => position < bytes.length && position > (decoded.positions[n - 1] ?? -1),
        ),
      );
      assert.ok(decoded.end <= bytes.length);
    }
    assert.equal(format.decode(encoded.subarray(0, i), bytes.length), undefined);
  }
});

for (const [name, distort] of [
  ['rounded down to whole seconds', (time: number) => Math.floor(time)],
  ['rounded to whole seconds', (time: number) => Math.round(time)],
  ['too slow by a thousandth', (time: number) => time * 0.999],
  ['too fast by a hundredth', (time: number) => time * 1.01],
  ['all zero', () => 0],
] as const) {
  test(`a table whose times are ${name} still leads to the right frame, with few looks at the file`, async () => {
    const tags: TestTag[] = [{ type: 9, timestamp: 0, data: video('config', 10, 1), config: 'video' }];
    for (let i = 0; i < 4000; i++) {
      const key = i % 10 === 0;
      tags.push({ type: 9, timestamp: i * 137, data: video(key ? 'key' : 'inter', 60, i % 256), key });
    }
    const { bytes, placed } = makeFlv(tags, true);
    const keys = placed.filter(({ key }) => key);
    const at = bytes.indexOf('times') + 'times'.length + 5;
    for (const [i, { timestamp }] of keys.entries()) bytes.writeDoubleBE(distort(timestamp / 1000), at + i * 9 + 1);
    const index = (await new Flv(seconds).compile(new MemorySource(bytes)))!;
    assert.equal(index.seen, false);
    for (const start of [0.9, 1.36, 1.37, 1.38, 77.7, 300.123, 546, 547.8]) {
      const source = new MemorySource(bytes);
      const file = await new Flv(seconds).plan(index, mediaObject(source), { start, end: undefined });
      const expected = keys.findLast(({ timestamp }) => timestamp <= start * 1000)!;
      assert.equal(file!.seekActual, expected.timestamp / 1000, `start=${start}`);
      assert.ok(source.reads <= (name === 'all zero' ? 14 : 6), `${source.reads} reads`);
      const ended = await new Flv(seconds).plan(index, mediaObject(source), { start: 0, end: start });
      const last = parseFlv(render(ended!, bytes)).at(-1)!;
      assert.equal(last.timestamp, Math.floor((start * 1000 - 0.6) / 137) * 137);
    }
  });
}
