import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MESSAGE_MAX } from '../../../../src/http/front-end.js';
import { CLOSE, FrameReader, type MessageFrame } from '../../../../src/http/node/message-frames.js';
import { frameOf, OPCODE } from '../../../support/message-viewer.js';

const control = fc.tuple(fc.constantFrom(OPCODE.ping, OPCODE.pong, OPCODE.close), fc.uint8Array({ maxLength: 125 }));
const data = fc.tuple(fc.constantFrom(OPCODE.text, OPCODE.binary), fc.uint8Array({ maxLength: MESSAGE_MAX }));
const frames = fc.array(fc.oneof(control, data), { maxLength: 12 });

/** What a reader makes of bytes that come in parts of these lengths, over and over. */
function readIn(parts: readonly number[], bytes: Buffer): (MessageFrame | number)[] {
  const reader = new FrameReader();
  const read: (MessageFrame | number)[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = parts[turn % parts.length]!;
    for (const frame of reader.read(bytes.subarray(at, at + length))) {
      read.push(frame);
      if (typeof frame === 'number') return read;
    }
    at += length;
  }
  return read;
}

const parts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 });

test('frames are read as they were made, however they come', () => {
  fc.assert(
    fc.property(frames, parts, (made, lengths) => {
      const bytes = Buffer.concat(made.map(([opcode, payload]) => frameOf(opcode, Buffer.from(payload))));
      const expected = made.map(([opcode, payload]) => ({ opcode, payload: Buffer.from(payload) }));
      assert.deepEqual(readIn(lengths, bytes), expected);
    }),
  );
});

test('whatever comes is read in the same way in any parts, and not past the first that is wrong', () => {
  const noise = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(frames, noise, parts, (made, rest, lengths) => {
      const whole = made.map(([opcode, payload]) => frameOf(opcode, Buffer.from(payload)));
      const bytes = Buffer.concat([...whole, rest]);
      const atOnce = readIn([bytes.length + 1], bytes);
      assert.deepEqual(readIn(lengths, bytes), atOnce);
      assert.ok(atOnce.slice(0, -1).every(each => typeof each !== 'number'));
    }),
  );
});

test('messages in several frames are bounded as a whole', () => {
  const part = (opcode: number, length: number, isLast: boolean) => {
    const frame = frameOf(opcode, Buffer.alloc(length));
    if (!isLast) frame[0]! &= 0x7f;
    return frame;
  };
  const half = MESSAGE_MAX / 2;
  const first = part(OPCODE.binary, half, false);
  const fits = [first, frameOf(OPCODE.ping, Buffer.alloc(0)), part(OPCODE.continuation, half, true), first];
  assert.ok(readIn([7], Buffer.concat(fits)).every(each => typeof each !== 'number'));
  assert.equal(readIn([7], Buffer.concat([first, part(OPCODE.continuation, half + 1, true)])).at(-1), CLOSE.tooLarge);
  assert.equal(readIn([7], Buffer.concat([first, first])).at(-1), CLOSE.wrong, 'a message within another');
});
