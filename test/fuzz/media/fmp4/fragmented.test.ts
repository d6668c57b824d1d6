/** `node --import tsx test/fuzz/media/fmp4/fragmented.test.ts 1000000` tries a million inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FragmentedMp4 } from '../../../../src/media/fmp4/fragmented-mp4.js';
import { reportFragments } from '../../../../src/media/report/fragmented-report.js';
import { makeFragmented, type TestFragment, type TestLayout } from '../../../support/fmp4.js';
import { inputsWanted } from '../../../support/mutation.js';
import { fuzzFormat, offsetsOf } from '../seek-formats.js';

const film: TestFragment[] = Array.from({ length: 8 }, (_, i) => [
  {
    track: 1,
    time: i * 1500,
    samples: [0, 1, 2].map(n => ({ duration: 500, compositionOffset: 40, sync: n === 0, data: Buffer.alloc(12, i) })),
  },
  {
    track: 2,
    time: i * 12000,
    samples: [{ duration: 12000, compositionOffset: 0, sync: true, data: Buffer.alloc(6, i) }],
  },
]);
const layouts: TestLayout[] = [
  { base: 'moof', index: 'sidx', tfdt: 1, leading: true, edit: 40 },
  { base: 'absolute', index: 'mfra', tfdt: 0, leading: false, edit: 0 },
  { base: 'none', index: 'nested sidx', tfdt: 1, leading: false, edit: 0 },
  { base: 'absolute', index: 'none', tfdt: undefined, leading: true, edit: 40 },
];
const BOXES = [
  'ftyp',
  'moov',
  'mvhd',
  'trak',
  'tkhd',
  'elst',
  'mdhd',
  'hdlr',
  'stsz',
  'trex',
  'sidx',
  'styp',
  'moof',
  'tfhd',
];
const seeds = layouts.map(layout => {
  const { bytes } = makeFragmented(film, layout);
  const hot = [...BOXES, 'tfdt', 'trun', 'mdat', 'mfra', 'tfra', 'mfro'].flatMap(type =>
    offsetsOf(bytes, type).map(at => at - 4),
  );
  return { bytes, hot };
});

test('changed fragmented MP4 files', async () => {
  const outcomes = await fuzzFormat(new FragmentedMp4(), reportFragments, seeds, inputsWanted(3000));
  assert.ok(outcomes.planned > 0 && outcomes.refused > 0 && outcomes.passed > 0, JSON.stringify(outcomes));
});
