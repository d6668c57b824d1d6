/** `node --import tsx test/fuzz/media/flv/flv.test.ts 1000000` tries a million inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Amf0Reader } from '../../../../src/media/flv/amf0.js';
import { Flv } from '../../../../src/media/flv/flv.js';
import { parseMetadata } from '../../../../src/media/flv/metadata.js';
import { reportFlv } from '../../../../src/media/report/flv-report.js';
import { audio, makeFlv, metadataTag, type TestTag, video } from '../../../support/flv.js';
import { Dice, inputsWanted, mutate } from '../../../support/mutation.js';
import { fuzzFormat } from '../seek-formats.js';

const tags: TestTag[] = [
  { type: 9, timestamp: 0, data: video('config', 10, 1), config: 'video' },
  { type: 8, timestamp: 0, data: audio('config', 2, 2), config: 'audio' },
];
for (let i = 0; i < 60; i++) {
  tags.push({ type: 9, timestamp: i * 200, data: video(i % 6 === 0 ? 'key' : 'inter', 40, i), key: i % 6 === 0 });
  tags.push({ type: 8, timestamp: i * 200, data: audio('frame', 10, i) });
}
const seeds = [true, false].map(table => {
  const { bytes, placed } = makeFlv(tags, table);
  return { bytes, hot: [0, ...placed.map(({ offset }) => offset), bytes.length - 8] };
});

for (const timestamps of ['kept', 'rebased'] as const) {
  test(`changed FLV files, timestamps ${timestamps}`, async () => {
    const outcomes = await fuzzFormat(
      new Flv({ start: 'auto', timestamps }),
      reportFlv,
      seeds,
      Math.ceil(inputsWanted(3000) / 3),
    );
    assert.ok(outcomes.planned > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
  });
}

test('changed AMF0', () => {
  const data = metadataTag(12, { positions: [1, 2, 3], times: [0, 1, 2] }).data;
  const hot = Array.from({ length: data.length }, (_, i) => i);
  let read = 0;
  const count = Math.ceil(inputsWanted(3000) / 3);
  for (let number = 1; number <= count; number++) {
    const bytes = mutate(new Dice(number), data, hot);
    parseMetadata(bytes, 100);
    const reader = new Amf0Reader(bytes);
    for (const reading of [() => reader.value(0), () => reader.value(13), () => reader.skip(13)]) {
      try {
        reading();
        read++;
      } catch (error) {
        assert.ok(error instanceof RangeError, `input ${number}: ${error}`);
      }
    }
  }
  assert.ok(read > count / 4);
});
