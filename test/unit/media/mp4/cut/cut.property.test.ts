import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../../../src/base/errors.js';
import { ProgressiveMp4 } from '../../../../../src/media/mp4/progressive.js';
import type { VirtualFile } from '../../../../../src/virtual-file/virtual-file.js';
import { build } from '../../../../support/mp4/build.js';
import { isEncrypted, type ModelMovie, movies } from '../../../../support/mp4/model.js';
import { type ParsedMovie, type ParsedSample, type ParsedTrack, parseMovie } from '../../../../support/mp4/parse.js';
import { MemorySource, mediaObject, render } from '../../../../support/virtual.js';

/** Seconds by which presentation times may be off: half a unit of the answer's movie timescale, and rounding. */
const ERROR_MAX = 0.00051;

interface Shown {
  readonly start: number;
  readonly end: number;
  readonly media: number;
}

/** Decode times of samples, and that of the end. */
function decodeTimes(track: ParsedTrack): number[] {
  const times = [0];
  for (const { delta } of track.samples) times.push(times[times.length - 1]! + delta);
  return times;
}

/** What the edit list presents, in seconds; never past the end of the media. */
function shownOf(track: ParsedTrack, scale: number): Shown[] {
  const times = decodeTimes(track);
  // A sample without duration is presented for a tick.
  const mediaEnd = Math.max(...track.samples.map(({ offset, delta }, i) => times[i]! + Math.max(1, delta) + offset));
  if (track.edits.length === 0) return [{ start: 0, end: mediaEnd / track.timescale, media: 0 }];
  const shown: Shown[] = [];
  let position = 0;
  for (const [i, { duration, media }] of track.edits.entries()) {
    const start = position / scale;
    const left = (mediaEnd - media) / track.timescale;
    const length = duration === 0 && i === track.edits.length - 1 ? left : Math.min(left, duration / scale);
    if (media >= 0 && length > 0) shown.push({ start, end: start + length, media });
    position += duration;
  }
  return shown;
}

function clip(shown: readonly Shown[], from: number, to: number, timescale: number): Shown[] {
  return shown.flatMap(({ start, end, media }) => {
    const [first, last] = [Math.max(start, from), Math.min(end, to)];
    return last - first < 1e-9 ? [] : [{ start: first, end: last, media: media + (first - start) * timescale }];
  });
}

/** All that a sample is, but for its times and its number. */
function content({ sync, bytes, description, depends, padding, group, parts, auxiliary }: ParsedSample): string {
  return JSON.stringify([sync, bytes, description, depends, padding, group, parts, auxiliary]);
}

function checkTrack(
  told: string,
  cut: ParsedTrack,
  source: ParsedTrack,
  cutScale: number,
  scale: number,
  from: number,
  to: number,
): void {
  const times = decodeTimes(source);
  const { timescale } = source;
  const wanted = clip(shownOf(source, scale), from, to, timescale);
  if (wanted.length === 0) {
    assert.equal(cut.samples.length, 0, told);
    return;
  }
  assert.ok(cut.samples.length > 0, `${told}: no samples`);
  const contents = source.samples.map(content);
  const matches = contents.flatMap((_, first) => {
    if (first + cut.samples.length > source.samples.length) return [];
    const same = cut.samples.every((sample, i) => {
      const other = source.samples[first + i]!;
      const delta =
        sample.delta === other.delta || (i === 0 && source.handler !== 'soun' && sample.delta < other.delta);
      return delta && content(sample) === contents[first + i];
    });
    return same ? [first] : [];
  });
  assert.ok(matches.length > 0, `${told}: the samples are no run of the source's`);
  const errors = matches.map(first => timingError(first));
  assert.ok(errors.includes(undefined), `${told}: ${errors[0]}`);
  assert.equal(cut.mediaDuration, decodeTimes(cut)[cut.samples.length], told);

  function timingError(first: number): string | undefined {
    if (first > 0 && source.handler !== 'soun' && !source.samples[first]!.sync)
      return `begins with sample ${first}, which is no sync sample`;
    const cutTimes = decodeTimes(cut);
    const trimmed = source.samples[first]!.delta - cut.samples[0]!.delta;
    const shift = cut.samples[0]!.offset - source.samples[first]!.offset;
    const shown = shownOf(cut, cutScale);
    const compositions = source.samples.map(({ offset }, i) => times[i]! + offset).sort((a, b) => a - b);
    const edits = shown.length;
    if (edits !== wanted.length) return `has ${edits} edits, expected ${wanted.length}`;
    for (const [n, edit] of shown.entries()) {
      const goal = wanted[n]!;
      const inOneTick = (goal.end - goal.start) * timescale <= 1.01;
      for (const [i, { offset, delta }] of source.samples.entries()) {
        const composition = times[i]! + offset;
        const shownAt = goal.start - from + (composition - goal.media) / timescale;
        const kept = i >= first && i < first + cut.samples.length;
        const until = compositions.find(other => other > composition) ?? composition + delta;
        const needed = until > goal.media + 1 && composition < goal.media + (goal.end - goal.start) * timescale - 1;
        if (needed && !kept) return `sample ${i} is missing`;
        if (!kept) continue;
        const sample = cut.samples[i - first]!;
        if (sample.offset !== offset + shift)
          return `sample ${i} has composition offset ${sample.offset}, expected ${offset} + ${shift}`;
        if (trimmed > 0 && i === first) continue;
        const moved = cutTimes[i - first]! + sample.offset;
        const at = edit.start + (moved - edit.media) / timescale;
        if (Math.abs(at - shownAt) > ERROR_MAX + (inOneTick ? 1 / timescale : 0))
          return `sample ${i} is presented at ${at}, expected ${shownAt}`;
      }
      // With reordering and uneven durations, what is presented last depends on what else is there.
      const uneven = source.samples.some(({ offset }) => offset !== source.samples[0]!.offset);
      const slack = (inOneTick ? 1 : uneven ? Math.max(...source.samples.map(({ delta }) => delta)) : 0) / timescale;
      const longest =
        source.handler === 'vide'
          ? Math.max(...source.samples.map(({ delta, offset }) => delta + Math.abs(offset)))
          : 1;
      if (edit.start > goal.start - from + ERROR_MAX + (2 * longest) / timescale)
        return `edit ${n} begins at ${edit.start}, expected ${goal.start - from}`;
      if (Math.abs(edit.end - (goal.end - from)) > 0.0021 + slack)
        return `edit ${n} ends at ${edit.end}, expected ${goal.end - from}`;
    }
    return undefined;
  }
}

function check(told: string, model: ModelMovie, cut: ParsedMovie, source: ParsedMovie, from: number, to: number): void {
  assert.deepEqual(cut.topLevel, ['ftyp', 'moov', 'mdat']);
  const left = source.tracks.filter(track => {
    if (track.handler === 'hint') return false;
    return track.handler !== 'vide' || clip(shownOf(track, source.timescale), from, to, track.timescale).length > 0;
  });
  assert.deepEqual(
    cut.tracks.map(({ id }) => id),
    left.map(({ id }) => id),
    told,
  );
  cut.tracks.forEach((track, i) => {
    // What a `senc` holds that can't be understood stands with the media, where `saio` leads.
    const understood = isEncrypted(model.tracks[track.id - 1]!.form);
    assert.deepEqual(
      track.boxes.map(type => (type === 'co64' ? 'stco' : type)),
      left[i]!.boxes.map(type => (type === 'co64' ? 'stco' : type)).filter(type => understood || type !== 'senc'),
    );
    // Players that read the one or the other find the same.
    if (understood) {
      const entries = track.samples.map(({ auxiliary }) => auxiliary).join('');
      assert.deepEqual(track.senc, { entries, count: track.samples.length, parent: left[i]!.senc!.parent }, told);
    }
    checkTrack(`${told}, track ${track.id}`, track, left[i]!, cut.timescale, source.timescale, from, to);
    assert.equal(
      track.duration,
      track.edits.reduce((sum, { duration }) => sum + duration, 0),
    );
    if (track.samples.length > 0) checkCompositionShift(told, track);
  });
  assert.equal(cut.duration, Math.max(...cut.tracks.map(({ duration }) => duration)));
}

/** `cslg` (ISO/IEC 14496-12 section 8.6.1.4) fits the samples; its bounds may be those of the source. */
function checkCompositionShift(told: string, track: ParsedTrack): void {
  if (track.cslg === undefined) return;
  const [shift, least, greatest, first, end] = track.cslg as [number, number, number, number, number];
  const times = decodeTimes(track);
  const offsets = track.samples.map(({ offset }) => offset);
  assert.ok(least <= Math.min(...offsets) && greatest >= Math.max(...offsets), `${told}: cslg ${track.cslg}`);
  assert.ok(shift >= 0 && offsets.every(offset => offset + shift >= 0), `${told}: cslg ${track.cslg}`);
  const compositions = offsets.map((offset, i) => times[i]! + offset);
  assert.equal(first, Math.min(...compositions), `${told}: cslg ${track.cslg}`);
  const last = Math.max(...compositions.map((time, i) => time + Math.max(1, track.samples[i]!.delta)));
  assert.ok(end === 0 || end === last, `${told}: cslg ${track.cslg}, ends at ${last}`);
}

/** Where the answer to a seek by key frames begins, by the book: undefined when more than one answer is right. */
function keyFrame(source: ParsedMovie, start: number): number | undefined {
  const leads = source.tracks.filter(track => track.samples.length > 1);
  const shownOfTrack = (track: ParsedTrack) => shownOf(track, source.timescale);
  const reaching = leads.filter(track => start < (shownOfTrack(track).at(-1)?.end ?? -1));
  const isVideo = ({ handler }: ParsedTrack) => handler === 'vide';
  // A video that has just ended leads as well.
  if (leads.some(isVideo) && !reaching.some(isVideo)) return undefined;
  const track =
    reaching.find(({ handler }) => handler === 'vide') ?? reaching.find(({ handler }) => handler === 'soun');
  if (track === undefined) return undefined;
  const segment = shownOfTrack(track).findLast(shown => shown.start <= start);
  if (segment === undefined || start >= segment.end) return undefined;
  const times = decodeTimes(track);
  const media = segment.media + (start - segment.start) * track.timescale;
  let last: number | undefined;
  for (const [i, { sync, offset }] of track.samples.entries()) {
    if (sync && times[i]! + offset <= media) last = times[i]! + offset;
  }
  return last === undefined ? undefined : segment.start + Math.max(0, last - segment.media) / track.timescale;
}

/** Undefined when there is nothing to present. */
async function planned(plan: () => Promise<VirtualFile | undefined>): Promise<VirtualFile | undefined> {
  try {
    return await plan();
  } catch (error) {
    if (error instanceof EdgeError && /nothing is presented/.test(error.message)) return undefined;
    throw error;
  }
}

const seeks = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.option(fc.double({ min: 0.001, max: 1, noNaN: true }), { nil: undefined }),
  seek: fc.constantFrom('keyframe' as const, 'exact' as const),
  later: fc.constantFrom(false, 'mixed' as const),
  windows: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
});

describe('cut of a generated movie', () => {
  it('has the samples, the tables and the times of the source', async () => {
    await fc.assert(
      fc.asyncProperty(movies(400), seeks, async (model, { at, length, seek, later, windows }) => {
        const bytes = build(model, true);
        const source = parseMovie(build(model));
        const format = new ProgressiveMp4({ seek, maxMoov: 1 << 24 });
        const memory = new MemorySource(bytes, later);
        const index = await format.compile(memory);
        assert.ok(index !== undefined);
        const restored = format.decode(format.encode(index), bytes.length);
        assert.deepEqual(restored, index);
        const duration = Math.max(
          ...source.tracks.flatMap(track => shownOf(track, source.timescale).map(({ end }) => end)),
        );
        const start = Math.round(at * duration * 1e6) / 1e6;
        const end = length === undefined ? undefined : start + Math.max(0.001, length * (duration - start));
        const told = `start ${start} end ${end} ${seek}`;
        // Cuts nothing, even of a movie that presents nothing.
        if (start === 0 && end !== undefined && end >= duration) return;
        if (start >= duration) {
          await assert.rejects(async () => format.plan(index, mediaObject(memory), { start, end }), {
            code: 'range_not_satisfiable',
          });
          return;
        }
        const file = await planned(async () => format.plan(restored, mediaObject(memory), { start, end }));
        if (file === undefined) {
          const shown = source.tracks
            .filter(({ handler }) => handler !== 'hint')
            .flatMap(track => clip(shownOf(track, source.timescale), start, end ?? duration, 1));
          assert.deepEqual(shown, [], `${told}: nothing was found to present`);
          return;
        }
        const actual = file.seekActual!;
        assert.ok(actual <= start + 0.000501, `${told}: begins at ${actual}`);
        if (seek === 'keyframe') {
          const expected = [start, start + 0.000499, start + 0.000501].map(time => keyFrame(source, time));
          assert.ok(
            expected.includes(undefined) || expected.some(time => Math.abs(time! - actual) < 1e-6),
            `${told}: ${actual}, not ${expected}`,
          );
        }
        const whole = render(file, bytes);
        let turn = 0;
        assert.ok(
          whole.equals(render(file, bytes, () => windows[turn++ % windows.length]!)),
          'windows change the bytes',
        );
        check(`${told}, from ${actual}`, model, parseMovie(whole), source, actual, Math.min(end ?? duration, duration));
        const again = (await format.plan(index, mediaObject(memory), { start, end }))!;
        assert.ok(again.etag === file.etag && render(again, bytes).equals(whole), 'the same seek has other bytes');
      }),
      { numRuns: 300, includeErrorInReport: true },
    );
  });
});
