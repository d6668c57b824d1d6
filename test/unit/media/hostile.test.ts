/** Files that are made to cost much: a seek ends with a refusal or an answer, within the budget, and never twice. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { Flv } from '../../../src/media/flv/flv.js';
import { FragmentedMp4 } from '../../../src/media/fmp4/fragmented-mp4.js';
import { COMPILE_BUDGET, MeteredSource, PLAN_BUDGET } from '../../../src/media/io/metered-source.js';
import { ProgressiveMp4 } from '../../../src/media/mp4/progressive.js';
import type { Format } from '../../../src/media/seek/format.js';
import { Planner } from '../../../src/media/seek/planner.js';
import { DEFAULTS } from '../../support/defaults.js';
import { HOSTILE } from '../../support/hostile.js';
import { isRefusal } from '../../support/mutation.js';
import { MemorySource, mediaObject, render } from '../../support/virtual.js';

const SIZE = 3 * 1024 * 1024;
/** Milliseconds of CPU that a seek may take here, where others use the processor's caches too and code is cold. */
const CPU_MAX = 3000;
/** Reads that the budgets pay for. */
const READS_MAX = (COMPILE_BUDGET.work + PLAN_BUDGET.work + (SIZE / BLOCK_SIZE) * 500e3) / 850;
const begin = { start: 1, end: undefined };

describe('a seek into a file that is made to cost much', () => {
  for (const { name, make } of HOSTILE) {
    it(name, async () => {
      const formats = [
        new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 28 }),
        new FragmentedMp4(),
        new Flv({ start: 'auto', timestamps: 'rebased' }),
      ] as Format<unknown>[];
      const planner = new Planner({ ...DEFAULTS.planner, formats, indexMemory: 1 << 25 });
      const bytes = make(SIZE);
      const source = new MemorySource(bytes);
      const seek = async () => {
        try {
          const file = await planner.seek(mediaObject(source), begin);
          if (file) render({ ...file, spans: file.spans.slice(0, 1), size: file.spans[0]!.length }, bytes);
        } catch (error) {
          assert.ok(isRefusal(error), String(error));
        }
      };
      const begun = process.cpuUsage();
      await seek();
      const { user, system } = process.cpuUsage(begun);
      assert.ok((user + system) / 1000 < CPU_MAX, `${(user + system) / 1000} ms of CPU`);
      assert.ok(source.reads < READS_MAX, `${source.reads} reads`);
      const reads = source.reads;
      await seek();
      assert.ok(source.reads - reads < 100, 'the second seek has what the first one found');
    });
  }

  it('has one budget for all that is read and kept', () => {
    const source = new MeteredSource(new MemorySource(new Uint8Array(10_000)), { work: 10_000, memory: 100 });
    for (let i = 0; i < 5; i++) source.read(0, 1000);
    assert.throws(() => [1, 2, 3, 4, 5].map(() => source.read(0, 1000)), { code: 'media_too_large', status: 422 });
    source.keep(100);
    assert.throws(() => source.keep(1), { code: 'media_too_large' });
    assert.equal(MeteredSource.over(source, COMPILE_BUDGET), source);
  });

  it('may cost more for each block that it makes the edge read, once, and up to a maximum', () => {
    const budget = { work: 10_000, memory: 100, most: { work: 1.2e6, memory: 10_000 } };
    const file = () => new MeteredSource(new MemorySource(new Uint8Array(8 * BLOCK_SIZE)), budget);
    const source = file();
    source.read(BLOCK_SIZE - 1, 2);
    source.spend(1e6);
    source.keep(8192 + 100);
    source.read(0, 1);
    assert.throws(() => source.spend(10_000), { code: 'media_too_large' });
    const other = file();
    for (let block = 0; block < 8; block++) other.read(block * BLOCK_SIZE, 1);
    other.spend(1.1e6);
    assert.throws(() => other.spend(0.1e6), { code: 'media_too_large' });
    assert.throws(() => other.keep(10_001), { code: 'media_too_large' });
  });
});
