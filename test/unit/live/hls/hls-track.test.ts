import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type HlsFrame, type HlsSegment, HlsTrack, type SegmentStart } from '../../../../src/live/hls/hls-track.js';

/** What a stream brings to one of its tracks, one after the other. */
type Event =
  | { readonly kind: 'frame'; readonly step: number; readonly isKey: boolean }
  | { readonly kind: 'other' }
  | { readonly kind: 'segment'; readonly isBreak: boolean }
  | { readonly kind: 'finish' };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('frame'), step: fc.nat(120), isKey: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('other') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('segment'), isBreak: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('finish') }) },
) as fc.Arbitrary<Event>;

interface Played {
  readonly frames: Map<number, HlsFrame[]>;
  readonly starts: SegmentStart[];
}

/** Gives events to a track. @param look called behind each */
function play(track: HlsTrack, events: readonly Event[], look: () => void = () => {}): Played {
  const frames = new Map<number, HlsFrame[]>();
  const starts: SegmentStart[] = [];
  let [sequence, timestamp, number, discontinuity] = [0, 0, 100, 7];
  let isOver = false;
  const begin = () => {
    const start = { number, discontinuity, sequence, timestamp, arrivedAt: timestamp };
    starts.push(start);
    frames.set(number, []);
    track.begin(start);
    isOver = false;
  };
  begin();
  for (const each of events) {
    if (each.kind === 'segment' || (isOver && each.kind === 'frame')) {
      number++;
      if (isOver || (each.kind === 'segment' && each.isBreak)) discontinuity++;
      begin();
    }
    if (each.kind === 'frame') {
      timestamp += each.step;
      const frame = { sequence, timestamp, bytes: sequence + 1, isKey: each.isKey };
      frames.get(number)!.push(frame);
      track.add(frame);
    }
    if (each.kind === 'finish') {
      track.finish();
      isOver = true;
    }
    sequence++;
    look();
  }
  track.finish();
  look();
  return { frames, starts };
}

const plain = (segments: readonly HlsSegment[]) => structuredClone(segments) as HlsSegment[];

test('any frames, segments and parts: every frame is in one part, numbers are whole, and nothing is changed later', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 150 }), fc.integer({ min: 20, max: 500 }), (events, target) => {
      const track = new HlsTrack(target);
      let before: HlsSegment[] = [];
      const { frames } = play(track, events, () => {
        const now = plain(track.segments);
        for (const [at, segment] of before.entries()) {
          assert.deepEqual(now[at]!.parts.slice(0, segment.parts.length), segment.parts);
          if (segment.isComplete) assert.deepEqual([now[at]!.parts, now[at]!.isComplete], [segment.parts, true]);
        }
        // What is not complete is the newest, or the one before as long as that waits for its last frame's end.
        assert.ok(now.filter(({ isComplete }) => !isComplete).length <= 2);
        before = now;
      });
      const { segments } = track;
      assert.deepEqual(
        segments.map(({ number }) => number),
        [...frames.keys()],
      );
      for (const { number, parts, isComplete, duration } of segments) {
        assert.ok(isComplete);
        const own = frames.get(number)!;
        let at = 0;
        for (const [index, part] of parts.entries()) {
          const cut = own.slice(at, at + part.frames);
          at += part.frames;
          assert.ok(cut.length > 0);
          assert.equal(part.index, index);
          assert.equal(part.first, cut[0]!.sequence);
          assert.equal(part.end, cut.at(-1)!.sequence + 1);
          assert.equal(part.start, cut[0]!.timestamp);
          assert.equal(
            part.bytes,
            cut.reduce((sum, { bytes }) => sum + bytes, 0),
          );
          assert.equal(part.isIndependent, cut[0]!.isKey);
          if (index > 0) assert.equal(parts[index - 1]!.start + parts[index - 1]!.duration, part.start);
          // Without its last frame it would be too short.
          if (cut.length > 1) assert.ok(cut.at(-1)!.timestamp - part.start < target, 'a part that is too long');
        }
        assert.equal(at, own.length);
        if (parts.length > 0)
          assert.equal(
            parts.reduce((sum, part) => sum + part.duration, 0),
            duration,
          );
      }
    }),
    { numRuns: 300 },
  );
});

test('it makes no difference where in a stream a process begins', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), fc.nat(10), (events, skipped) => {
      const whole = new HlsTrack(200);
      const { starts } = play(whole, events);
      const from = starts[Math.min(skipped, starts.length - 1)]!;
      const later = new HlsTrack(200);
      let isPlaying = false;
      // The same calls, from a later segment on.
      const proxy = {
        begin: (start: SegmentStart) => {
          isPlaying ||= start.number >= from.number;
          if (isPlaying) later.begin(start);
        },
        add: (frame: HlsFrame) => isPlaying && later.add(frame),
        finish: () => isPlaying && later.finish(),
      };
      play(proxy as unknown as HlsTrack, events);
      whole.trim(from.sequence);
      const names = (segments: readonly HlsSegment[]) => segments.map(({ number, parts }) => ({ number, parts }));
      assert.deepEqual(names(later.segments), names(whole.segments.filter(({ number }) => number >= from.number)));
    }),
    { numRuns: 200 },
  );
});

test('parts of usual rates lie as near to their target as frames allow', () => {
  const cut = (step: (at: number) => number, target: number) => {
    const track = new HlsTrack(target);
    track.begin({ number: 1, discontinuity: 1, sequence: 0, timestamp: 0, arrivedAt: 0 });
    for (let at = 0; at < 200; at++) {
      track.add({ sequence: at, timestamp: Math.round(step(at)), bytes: 1, isKey: at === 0 });
    }
    return track.segments[0]!.parts.map(({ frames, duration }) => [frames, duration] as const);
  };
  for (const [rate, target, frames] of [
    [25, 200, 5],
    [30, 200, 6],
    [24, 200, 5],
    [60_000 / 1001, 200, 12],
    [44_100 / 1024, 200, 9],
    [48_000 / 1024, 200, 9],
    [2, 200, 1],
    [50, 333, 17],
  ] as const) {
    for (const [count, duration] of cut(at => (at * 1000) / rate, target)) {
      assert.equal(count, frames, `${rate} frames a second`);
      assert.ok(Math.abs(duration - (frames * 1000) / rate) <= 1);
    }
  }
});
