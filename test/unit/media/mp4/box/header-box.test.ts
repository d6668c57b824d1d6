import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BoxWriter } from '../../../../../src/media/mp4/box/box-writer.js';
import {
  type HeaderType,
  headerNumber,
  isEnabled,
  parseHeader,
  writeHeader,
} from '../../../../../src/media/mp4/box/header-box.js';

const SIZES = { mvhd: 80, tkhd: 60, mdhd: 4 };

/** Contents of a header box whose rest is counted through, so that a byte in the wrong place shows. */
function body(type: HeaderType, version: 0 | 1, duration: number): Buffer {
  const time = (value: number) => (version === 0 ? u32(value) : u64(value));
  const rest = Buffer.from(Array.from({ length: SIZES[type] }, (_, i) => i + 1));
  if (type === 'mvhd') rest.fill(0, 52, 76);
  const numbers = type === 'tkhd' ? u32(7, 0) : u32(600);
  return Buffer.concat([u32(version * 2 ** 24 + 3), time(11), time(12), numbers, time(duration), rest]);
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function written(type: HeaderType, from: Buffer, duration: number): string {
  const writer = new BoxWriter();
  writeHeader(writer, parseHeader(type, from), duration);
  const bytes = Buffer.from(writer.take());
  assert.equal(bytes.readUInt32BE(0), bytes.length);
  assert.equal(bytes.toString('latin1', 4, 8), type);
  return bytes.subarray(8).toString('hex');
}

describe('header boxes', () => {
  for (const type of ['mvhd', 'tkhd', 'mdhd'] as const) {
    it(`${type} gets another duration and is otherwise as it was, in either version`, () => {
      for (const version of [0, 1] as const) {
        assert.equal(written(type, body(type, version, 999), 1234), body(type, version, 1234).toString('hex'));
      }
      assert.equal(
        written(type, body(type, 0, 999), 2 ** 40),
        body(type, 1, 2 ** 40).toString('hex'),
        'it becomes version 1',
      );
    });

    it(`${type} that is too short is refused`, () => {
      for (const version of [0, 1] as const) {
        const whole = body(type, version, 1);
        for (let length = 1; length < whole.length; length++) {
          assert.throws(() => parseHeader(type, whole.subarray(0, length)), { code: 'unplayable' });
        }
      }
    });
  }

  it('tell timescale, track id, and whether the track is enabled', () => {
    assert.equal(headerNumber(parseHeader('mvhd', body('mvhd', 1, 5))), 600);
    assert.equal(headerNumber(parseHeader('tkhd', body('tkhd', 0, 5))), 7);
    const tkhd = body('tkhd', 0, 5);
    assert.equal(isEnabled(parseHeader('tkhd', tkhd)), true);
    tkhd[3] = 2;
    assert.equal(isEnabled(parseHeader('tkhd', tkhd)), false);
  });

  it('lose the preview, poster and selection of QuickTime, whose times are those of the source', () => {
    const mvhd = body('mvhd', 0, 5);
    const dirty = Buffer.from(mvhd);
    dirty.fill(9, 20 + 52, 20 + 76);
    assert.equal(written('mvhd', dirty, 5), mvhd.toString('hex'));
  });
});
