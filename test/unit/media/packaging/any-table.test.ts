import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EdgeError } from '../../../../src/base/errors.js';
import { SAMPLE_DURATION, SAMPLE_FLAGS, SAMPLE_OFFSET, SAMPLE_SIZE } from '../../../../src/media/fmp4/moof.js';
import type { MediaPackage, PackageTrack, SampleRun } from '../../../../src/media/packaging/media-package.js';
import { decodePackage, encodePackage } from '../../../../src/media/packaging/package-bytes.js';
import type { Packager } from '../../../../src/media/packaging/packager.js';
import { build } from '../../../support/mp4/build.js';
import { type ModelMovie, type ModelTrack, movies, sampleBytes } from '../../../support/mp4/model.js';
import { withCodecs } from '../../../support/mp4/sample-entries.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const NON_SYNC = 0x10000;
/** Seconds; none is a time of a sample, so that rounding decides nothing. */
const TARGETS = fc.integer({ min: 50, max: 4000 }).map(ms => ms / 1000 + 0.000_37);
const KINDS: Readonly<Record<string, string>> = { vide: 'video', soun: 'audio', sbtl: 'text', text: 'text' };

/** Movies of which each track has one codec, and that have pictures or sound. */
function playable(most: number): fc.Arbitrary<ModelMovie> {
  return (
    movies(most)
      .map(movie => ({
        ...movie,
        tracks: movie.tracks.map(track => ({ ...track, descriptions: track.descriptions.map(() => 1) })),
      }))
      // What ends before 0 is never presented.
      .filter(({ tracks }) => tracks.every(({ samples }) => samples.reduce((sum, { delta }) => sum + delta, 0) > 3))
      .filter(({ tracks, timescale }) =>
        // Edits that last no time are not meant.
        tracks.every(track => !isScattered(track) || track.edits.every(edit => edit.duration * timescale >= 1000)),
      )
      .filter(({ tracks }) => {
        const seen = tracks.filter(({ handler }) => handler === 'vide' || handler === 'soun');
        return seen.length > 0 && !seen.some(track => track.handler === 'vide' && isScattered(track));
      })
      .filter(({ tracks }) => tracks.some(track => /vide|soun/.test(track.handler) && !isScattered(track)))
  );
}

/** Whether its edits present several parts of it. */
function isScattered({ edits }: ModelTrack): boolean {
  return edits.filter(({ media }) => media >= 0).length > 1;
}

/** Ticks that a player of the file adds to composition times. */
function delayOf({ edits, timescale }: ModelTrack, movieScale: number): number {
  const empty = edits[0]?.media === -1 ? Math.floor((edits[0].duration * movieScale) / 1000) : 0;
  const media = edits.find(edit => edit.media >= 0)?.media ?? 0;
  return (empty / movieScale) * timescale - media;
}

/** Where the samples of a model stand in time: decoding, and presentation on the source's timeline. */
function timesOf(track: ModelTrack, movieScale: number): { decoded: number; presented: number }[] {
  const delay = delayOf(track, movieScale);
  let decoded = 0;
  return track.samples.map(({ delta, offset }) => {
    const time = { decoded, presented: decoded + offset + delay };
    decoded += delta;
    return time;
  });
}

function checkRun(run: SampleRun, file: Uint8Array, model: ModelTrack, number: number, first: number): void {
  for (let i = 0; i < run.count; i++) {
    const { size, delta, sync } = model.samples[first + i]!;
    assert.equal(run.sizes[i], size);
    assert.equal(run.durations[i], delta);
    assert.equal((run.flags[i]! & NON_SYNC) === 0, sync);
    const at = run.offsets[i]!;
    assert.deepEqual(file.subarray(at, at + size), sampleBytes(number, first + i, size), `sample ${first + i}`);
  }
}

/** What fields the samples of a segment need. */
function fieldsOf(run: SampleRun, { defaultDuration, defaultSize, syncs }: PackageTrack): number {
  let fields = 0;
  for (let i = 0; i < run.count; i++) {
    if (run.durations[i] !== defaultDuration) fields |= SAMPLE_DURATION;
    if (run.sizes[i] !== defaultSize) fields |= SAMPLE_SIZE;
    if (run.compositions[i] !== 0) fields |= SAMPLE_OFFSET;
    if (((run.flags[i]! & NON_SYNC) === 0) !== (syncs === 'all' || i === 0)) fields |= SAMPLE_FLAGS;
  }
  return fields;
}

/** Sample numbers at which a leading track is cut, by the rule to the letter. */
function cutsOf(track: PackageTrack, presented: readonly number[], model: ModelTrack, target: number): number[] {
  const cuts = [0];
  for (let next = 0, multiple = 0, i = 0; i < presented.length; i++) {
    const second = presented[i]! / track.timescale;
    if (!model.samples[i]!.sync || (i > 0 && presented[i]! < (next - 0.005) * track.timescale)) continue;
    if (i > 0) cuts.push(i);
    while (next <= second + 0.005 || next < second + target / 4) next = ++multiple * target;
  }
  return cuts;
}

/** The track by whose key frames a package is cut. */
function leaderOf({ tracks }: MediaPackage): PackageTrack {
  return (tracks.find(({ kind }) => kind === 'video') ?? tracks.find(({ kind }) => kind === 'audio'))!;
}

/** Second of the source's presentation at which a track of a package begins. */
function originOf({ id }: PackageTrack, { tracks, origin }: MediaPackage): number {
  const track = tracks.find(other => other.id === id)!;
  return origin + track.segments.begins[0]! / track.timescale;
}

async function checkTrack(
  edge: Packager,
  object: Parameters<Packager['package']>[0],
  pack: MediaPackage,
  track: PackageTrack,
  movie: ModelMovie,
  file: Uint8Array,
  isWhole = true,
): Promise<void> {
  const number = track.id - 1;
  const model = movie.tracks[number]!;
  const times = timesOf(model, movie.timescale);
  const { count, samples, times: tfdt, begins, bytes, fields } = track.segments;
  if (isWhole)
    assert.deepEqual([samples[0], samples[count]], [0, model.samples.length], 'every sample is in a segment');
  assert.ok(tfdt[0]! >= 0 && begins[0]! >= 0 && bytes[0] === 0);
  let latest = 0;
  for (let row = 0; row < count; row++) {
    const [first, end] = [samples[row]!, samples[row + 1]!];
    assert.ok(first < end, 'no segment is empty');
    const run = await edge.samples(object, track, first, end);
    assert.equal(run.count, end - first);
    checkRun(run, file, model, number, first);
    assert.ok(model.samples[first]!.sync, 'a segment begins with a sync sample');
    assert.equal(fields[row]! & ~fieldsOf(run, track) & ~SAMPLE_FLAGS, 0, 'no field is there in vain');
    assert.equal(fieldsOf(run, track) & ~fields[row]!, 0, 'no field is missing');
    assert.equal(
      bytes[row + 1]! - bytes[row]!,
      run.sizes.reduce((sum, size) => sum + size, 0),
    );
    let time = tfdt[row]!;
    let earliest = Number.POSITIVE_INFINITY;
    assert.ok(run.compositions.every(offset => offset >= 0));
    for (let i = 0; i < run.count; i++) {
      const shown = time + run.compositions[i]! - track.editMedia;
      const expected = times[first + i]!.presented - pack.origin * track.timescale;
      assert.ok(Math.abs(shown - expected) <= 1, `sample ${first + i} is shown at ${shown}, not at ${expected}`);
      earliest = Math.min(earliest, shown);
      time += run.durations[i]!;
      latest = Math.max(latest, shown + run.durations[i]!);
    }
    assert.equal(time, tfdt[row + 1]);
    assert.equal(begins[row], Math.max(0, earliest));
    assert.ok(begins[row + 1]! > begins[row]!, 'segments follow each other in time');
  }
  assert.equal(begins[count], track.end);
  assert.equal(track.end, Math.max(latest, begins[count - 1]! + 1));
  assert.ok(pack.duration >= track.end / track.timescale);
}

describe('packages of any tables', () => {
  it('hold every sample once, in order, at its time, in segments that say what they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        playable(300),
        TARGETS,
        fc.boolean(),
        fc.constantFrom<boolean | 'mixed'>(false, 'mixed'),
        async (movie, target, quirky, later) => {
          const file = withCodecs(build(movie, quirky));
          const object = mediaObject(new MemorySource(file, later));
          const edge = makePackager();
          const pack = await edge.package(object, { target, shortest: 0.5 });
          const packaged = movie.tracks.filter(track => KINDS[track.handler] !== undefined && !isScattered(track));
          assert.deepEqual(
            pack.tracks.map(({ kind }) => kind),
            packaged.map(({ handler }) => KINDS[handler]),
            JSON.stringify(pack.omitted),
          );
          assert.equal(pack.tracks.length + pack.omitted.length, movie.tracks.length);
          for (const track of pack.tracks) await checkTrack(edge, object, pack, track, movie, file);
          const starts = pack.tracks
            .filter(({ kind }) => kind !== 'text')
            .map(track => track.segments.begins[0]! / track.timescale);
          assert.ok(Math.min(...starts) < 1 / 25 + 1e-9, `the earliest track begins at 0: ${starts}`);
          assert.deepEqual(decodePackage(encodePackage(pack), file.length), pack);
        },
      ),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('are clips that have all that is presented between two moments, from the key frame before on', async () => {
    await fc.assert(
      fc.asyncProperty(
        playable(200),
        TARGETS,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.option(fc.double({ min: 0.01, max: 1, noNaN: true }), { nil: undefined }),
        async (movie, target, from, part) => {
          const file = withCodecs(build(movie));
          const object = mediaObject(new MemorySource(file, 'mixed'));
          const edge = makePackager();
          const whole = await edge.package(object, { target, shortest: 0.5 });
          const start = from * whole.duration;
          const end = part === undefined ? undefined : start + part * (whole.duration - start) + 1e-4;
          let clip: MediaPackage;
          try {
            clip = await edge.package(object, { target, shortest: 0.5, start, end });
          } catch (error) {
            // The leading track may end before another one does.
            assert.equal((error as EdgeError).code, 'range_not_satisfiable');
            return;
          }
          const leader = leaderOf(clip);
          const [earliest, latest] = [whole.origin + start, whole.origin + (end ?? whole.duration + 1)];
          assert.ok(clip.origin <= Math.max(earliest, originOf(leader, whole)) + 0.002, 'it begins before');
          for (const track of clip.tracks) {
            await checkTrack(edge, object, clip, track, movie, file, false);
            const { samples, count } = track.segments;
            const model = movie.tracks[track.id - 1]!;
            const presented = timesOf(model, movie.timescale).map(time => time.presented / track.timescale);
            const slack = 1.5 / track.timescale + 1e-4;
            presented.forEach((second, i) => {
              const isInside = i >= samples[0]! && i < samples[count]!;
              const isWanted = second > earliest + slack && second < latest - slack;
              if (isWanted) assert.ok(isInside, `sample ${i} of track ${track.id}, shown at ${second}`);
            });
            // Sound begins with what its decoder needs before.
            if (track !== leader || track.kind !== 'video') continue;
            const first = presented[samples[0]!]!;
            const later = presented.findIndex(
              (second, i) => model.samples[i]!.sync && second > first + slack && second < earliest - slack,
            );
            assert.equal(later, -1, 'no key frame is nearer');
          }
        },
      ),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('are cut at the first key frame at or after multiples of the target, without a short last segment', async () => {
    await fc.assert(
      fc.asyncProperty(playable(300), TARGETS, async (movie, target) => {
        const file = withCodecs(build(movie));
        const object = mediaObject(new MemorySource(file));
        const pack = await makePackager().package(object, { target, shortest: 0.5 });
        const leader = leaderOf(pack);
        const { segments, timescale, id, end } = leader;
        const model = movie.tracks[id - 1]!;
        const exact = timesOf(model, movie.timescale).map(time => time.presented - pack.origin * timescale);
        // Half a tick may be rounded either way, but for all samples alike.
        const first = Math.min(...exact.slice(0, segments.samples[1]));
        const rounding = first < 0 ? 0 : segments.begins[0]! - first;
        assert.ok(Math.abs(rounding) < 1, `the first segment begins at ${segments.begins[0]}, not at ${first}`);
        const presented = exact.map(time => Math.round(time + rounding));
        const cuts = cutsOf(leader, presented, model, target);
        const last = segments.count - 1;
        const made = [...segments.samples.subarray(0, last + 1)];
        assert.ok(last === 0 || end - segments.begins[last]! >= 0.5 * target * timescale);
        // The last ones may be parts of the one before: because they are short, or begin when that does.
        assert.deepEqual(
          made,
          cuts.filter(cut => made.includes(cut)),
        );
        const kept = (cut: number) =>
          made.includes(cut) || cut > made[last]! || isTogether(presented, model, cuts, cut);
        assert.deepEqual(
          cuts.filter(cut => !kept(cut)),
          [],
        );
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('have the same key frames whether these are come by as it is made, or sought later', async () => {
    await fc.assert(
      fc.asyncProperty(playable(300), TARGETS, async (movie, target) => {
        const object = mediaObject(new MemorySource(withCodecs(build(movie))));
        const stored = new Map<string, Uint8Array>();
        const store = {
          get: (identity: string, kind: string) => stored.get(`${identity} ${kind}`),
          put: (identity: string, kind: string, bytes: Uint8Array) => void stored.set(`${identity} ${kind}`, bytes),
        };
        const [first, later] = [makePackager({ store }), makePackager({ store })];
        const { tracks } = await first.package(object, { target, shortest: 0.5 });
        const again = await later.package(object, { target, shortest: 0.5 });
        assert.deepEqual(later.stats, { compiled: 0, restored: 1, refused: 0 });
        for (const [i, track] of tracks.entries()) {
          assert.deepEqual(await first.keyFrames(object, track), await later.keyFrames(object, again.tracks[i]!));
        }
      }),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    );
  });
});

/** Whether the segment that begins with `cut` is presented no later than the one before. */
function isTogether(presented: readonly number[], model: ModelTrack, cuts: readonly number[], cut: number): boolean {
  const at = cuts.indexOf(cut);
  const least = (from: number, to: number) => Math.min(...presented.slice(from, to).map(time => Math.max(0, time)));
  return least(cut, cuts[at + 1] ?? model.samples.length) <= least(cuts[at - 1]!, cut);
}
