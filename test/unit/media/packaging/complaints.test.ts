/** What users of other packagers complain of. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MediaPackage, PackageTrack, Segmentation } from '../../../../src/media/packaging/media-package.js';
import { full, movie, table } from '../../../support/hostile.js';
import type { ModelTrack } from '../../../support/mp4/model.js';
import { makePackager } from '../../../support/package-of.js';
import { FORM, pictures, sample, sound, track, written } from '../../../support/plain-tracks.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const CUT: Segmentation = { target: 6, shortest: 0.5 };

async function packaged(tracks: readonly ModelTrack[], cut = CUT): Promise<MediaPackage> {
  return makePackager().package(mediaObject(new MemorySource(written(tracks))), cut);
}

function seconds({ segments, timescale }: PackageTrack): number[] {
  return Array.from(segments.begins, begin => begin / timescale);
}

const every = (frames: number) => (i: number) => i % frames === 0;

describe('segments', () => {
  it('of regular key frames are as long as wanted, in all tracks', async () => {
    const { tracks, duration, origin } = await packaged([pictures(750, every(50)), sound(1500)]);
    assert.deepEqual(tracks.map(seconds), [
      [0, 6, 12, 18, 24, 30],
      [0, 6, 12, 18, 24, 30],
    ]);
    assert.deepEqual([duration, origin], [30, 0]);
  });

  it('are neither empty nor there twice when key frames are far apart: one for each group, as long as it is', async () => {
    const { tracks } = await packaged([pictures(1000, i => [0, 300, 310, 800].includes(i)), sound(2000)]);
    assert.deepEqual(tracks.map(seconds), [
      [0, 12, 32, 40],
      [0, 12, 32, 40],
    ]);
  });

  it('are not cut at each of two key frames that stand close together', async () => {
    const { tracks } = await packaged([pictures(900, i => [0, 298, 300, 450, 600].includes(i))]);
    assert.deepEqual(seconds(tracks[0]!), [0, 11.92, 18, 24, 36]);
  });

  it('do not end with one of a frame', async () => {
    const { tracks } = await packaged([pictures(451, every(150)), sound(902)]);
    assert.deepEqual(tracks.map(seconds), [
      [0, 6, 12, 18.04],
      [0, 6, 12, 18.04],
    ]);
  });

  it('go on with sound that is longer than the pictures, and stop where it is shorter', async () => {
    const long = await packaged([pictures(200, every(50)), sound(1000)]);
    assert.deepEqual(long.tracks.map(seconds), [
      [0, 8],
      [0, 12, 18, 20],
    ]);
    assert.equal(long.duration, 20);
    const short = await packaged([pictures(750, every(50)), sound(605)]);
    assert.deepEqual(seconds(short.tracks[1]!), [0, 6, 12.1]);
  });

  it('are cut at boundaries of a set instead, at the first key frame there or after', async () => {
    const boundaries = Float64Array.of(3.9995, 9.9995, 20.5);
    const { tracks } = await packaged([pictures(750, every(50)), sound(1500)], { ...CUT, boundaries });
    assert.deepEqual(tracks.map(seconds), [
      [0, 4, 10, 22, 30],
      [0, 4, 10, 22, 30],
    ]);
  });

  it('of sound alone are as long as wanted', async () => {
    const { tracks } = await packaged([sound(1000)]);
    assert.deepEqual(seconds(tracks[0]!), [0, 6, 12, 20]);
  });

  it('that would last no time are parts of others', async () => {
    const still = Array.from({ length: 400 }, (_, i) => sample({ delta: i < 200 ? 40 : 0 }));
    const { tracks } = await packaged([track(still)], { ...CUT, target: 1 });
    const begins = seconds(tracks[0]!);
    assert.ok(begins.every((begin, i) => i === 0 || begin > begins[i - 1]!));
    assert.equal(tracks[0]!.segments.samples.at(-1), 400);
  });
});

describe('time', () => {
  it('begins at 0 in a film that begins later, and says by how much', async () => {
    const late = { duration: 1400, media: -1 };
    const { tracks, origin } = await packaged([
      pictures(300, every(50), [late, { duration: 12_000, media: 0 }]),
      sound(600, [late, { duration: 12_000, media: 0 }]),
    ]);
    assert.deepEqual(tracks.map(seconds), [
      [0, 6, 12],
      [0, 6, 12],
    ]);
    assert.ok(Math.abs(origin - 1.4) < 1e-9);
  });

  it('keeps how far apart tracks begin', async () => {
    const late = { duration: 500, media: -1 };
    const { tracks, origin } = await packaged([
      pictures(300, every(50)),
      sound(600, [late, { duration: 12_000, media: 0 }]),
    ]);
    assert.equal(origin, 0);
    assert.equal(tracks[1]!.segments.times[0], 500);
    assert.equal(seconds(tracks[1]!)[0], 0.5);
  });

  it('of sound hides the priming by the edit list, and is never negative', async () => {
    const { tracks } = await packaged([pictures(300, every(50)), sound(601, [{ duration: 12_000, media: 20 }])]);
    const [, audio] = tracks;
    assert.deepEqual([audio!.editMedia, audio!.segments.times[0], audio!.segments.begins[0]], [20, 0, 0]);
    assert.deepEqual(seconds(audio!), [0, 6, 12]);
    // The frame that is presented at 6 s is the 301st: one is hidden.
    assert.equal(audio!.segments.samples[1], 301);
  });

  it('shows what an edit list hides of the pictures from a key frame on, and moves the sound along', async () => {
    const edit = [{ duration: 10_000, media: 2400 }];
    const { tracks, origin } = await packaged([pictures(310, every(50), edit), sound(620, edit)]);
    const [video, audio] = tracks;
    // The key frame at 2 s is 0.4 s before what is shown first.
    assert.equal(video!.segments.samples[0], 50);
    assert.ok(Math.abs(origin + 0.4) < 1e-9);
    // Of the sound, what is hidden for long is left out, but for a frame that the decoder needs.
    const { samples, times } = audio!.segments;
    assert.equal(samples[0]! * 20 - 2400, times[0]! - audio!.editMedia - 400);
    assert.ok(samples[0]! * 20 <= 2400 && times[0]! >= 0);
  });

  it('of B-frames is told by offsets that are not negative', async () => {
    const slots = [1, 3, 0, 2];
    const samples = Array.from({ length: 400 }, (_, i) =>
      sample({ sync: i % 100 === 0, offset: (1 + (i % 100 === 0 ? 0 : slots[i % 4]! - (i % 4))) * 40 + 40 }),
    );
    const { tracks } = await packaged([track(samples, { edits: [{ duration: 16_000, media: 80 }] })]);
    const { editMedia, compositionShift, segments } = tracks[0]!;
    assert.equal(segments.times[0], 0);
    assert.equal(editMedia, 80 - compositionShift);
  });

  it('goes on over edits that continue each other', async () => {
    const edits = [
      { duration: 6000, media: 0 },
      { duration: 6000, media: 6000 },
    ];
    const { tracks } = await packaged([pictures(300, every(50), edits), sound(600)]);
    assert.deepEqual(tracks.map(seconds), [
      [0, 6, 12],
      [0, 6, 12],
    ]);
  });
});

describe('clips', () => {
  it('begin with the key frame at or before the start, in all tracks', async () => {
    const film = [pictures(750, every(50)), sound(1500)];
    const { tracks, origin, duration } = await packaged(film, { ...CUT, start: 7.3, end: 20 });
    const [video, audio] = tracks;
    assert.equal(origin, 6);
    assert.equal(video!.segments.samples[0], 150);
    assert.deepEqual(seconds(video!), [0, 6, 14]);
    assert.equal(duration, 14);
    // A frame before, which is hidden, lets the decoder begin.
    const begin = audio!.segments.samples[0]! * 20 - 6000;
    assert.ok(begin <= 0 && begin >= -40);
    assert.equal(audio!.segments.times[0]! - audio!.editMedia, begin);
    assert.deepEqual(seconds(audio!), [0, 6, 14]);
  });

  it('end with what is presented before the end', async () => {
    const { tracks } = await packaged([pictures(750, every(50)), sound(1500)], { ...CUT, end: 3.1 });
    assert.deepEqual(
      tracks.map(({ segments }) => segments.samples[segments.count]),
      [78, 155],
    );
  });

  it('past the end are refused with the duration', async () => {
    await assert.rejects(packaged([pictures(250, every(50))], { ...CUT, start: 10 }), {
      code: 'range_not_satisfiable',
      message: /10 s/,
    });
  });
});

describe('what is told of tracks', () => {
  it('is that groups of pictures are open where they are', async () => {
    const closed = Array.from({ length: 300 }, (_, i) => sample({ sync: i % 50 === 0, offset: 80 }));
    const open = closed.map((picture, i) => (i % 50 === 1 && i > 1 ? { ...picture, offset: 0 } : picture));
    assert.equal((await packaged([track(closed)])).tracks[0]!.openGops, false);
    assert.equal((await packaged([track(open)])).tracks[0]!.openGops, true);
  });

  it('is why some are left out', async () => {
    const scattered = [
      { duration: 2000, media: 4000 },
      { duration: 2000, media: 0 },
    ];
    const { tracks, omitted } = await packaged([pictures(300, every(50)), sound(600, scattered)]);
    assert.deepEqual(
      tracks.map(({ kind }) => kind),
      ['video'],
    );
    assert.deepEqual(
      omitted.map(({ id, handler, reason }) => ({ id, handler, about: /edit list/.test(reason) })),
      [{ id: 2, handler: 'soun', about: true }],
    );
  });

  it('is why the whole is refused', async () => {
    const refused = (about: RegExp) => ({ code: 'unplayable', message: about });
    await assert.rejects(packaged([pictures(100, () => false), sound(200)]), refused(/key frame/));
    const text = track([sample({})], { handler: 'text', form: { ...FORM, stss: false, ctts: false } });
    await assert.rejects(packaged([text]), refused(/neither pictures nor sound/));
    const twice = pictures(100, every(50));
    await assert.rejects(
      packaged([{ ...twice, descriptions: twice.chunks.map((_, i) => 1 + (i % 2)) }]),
      refused(/several ways/),
    );
  });

  it('begins with the first key frame where there are pictures before it', async () => {
    const { tracks } = await packaged([pictures(300, i => i >= 30 && (i - 30) % 50 === 0), sound(600)]);
    assert.equal(tracks[0]!.segments.samples[0], 30);
    assert.equal(seconds(tracks[0]!)[0], 1.2);
  });
});

it('films of eight hours are packaged like others', async () => {
  const [frames, group] = [8 * 3600 * 25, 50];
  const keys = Buffer.alloc((frames / group) * 4);
  for (let i = 0; i < frames / group; i++) keys.writeUInt32BE(1 + i * group, i * 4);
  const u32 = (...values: number[]) =>
    Buffer.concat(values.map(value => Buffer.from(Uint32Array.of(value).buffer).swap32()));
  const film = movie(
    samples => [
      table('stts', u32(samples, 40), 1),
      full('stss', 0, 0, u32(frames / group), keys),
      table('stsc', u32(1, samples, 1), 1),
      full('stsz', 0, 0, u32(1, samples)),
      table('stco', u32(32), 1),
    ],
    { samples: frames },
  );
  const whole = Buffer.concat([film, Buffer.alloc(frames)]);
  const { tracks, duration } = await makePackager().package(mediaObject(new MemorySource(whole)), CUT);
  assert.deepEqual([tracks[0]!.segments.count, duration], [4800, 8 * 3600]);
});
