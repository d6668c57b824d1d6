import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMPILE_BUDGET, MeteredSource } from '../../../../../src/media/io/metered-source.js';
import { perform } from '../../../../../src/media/io/reading.js';
import { parseBox } from '../../../../../src/media/mp4/box/box.js';
import { BoxWriter } from '../../../../../src/media/mp4/box/box-writer.js';
import {
  clipSegments,
  type Edit,
  editsOf,
  readEdits,
  segmentsOf,
  writeEdits,
} from '../../../../../src/media/mp4/table/edit-list.js';
import { box } from '../../../../support/mp4/build.js';
import { MemorySource } from '../../../../support/virtual.js';

const play = (duration: number, media: number): Edit => ({ duration, media, dwell: false });

async function reread(bytes: Uint8Array): Promise<Edit[]> {
  const source = MeteredSource.over(new MemorySource(bytes), COMPILE_BUDGET);
  return perform(readEdits(source, parseBox(bytes, 0, 0, bytes.length)));
}

describe('edit lists', () => {
  it('come back as they were written, in either version', async () => {
    for (const edits of [
      [play(700, -1), play(3000, 1024), { duration: 50, media: 7, dwell: true }],
      [play(2 ** 33, 5), play(1, -1), play(1, 2 ** 40)],
    ]) {
      const writer = new BoxWriter();
      writeEdits(writer, edits);
      const edts = writer.take();
      assert.deepEqual(await reread(edts.slice(8)), edits);
    }
  });

  it('that no player understands are refused', async () => {
    const entry = (...words: number[]) => {
      const body = Buffer.alloc(8 + words.length * 4);
      body.writeUInt32BE(words.length / 3, 4);
      for (const [i, value] of words.entries()) body.writeUInt32BE(value >>> 0, 8 + i * 4);
      return box('elst', false, body);
    };
    const cases = {
      'another speed': entry(5, 0, 0x20000),
      'a negative media time': entry(5, -7, 0x10000),
    };
    for (const [reason, bytes] of Object.entries(cases)) {
      const whole = Buffer.from(bytes);
      whole.writeUInt32BE(whole.length, 0);
      await assert.rejects(reread(whole), { code: 'unplayable', message: new RegExp(reason) });
    }
    const many = box('elst', false, Buffer.alloc(8 + 1025 * 12));
    many.writeUInt32BE(1025, 12);
    await assert.rejects(reread(many), { code: 'unplayable', message: /1025 edits/ });
  });

  it('that are fewer than the box says are read as far as they go, as players do', async () => {
    const whole = box('elst', false, Buffer.from('0000000000000003000003e80000040000010000000003e8000004', 'hex'));
    assert.deepEqual(await reread(whole), [play(1000, 1024)]);
    const none = box('elst', false, Buffer.from('00000000ffffffff', 'hex'));
    assert.deepEqual(await reread(none), []);
  });

  it('present what they say, and never more than there is', () => {
    const shown = (edits: Edit[]) =>
      segmentsOf(edits, 1000, 100, 1000).map(({ start, end, media }) => [start, end, media]);
    assert.deepEqual(shown([]), [[0, 10, 0]]);
    assert.deepEqual(shown([play(500, -1), play(4000, 200)]), [[0.5, 4.5, 200]]);
    assert.deepEqual(shown([play(99_000, 200)]), [[0, 8, 200]], 'the samples end before the header says so');
    assert.deepEqual(shown([play(0, 200)]), [[0, 8, 200]], 'without a duration');
    assert.deepEqual(shown([play(1000, 5000), play(1000, 0)]), [[1, 2, 0]], 'past the end of the media');
    assert.deepEqual(
      shown([play(2000, 0), play(1000, 0)]),
      [
        [0, 2, 0],
        [2, 3, 0],
      ],
      'the same media twice',
    );
    assert.deepEqual(
      shown([{ duration: 3000, media: 40, dwell: true }, play(1000, 40)]),
      [
        [0, 3, 40],
        [3, 4, 40],
      ],
      'a still moment',
    );
  });

  it('are cut without moving anything', () => {
    const segments = segmentsOf([play(500, -1), play(4000, 200), play(250, -1), play(1000, 0)], 1000, 100, 1000);
    const edits = (from: number, to: number) => editsOf(clipSegments(segments, from, to, 100), from, 0, 1000);
    assert.deepEqual(edits(0.2, 99), [play(300, -1), play(4000, 200), play(250, -1), play(1000, 0)]);
    assert.deepEqual(edits(1, 3), [play(2000, 250)]);
    assert.deepEqual(edits(4, 5), [play(500, 550), play(250, -1), play(250, 0)]);
    assert.deepEqual(edits(4.6, 4.7), []);
    assert.deepEqual(edits(1.0041, 2), [play(6, -1), play(990, 251)], 'between two ticks of 10 ms');
    const still = clipSegments([{ start: 0, end: 3, media: 40, dwell: true }], 1, 2, 100);
    assert.deepEqual(editsOf(still, 1, 10, 1000), [{ duration: 1000, media: 30, dwell: true }]);
  });

  it('add up without adding rounding errors', () => {
    const third = 1 / 3;
    const segments = Array.from({ length: 300 }, (_, i) => ({
      start: i * third,
      end: (i + 1) * third,
      media: i,
      dwell: false,
    }));
    const edits = editsOf(segments, 0, 0, 1000);
    assert.equal(
      edits.reduce((sum, { duration }) => sum + duration, 0),
      100_000,
    );
  });
});
