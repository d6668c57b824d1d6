import assert from 'node:assert/strict';
import type { ByteSource } from '../../../src/base/byte-source.js';
import { perform, type Reading } from '../../../src/media/io/reading.js';
import type { MediaReport } from '../../../src/media/report/media-report.js';
import type { Format } from '../../../src/media/seek/format.js';
import { BoundedSource, Dice, isRefusal, mutate } from '../../support/mutation.js';
import { cpuStopwatch } from '../../support/stopwatch.js';
import { mediaObject, render } from '../../support/virtual.js';

/** Milliseconds of CPU that one input may take. */
const TIME_MAX = 2000;

/**
 * Compiles, encodes, decodes, reports, plans and renders `count` mutations of the seeds. Each must end soon, either
 * with a refusal or with an answer whose spans stay inside the object and add up. Results at once only: the source
 * never waits.
 */
export async function fuzzFormat<I>(
  format: Format<I>,
  report: (index: I, source: ByteSource) => Reading<MediaReport>,
  seeds: readonly { bytes: Uint8Array; hot: number[] }[],
  count: number,
  first = 1,
) {
  const outcomes = { planned: 0, refused: 0, passed: 0 };
  for (let number = first; number < first + count; number++) {
    const dice = new Dice(number);
    const { bytes: seed, hot } = dice.pick(seeds);
    const bytes = mutate(dice, seed, hot);
    const spent = cpuStopwatch();
    try {
      const source = new BoundedSource(bytes);
      const index = await format.compile(source);
      if (index === undefined) {
        outcomes.passed++;
        continue;
      }
      const decoded = format.decode(format.encode(index), bytes.length);
      assert.ok(decoded !== undefined, 'the index survives being stored');
      assert.deepEqual(decoded, index);
      await perform(report(index, source));
      const start = dice.below(12_000) / 1000;
      const end = dice.below(2) === 0 ? undefined : start + 0.001 + dice.below(8000) / 1000;
      const file = await format.plan(index, mediaObject(source), { start, end });
      if (file) render(file, bytes, () => 1 + dice.below(9000));
      outcomes.planned++;
    } catch (error) {
      if (!isRefusal(error))
        throw new Error(`input ${number}: ${error instanceof Error ? error.stack : error}`, { cause: error });
      outcomes.refused++;
    } finally {
      const took = spent();
      assert.ok(took < TIME_MAX, `input ${number} took ${took} ms`);
    }
  }
  return outcomes;
}

/** All offsets at which `needle` stands. */
export function offsetsOf(bytes: Buffer, needle: string): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) found.push(at);
  return found;
}
