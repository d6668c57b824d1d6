import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../../src/base/errors.js';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { box, build } from '../../../support/mp4/build.js';
import { type ModelMovie, type ModelTrack, movies } from '../../../support/mp4/model.js';
import { cpuStopwatch } from '../../../support/stopwatch.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 20 });
const [sample] = fc.sample(
  movies(100).filter(({ tracks: [first] }) => {
    const { samples, chunks } = first!;
    const deltas = new Set(samples.map(({ delta }) => delta));
    return samples.length > 50 && deltas.size > 9 && chunks.length > 9 && chunks[0]! < 9;
  }),
  { seed: 11, numRuns: 1 },
);
const [track] = sample!.tracks;
const plainForm = {
  ...track!.form,
  sizeBits: 32,
  sameSize: false,
  stss: true,
  ctts: true,
  wideOffsets: false,
  auxiliary: 'none',
} as const;
const model: ModelMovie = {
  ...sample!,
  tracks: [{ ...track!, form: plainForm, edits: [{ duration: 5000, media: 0 }] }],
  wideBoxes: false,
  movie: 'first',
  order: 'turns',
};
const film = Buffer.from(build(model));

/** The film with a change at the contents of its first box of that type. */
function spoil(type: string, change: (bytes: Buffer, body: number) => void): Buffer {
  const bytes = Buffer.from(film);
  const at = bytes.indexOf(type);
  assert.ok(at > 0, type);
  change(bytes, at + 4);
  return bytes;
}

const u32 = (offset: number, value: number) => (bytes: Buffer, body: number) =>
  bytes.writeUInt32BE(value, body + offset);
const rename = (to: string) => (bytes: Buffer, body: number) => bytes.write(to, body - 4, 'latin1');

async function refused(bytes: Uint8Array, reason: RegExp, code = 'unplayable'): Promise<void> {
  const source = new MemorySource(bytes);
  const spent = cpuStopwatch();
  await assert.rejects(
    async () => {
      const index = await format.compile(source);
      if (index !== undefined) await format.plan(index, mediaObject(source), { start: 0.1, end: undefined });
    },
    (error: unknown) => error instanceof EdgeError && error.code === code && reason.test(error.message),
  );
  assert.ok(spent() < 1000);
}

describe('files that lie', () => {
  it('play when nothing is wrong', async () => {
    assert.ok((await format.compile(new MemorySource(film))) !== undefined);
  });

  const lies: [string, Buffer, RegExp][] = [
    ['no movie box', spoil('moov', rename('free')), /no movie box/],
    ['a compressed movie box', spoil('mvhd', rename('cmov')), /compressed/],
    ['no movie header', spoil('mvhd', rename('free')), /mvhd/],
    ['an unknown version', spoil('mdhd', u32(0, 7 << 24)), /version 7/],
    ['a track timescale of 0', spoil('mdhd', u32(12, 0)), /timescale/],
    ['no track header', spoil('tkhd', rename('free')), /tkhd/],
    ['no sizes', spoil('stsz', rename('free')), /lacks a table/],
    ['too many sizes', spoil('stsz', u32(8, 5_000_000)), /room/],
    ['fewer sizes than times', spoil('stsz', u32(8, 3)), /count 3 and/],
    ['endless runs', spoil('stts', u32(8, 0xffff_ffff)), /too long|count/],
    ['times for no samples', spoil('stts', u32(4, 0)), /count/],
    ['a negative duration', spoil('stts', u32(12, 0x8000_0000)), /negative duration/],
    ['chunks without samples', spoil('stsc', u32(12, 0)), /without samples/],
    ['chunks that do not begin with the first', spoil('stsc', u32(8, 2)), /not in order/],
    ['too few chunks', spoil('stco', (bytes, body) => bytes.writeUInt32BE(1, body + 4)), /room for|speaks of chunk/],
    [
      'chunks past the end of the file',
      spoil('stco', (bytes, body) => bytes.writeUInt32BE(0xffff_fff0, body + 4 + 4 * bytes.readUInt32BE(body + 4))),
      /goes on to byte/,
    ],
    ['sync samples out of order', spoil('stss', u32(8, 0xffff_ffff)), /not in order/],
    ['an edit at another speed', spoil('elst', u32(16, 0x8000)), /another speed/],
    ['media in another file', spoil('url ', u32(0, 0)), /another file/],
    ['boxes that overlap', spoil('mdia', (bytes, body) => bytes.writeUInt32BE(0x7fff_ffff, body - 8)), /needs/],
    ['a container inside itself', spoil('nmhd', rename('mdia')), /wrong place/],
    ['a table twice', spoil('stsd', rename('stts')), /twice|room|count/],
    ['a fragment before the movie', Buffer.concat([box('moof', false), film]), /fragment/],
    ['more boxes than can be', Buffer.concat([Buffer.alloc(8 * 9000, box('free', false)), film]), /8192 boxes/],
  ];
  for (const [name, bytes, reason] of lies) it(`are refused: ${name}`, () => refused(bytes, reason));

  const quirks: [string, Buffer][] = [
    ['a movie timescale of 0', spoil('mvhd', u32(12, 0))],
    ['times for too few samples', spoil('stts', u32(4, 1))],
    ['a list of edits that is shorter than it says', spoil('elst', u32(4, 7))],
    ['a size too few', spoil('stsz', (bytes, body) => bytes.writeUInt32BE(bytes.readUInt32BE(body + 8) - 1, body + 8))],
  ];
  for (const [name, bytes] of quirks) {
    it(`are cut, as players play them, for all that is wrong: ${name}`, async () => {
      const source = new MemorySource(bytes);
      const index = (await format.compile(source))!;
      assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
      const file = (await format.plan(index, mediaObject(source), { start: 0.1, end: undefined }))!;
      assert.equal(render(file, bytes).length, file.size);
    });
  }

  it('are refused when they end early, wherever', async () => {
    for (let length = 8; length < film.length; length += Math.ceil(film.length / 40))
      await refused(film.subarray(0, length), /./);
  });

  it('are refused when the movie box is larger than the limit, without reading it', async () => {
    const large = Buffer.concat([film.subarray(0, 28), box('moov', false, Buffer.alloc(2 << 20))]);
    const source = new MemorySource(large);
    await assert.rejects(async () => format.compile(source), { code: 'media_too_large', message: /maxMoov/ });
    assert.ok(source.bytesRead < 100);
  });

  it('have more boxes nested than there can be', async () => {
    let nested = box('free', false);
    for (let i = 0; i < 2000; i++) nested = box('stbl', false, nested);
    await refused(
      Buffer.concat([
        film.subarray(0, 28),
        box('moov', false, spoil('mvhd', () => {}).subarray(36, 144), box('trak', false, nested)),
      ]),
      /./,
    );
  });

  it('are still cut when only their durations are wrong: the samples win', async () => {
    const source = new MemorySource(film);
    const right = (await format.plan((await format.compile(source))!, mediaObject(source), {
      start: 0.5,
      end: undefined,
    }))!;
    for (const type of ['mvhd', 'mdhd'] as const) {
      for (const duration of [0, 1, 0xffff_ffff]) {
        const lying = new MemorySource(spoil(type, u32(16, duration)));
        const got = (await format.plan((await format.compile(lying))!, mediaObject(lying), {
          start: 0.5,
          end: undefined,
        }))!;
        assert.equal(got.size, right.size);
        assert.equal(got.seekActual, right.seekActual);
      }
    }
  });

  it('are still cut when a track has two sizes and no times: it has no samples', async () => {
    const [video] = model.tracks;
    const tiny: ModelTrack = {
      ...video!,
      handler: 'text',
      samples: video!.samples.slice(0, 2).map(sample => ({ ...sample, sync: true })),
      chunks: [2],
      descriptions: [1],
      edits: [],
      form: { ...plainForm, ctts: false, stss: false },
    };
    const bytes = Buffer.from(build({ ...model, tracks: [video!, tiny] }));
    const runs = bytes.lastIndexOf('stts') + 8;
    for (let run = 0; run < bytes.readUInt32BE(runs); run++) bytes.writeUInt32BE(0, runs + 4 + run * 8);
    const source = new MemorySource(bytes);
    const index = (await format.compile(source))!;
    assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
    assert.equal(index.tracks[1]!.samples, 0);
    assert.ok((await format.plan(index, mediaObject(source), { start: 0.1, end: undefined })) !== undefined);
  });

  it('say where they end to a start past the end', async () => {
    const source = new MemorySource(film);
    const index = (await format.compile(source))!;
    await assert.rejects(async () => format.plan(index, mediaObject(source), { start: 1e9, end: undefined }), {
      code: 'range_not_satisfiable',
      message: /start is 1000000000 s, and the file ends at \d+(\.\d+)? s/,
    });
  });
});

describe('reading a file', () => {
  it('whose last box goes on to the end, by a size of 0, is cut as though it said so', async () => {
    for (const [movie, last] of [
      ['first', 'mdat'],
      ['last', 'moov'],
    ] as const) {
      const told = Buffer.from(build({ ...model, movie, mediaBoxes: 1 }));
      const open = Buffer.from(told);
      open.writeUInt32BE(0, open.lastIndexOf(last) - 4);
      const answers = await Promise.all(
        [told, open].map(async bytes => {
          const source = new MemorySource(bytes);
          const index = (await format.compile(source))!;
          const file = await format.plan(index, mediaObject(source), { start: 0.1, end: 0.6 });
          return render(file!, bytes);
        }),
      );
      assert.ok(answers[0]!.equals(answers[1]!), last);
    }
  });

  it('whose movie box stands last touches its first and last blocks only', async () => {
    const body = Buffer.from(build({ ...model, movie: 'last' }));
    const moov = body.indexOf('moov') - 4;
    const gap = box('free', false, Buffer.alloc(8 << 20));
    // The gap stands between media and movie box, so no offset changes.
    const source = new MemorySource(Buffer.concat([body.subarray(0, moov), gap, body.subarray(moov)]));
    const index = (await format.compile(source))!;
    await format.plan(index, mediaObject(source), { start: 0.1, end: undefined });
    const last = Math.floor((source.size - 1) / (256 * 1024));
    assert.ok(
      [...source.blocks].every(block => block === 0 || block >= last - 1),
      String([...source.blocks]),
    );
  });
});
