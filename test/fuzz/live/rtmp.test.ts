/** `node --import tsx test/fuzz/live/rtmp.test.ts 1000000` tries a million inputs of each kind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Publication } from '../../../src/live/publish/publication.js';
import { Timeline } from '../../../src/live/publish/timeline.js';
import { readCommand } from '../../../src/live/rtmp/command.js';
import { Handshake } from '../../../src/live/rtmp/handshake.js';
import { RtmpError } from '../../../src/live/rtmp/rtmp-error.js';
import { RtmpSession } from '../../../src/live/rtmp/session.js';
import { Amf0Writer } from '../../../src/media/flv/amf0.js';
import { FakeRing } from '../../support/fake-ring.js';
import { audio, video } from '../../support/flv.js';
import { Dice, inputsWanted, mutate } from '../../support/mutation.js';
import { TestChunks } from '../../support/rtmp-chunks.js';
import { metadata } from '../../support/rtmp-publisher.js';

const count = inputsWanted(1000);
// Most inputs are refused by an error, whose trace takes longer than all else.
Error.stackTraceLimit = 1;

/** Runs something on a changed input, which may be refused, and fail in no other way. @returns whether it was read */
function isRead(number: number, run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    assert.ok(error instanceof RtmpError, `input ${number}: ${(error as Error).stack}`);
    return false;
  }
}

function everywhere(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length }, (_, i) => i);
}

test('changed handshakes', () => {
  const opening = Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536, 1)]);
  const hot = [0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 772, 773, 776, 1536];
  let read = 0;
  for (let number = 1; number <= count; number++) {
    const bytes = mutate(new Dice(number), opening, hot);
    const answers: number[] = [];
    const handshake = new Handshake(answer => answers.push(answer.length));
    if (isRead(number, () => handshake.read(bytes))) read++;
    assert.ok(answers.every(length => length === 3073) && answers.length <= 1);
  }
  assert.ok(read > count / 4);
});

test('changed chunks', () => {
  const chunks = new TestChunks({ chunkSize: 64, isCompressed: true, repeated: 'field' });
  const command = new Amf0Writer().string('publish').number(5).value(null).string('cam').finish();
  const parts = [20, 9, 8, 9, 18, 22, 1, 3, 4, 5].flatMap((type, i) => {
    const control = Buffer.from([0, 0, 0, 64, 0, 0]);
    const payload = type === 20 ? Buffer.from(command) : type < 7 ? control : Buffer.alloc(90, i);
    return chunks.write({ chunkStream: 3 + (i % 3), type, timestamp: 0xfffff0 + i * 40, streamId: 1, payload });
  });
  const stream = Buffer.concat(parts);
  const hot: number[] = [];
  let at = 0;
  for (const { length } of parts) {
    hot.push(at, at + 1, at + 4, at + 5, at + 6, at + 7);
    at += length;
  }
  const opening = Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]);
  let read = 0;
  for (let number = 1; number <= count; number++) {
    const bytes = mutate(new Dice(number), stream, hot);
    let sent = 0;
    const session: RtmpSession = new RtmpSession(
      answer => {
        sent += answer.length;
      },
      {
        command({ name }) {
          if (name === 'publish') session.hold();
        },
        media() {},
      },
      1 << 16,
    );
    session.receive(opening);
    const cut = number % bytes.length;
    const isWhole = isRead(number, () => {
      session.receive(bytes.subarray(0, cut));
      session.release();
      session.receive(bytes.subarray(cut));
      session.release();
    });
    if (isWhole) read++;
    assert.ok(sent <= 3073 + 20 * bytes.length, `${sent} bytes of answers`);
  }
  assert.ok(read > count / 20, `${read} read`);
});

test('changed commands', () => {
  const object = { app: 'live', list: ['avc1', 1, true, null], map: { a: { b: { c: 1 } } } };
  const plain = new Amf0Writer().string('connect').number(1).value(object).value(null).string('cam').finish();
  const amf3 = Buffer.from([...plain.subarray(0, 19), 0x11, 1, 0x11, 6, 7, 99, 97, 109, 0x11, 4, 0x81, 1]);
  let read = 0;
  for (let number = 1; number <= count; number++) {
    const seed = number % 2 === 0 ? plain : amf3;
    const bytes = mutate(new Dice(number), seed, everywhere(seed));
    if (isRead(number, () => readCommand(bytes))) read++;
  }
  assert.ok(read > count / 4, `${read} read`);
});

test('changed tags', () => {
  const seeds: [type: 8 | 9 | 18, data: Buffer][] = [
    [18, metadata({ width: 1, videocodecid: 7, audiocodecid: 10 })],
    [9, video('config', 12, 1)],
    [8, audio('config', 9, 1)],
    [9, video('key', 12, 1)],
    [9, video('inter', 12, 1, true)],
    [9, Buffer.from([0x96, 1, ...Buffer.from('hvc1'), 1, 0, 0, 5, 1, 2, 3])],
    [9, Buffer.from([0x97, 2, 0, 0, 1, 0x01, ...Buffer.from('hvc1'), 0, 0, 0, 5])],
    [8, Buffer.from([0x94, ...Buffer.from('Opus'), 1, 2, 3, 4, 5])],
    [8, audio('frame', 9, 1)],
  ];
  const clock = { now: 0 };
  let publication: Publication | undefined;
  let ring = new FakeRing();
  let tags = 0;
  for (let number = 1; number <= count; number++) {
    if (number % 100 === 1) {
      publication?.end();
      tags += ring.tags.length;
      ring = new FakeRing();
      const timeline = new Timeline(() => clock.now);
      publication = new Publication(ring, timeline, () => clock.now);
    }
    const [type, data] = seeds[number % seeds.length]!;
    const bytes = Buffer.from(mutate(new Dice(number), data, everywhere(data)));
    clock.now += 300;
    isRead(number, () => publication!.take(type, (number * 40) >>> 0, bytes));
  }
  publication?.end();
  tags += ring.tags.length;
  assert.ok(tags > count / 5, `${tags} tags`);
});
