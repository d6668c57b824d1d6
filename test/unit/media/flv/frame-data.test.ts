import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { configurationOf, frameDataOf } from '../../../../src/media/flv/frame-data.js';
import { AUDIO_TAG, VIDEO_TAG } from '../../../../src/media/flv/tag.js';

const bytes = (...parts: readonly (string | readonly number[])[]) =>
  Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));

test('frames by their headers: where they lie, their composition time, whether they are key frames', () => {
  const cases: [string, number, Uint8Array, object | undefined][] = [
    ['AVC', VIDEO_TAG, bytes([0x17, 1, 0, 0, 80], 'I'), { codec: 'avc1', composition: 80, isKey: true }],
    [
      'AVC, shown before',
      VIDEO_TAG,
      bytes([0x27, 1, 0xff, 0xff, 0xd8], 'P'),
      { codec: 'avc1', composition: -40, isKey: false },
    ],
    ['HEVC as 12', VIDEO_TAG, bytes([0x1c, 1, 0, 0, 0], 'I'), { codec: 'hvc1', composition: 0, isKey: true }],
    ['AVC configuration', VIDEO_TAG, bytes([0x17, 0, 0, 0, 0], 'C'), undefined],
    ['AVC end', VIDEO_TAG, bytes([0x17, 2, 0, 0, 0]), undefined],
    ['empty frame', VIDEO_TAG, bytes([0x17, 1, 0, 0, 0]), undefined],
    ['H.263', VIDEO_TAG, bytes([0x12, 1, 2, 3, 4, 5]), undefined],
    ['command', VIDEO_TAG, bytes([0x57, 1, 0, 0, 0], 'x'), undefined],
    ['AAC', AUDIO_TAG, bytes([0xaf, 1], 'F'), { codec: 'mp4a', composition: 0, isKey: true }],
    ['AAC configuration', AUDIO_TAG, bytes([0xaf, 0], 'C'), undefined],
    ['MP3', AUDIO_TAG, bytes([0x2f], 'FFF'), undefined],
    [
      'enhanced AVC',
      VIDEO_TAG,
      bytes([0x91], 'avc1', [0, 0, 40], 'I'),
      { codec: 'avc1', composition: 40, isKey: true },
    ],
    ['enhanced HEVC, X', VIDEO_TAG, bytes([0xa3], 'hvc1', 'P'), { codec: 'hvc1', composition: 0, isKey: false }],
    ['AV1', VIDEO_TAG, bytes([0x91], 'av01', 'I'), { codec: 'av01', composition: 0, isKey: true }],
    ['Opus', AUDIO_TAG, bytes([0x91], 'Opus', 'F'), { codec: 'Opus', composition: 0, isKey: true }],
    [
      'ModEx before',
      VIDEO_TAG,
      bytes([0x97, 2, 1, 2, 3, 0x01], 'av01', 'I'),
      { codec: 'av01', composition: 0, isKey: true },
    ],
    ['one track', VIDEO_TAG, bytes([0x96, 0x01], 'av01', [0], 'I'), { codec: 'av01', composition: 0, isKey: true }],
    ['another track', VIDEO_TAG, bytes([0x96, 0x01], 'av01', [1], 'I'), undefined],
    [
      'many tracks',
      VIDEO_TAG,
      bytes([0x96, 0x11], 'av01', [1, 0, 0, 2], 'xx', [0, 0, 0, 1], 'I'),
      { codec: 'av01', composition: 0, isKey: true },
    ],
    [
      'many codecs',
      AUDIO_TAG,
      bytes([0x95, 0x21], 'mp4a', [1, 0, 0, 1], 'x', 'Opus', [0, 0, 0, 1], 'F'),
      { codec: 'Opus', composition: 0, isKey: true },
    ],
    ['track cut off', VIDEO_TAG, bytes([0x96, 0x11], 'av01', [0, 0, 0, 9], 'I'), undefined],
  ];
  for (const [name, type, data, expected] of cases) {
    const frame = frameDataOf(type, data);
    if (expected === undefined) assert.equal(frame, undefined, name);
    else {
      const { codec, composition, isKey } = frame!;
      assert.deepEqual({ codec, composition, isKey }, expected, name);
      assert.match(Buffer.from(data.subarray(frame!.from, frame!.to)).toString(), /^[IPF]$/, name);
    }
  }
});

test('configurations, and nothing but them', () => {
  assert.deepEqual(configurationOf(VIDEO_TAG, bytes([0x17, 0, 0, 0, 0], 'C')), { codec: 'avc1', bytes: bytes('C') });
  assert.deepEqual(configurationOf(VIDEO_TAG, bytes([0x90], 'hvc1', 'C')), { codec: 'hvc1', bytes: bytes('C') });
  assert.deepEqual(configurationOf(AUDIO_TAG, bytes([0xaf, 0], 'C')), { codec: 'mp4a', bytes: bytes('C') });
  assert.deepEqual(configurationOf(AUDIO_TAG, bytes([0x90], 'Opus', 'C')), { codec: 'Opus', bytes: bytes('C') });
  assert.equal(configurationOf(AUDIO_TAG, bytes([0xaf, 1], 'F')), undefined);
  assert.equal(configurationOf(VIDEO_TAG, bytes([0x17, 0, 0, 0, 0])), undefined);
});

test('any bytes: a frame lies within them, or there is none', () => {
  fc.assert(
    fc.property(fc.constantFrom(AUDIO_TAG, VIDEO_TAG), fc.uint8Array({ maxLength: 40 }), (type, data) => {
      const frame = frameDataOf(type, data);
      if (frame === undefined) return;
      assert.ok(frame.from < frame.to && frame.to <= data.length);
      assert.ok(Number.isInteger(frame.composition));
    }),
    { numRuns: 5000 },
  );
});
