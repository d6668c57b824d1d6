import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EPOCH, Timeline } from '../../../../src/live/publish/timeline.js';

const [AUDIO, VIDEO] = [8, 9];

/** A timeline whose clock is set by hand. */
function make(epoch?: number) {
  const clock = { now: 1000 };
  return { clock, timeline: new Timeline(() => clock.now, epoch) };
}

/** Places tags that come when their timestamp says so. @param from first timestamp of the publisher */
function stream(
  timeline: Timeline,
  clock: { now: number },
  from: number,
  steps: readonly number[],
  kind = VIDEO,
  wrap = 2 ** 32,
) {
  let raw = from;
  return steps.map(step => {
    raw += step;
    clock.now += step;
    return timeline.place(kind, raw % wrap);
  });
}

describe('Timeline', () => {
  it('begins at 0, wherever the publisher does', () => {
    for (const from of [0, 5000, 2 ** 24 - 20, 2 ** 31 - 20, 2 ** 32 - 20]) {
      const { clock, timeline } = make();
      timeline.begin(from);
      assert.deepEqual(stream(timeline, clock, from, [0, 40, 40, 40]), [0, 40, 80, 120], `from ${from}`);
    }
  });

  it('goes on when a clock of 24 bits comes around (4 h 39 min: NMS 25, OBS 10097)', () => {
    const { clock, timeline } = make();
    const from = 2 ** 24 - 60;
    timeline.begin(from);
    assert.deepEqual(stream(timeline, clock, from, [0, 40, 40, 40], VIDEO, 2 ** 24), [0, 40, 80, 120]);
    // The other track may not have come around yet.
    assert.equal(timeline.place(AUDIO, 2 ** 24 - 50), 10);
    assert.equal(timeline.place(AUDIO, 10), 70);
  });

  it('keeps tracks in step whatever their order is, by any wrap (SRS 2776, 1001)', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(2 ** 24, 2 ** 32),
        fc.nat({ max: 3000 }),
        fc.array(
          fc.record({
            kind: fc.constantFrom(AUDIO, VIDEO),
            step: fc.integer({ min: 0, max: 200 }),
            late: fc.nat({ max: 300 }),
          }),
          {
            minLength: 2,
            maxLength: 60,
          },
        ),
        (wrap, before, tags) => {
          const { clock, timeline } = make();
          const from = wrap - before - 400;
          timeline.begin(from);
          let time = from + 400;
          const last = new Map<number, number>();
          for (const { kind, step, late } of tags) {
            time += step;
            clock.now += step;
            // A track may come late, but goes on.
            const raw = Math.max(time - late, last.get(kind) ?? 0);
            last.set(kind, raw);
            assert.equal(timeline.place(kind, raw % wrap), raw - from);
          }
        },
      ),
    );
  });

  it('never goes back within a track, nor jumps, whatever a publisher says', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            kind: fc.constantFrom(AUDIO, VIDEO),
            raw: fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 2 ** 24 - 1, 2 ** 31, 2 ** 32 - 1)),
            passed: fc.nat({ max: 1000 }),
          }),
          { minLength: 1, maxLength: 50 },
        ),
        tags => {
          const { clock, timeline } = make();
          timeline.begin(tags[0]!.raw);
          const last = new Map<number, number>();
          let begun = clock.now;
          for (const { kind, raw, passed } of tags) {
            clock.now += passed;
            const time = timeline.place(kind, raw);
            assert.ok(time >= (last.get(kind) ?? 0), `${time} after ${last.get(kind)}`);
            last.set(kind, time);
          }
          const most = clock.now - begun + tags.length * 10_000;
          begun = 0;
          assert.ok(timeline.time <= most, `${timeline.time} after ${most}`);
        },
      ),
    );
  });

  it('goes on with the real gap when a publisher comes back, whatever its clock says', () => {
    const { clock, timeline } = make();
    timeline.begin(700_000);
    stream(timeline, clock, 700_000, [0, 40, 40]);
    for (let restart = 1; restart <= 10; restart++) {
      const before = timeline.time;
      clock.now += 3000;
      timeline.begin(restart * 1000);
      assert.deepEqual(stream(timeline, clock, restart * 1000, [0, 40]), [before + 3000, before + 3040]);
    }
  });

  it('follows a clock that jumps, with both tracks', () => {
    for (const jump of [-3_600_000, 3_600_000, -20_000, 2 ** 31]) {
      const { clock, timeline } = make();
      const from = 4_000_000;
      timeline.begin(from);
      timeline.place(VIDEO, from);
      timeline.place(AUDIO, from + 10);
      clock.now += 40;
      const raw = (from + jump + 40) % 2 ** 32;
      const video = timeline.place(VIDEO, raw);
      // One that was under way.
      const late = timeline.place(AUDIO, from + 30);
      const audio = timeline.place(AUDIO, raw + 5);
      clock.now += 40;
      assert.equal(timeline.place(VIDEO, raw + 40), video + 40);
      assert.ok(video > 10 && video <= 100, `video at ${video}`);
      assert.ok(late <= audio && late >= 10, `late at ${late}`);
      assert.ok(Math.abs(audio - video - 5) <= 40, `audio at ${audio}, video at ${video}`);
    }
  });

  it('takes a pause of the publisher as it was', () => {
    const { clock, timeline } = make();
    timeline.begin(0);
    assert.deepEqual(stream(timeline, clock, 0, [0, 40, 3_600_000, 40]), [0, 40, 3_600_040, 3_600_080]);
  });

  it('lets B-frames be: what counts is the time that is given (MediaMTX 5808, 5226)', () => {
    const { clock, timeline } = make();
    timeline.begin(100);
    assert.deepEqual(stream(timeline, clock, 100, [0, 0, 0, 40, 0]), [0, 0, 0, 40, 40]);
  });

  it('begins anew before 2^31, with both tracks', () => {
    assert.ok(EPOCH < 2 ** 31);
    const { clock, timeline } = make(10_000);
    timeline.begin(50);
    timeline.place(VIDEO, 50);
    timeline.place(AUDIO, 60);
    clock.now += 10_000;
    assert.equal(timeline.place(VIDEO, 10_050), 10_000);
    assert.equal(timeline.isOld, true);
    timeline.renew();
    assert.equal(timeline.isOld, false);
    assert.equal(timeline.place(VIDEO, 10_090), 1040);
    assert.equal(timeline.place(AUDIO, 10_070), 1020);
  });

  it('goes on where a process has stopped that died', () => {
    const { clock, timeline } = make();
    timeline.resume(5000, 2000);
    clock.now += 500;
    timeline.begin(77);
    assert.equal(timeline.place(VIDEO, 77), 7500);
  });
});
