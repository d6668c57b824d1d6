/** What is asked of hostile files must cost no long film its seeks: whatever it is made of, it is cut. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Flv } from '../../../src/media/flv/flv.js';
import { FragmentedMp4 } from '../../../src/media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../../../src/media/mp4/progressive.js';
import type { Format } from '../../../src/media/seek/format.js';
import { Planner } from '../../../src/media/seek/planner.js';
import { DEFAULTS } from '../../support/defaults.js';
import { LONG_FILMS, longFragments } from '../../support/long-film.js';
import { mediaObject } from '../../support/virtual.js';

/** Milliseconds of CPU between two turns of the event loop on a machine that does other things, too. */
const SLICE_MAX = 250;

function plannerOf(indexTime?: number): Planner {
  const formats = [
    new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 28 }),
    new FragmentedMp4(),
    new Flv({ start: 'auto', timestamps: 'kept' }),
  ] as Format<unknown>[];
  return new Planner({ ...DEFAULTS.planner, formats, indexMemory: 1 << 26, ...(indexTime && { indexTime }) });
}

/** Milliseconds of CPU since `begun`. */
function cpuSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000;
}

describe('a long film is cut', () => {
  for (const { name, seconds, make } of LONG_FILMS) {
    it(name, async t => {
      const source = make();
      const planner = plannerOf();
      const wanted = seconds - 100;
      let [longest, turning] = [0, true];
      let turned = process.cpuUsage();
      const turn = () => {
        longest = Math.max(longest, cpuSince(turned));
        turned = process.cpuUsage();
        if (turning) setImmediate(turn);
      };
      setImmediate(turn);
      await new Promise(setImmediate);
      longest = 0;
      const begun = process.cpuUsage();
      const file = await planner.seek(mediaObject(source), { start: wanted, end: undefined });
      t.diagnostic(`${Math.round(cpuSince(begun))} ms of CPU, at most ${Math.round(longest)} ms at once`);
      turning = false;
      assert.ok(file && file.seekActual! <= wanted + 0.01 && file.seekActual! > wanted - 3, `${file?.seekActual}`);
      assert.ok(file.size < source.size / 20, `${file.size} of ${source.size} bytes`);
      assert.ok(longest < SLICE_MAX, `${longest} ms at once`);
      // The second seek has an index.
      const again = process.cpuUsage();
      const middle = await planner.seek(mediaObject(source), { start: seconds / 2, end: undefined });
      assert.ok(middle!.size > source.size / 3 && cpuSince(again) < SLICE_MAX, `${cpuSince(again)} ms`);
    });
  }

  it('unless it would take longer than may be', async () => {
    await assert.rejects(
      async () => plannerOf(600).seek(mediaObject(longFragments(8, 2, 1e6)), { start: 9, end: undefined }),
      { code: 'media_too_large' },
    );
  });
});
