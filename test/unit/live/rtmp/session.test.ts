import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChunkReader } from '../../../../src/live/rtmp/chunk-reader.js';
import { type RtmpCommand, readCommand } from '../../../../src/live/rtmp/command.js';
import { RtmpSession } from '../../../../src/live/rtmp/session.js';
import { Amf0Writer } from '../../../../src/media/flv/amf0.js';
import { TestChunks, type TestMessage } from '../../../support/rtmp-chunks.js';

type Sent = Pick<TestMessage, 'type' | 'payload'> & { readonly timestamp?: number };

/** A session that has shaken hands, and what it did since. */
function open({ window = 0, hold = false } = {}) {
  const out: { type: number; payload: Buffer }[] = [];
  const commands: (RtmpCommand & { streamId: number })[] = [];
  const media: { type: number; timestamp: number; payload: string }[] = [];
  const reader = new ChunkReader(1 << 20, ({ type, payload }) => out.push({ type, payload: Buffer.from(payload) }));
  let isShaken = false;
  const session: RtmpSession = new RtmpSession(
    bytes => {
      if (isShaken) reader.read(bytes);
    },
    {
      command: (command, streamId) => {
        commands.push({ ...command, streamId });
        if (hold) session.hold();
      },
      media: (type, timestamp, payload) => media.push({ type, timestamp, payload: payload.toString('latin1') }),
    },
    1 << 20,
  );
  session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
  isShaken = true;
  const writer = new TestChunks({ chunkSize: 128, isCompressed: true, repeated: 'field' });
  const bytesOf = (...messages: Sent[]) =>
    Buffer.concat(messages.flatMap(each => writer.write({ chunkStream: 3, streamId: 1, timestamp: 0, ...each })));
  const send = (...messages: Sent[]) => session.receive(bytesOf(...messages));
  if (window > 0) send({ type: 5, payload: u32(window) });
  return { session, writer, send, bytesOf, out, commands, media };
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function command(name: string, ...values: Buffer[]): Buffer {
  return Buffer.concat([new Amf0Writer().string(name).number(4).finish(), ...values]);
}

describe('RtmpSession', () => {
  it('acknowledges before the window is full, and counts over 2^32 (nginx-rtmp 354)', () => {
    const { session, send, out } = open({ window: 1_000_000 });
    const size = 510_000;
    for (let i = 0; i < 3; i++) send({ type: 9, payload: Buffer.alloc(size) });
    const counts = () => out.filter(({ type }) => type === 3).map(({ payload }) => payload.readUInt32BE(0));
    assert.equal(counts().length, 3);
    assert.equal(counts().at(-1)! <= session.received, true);
    session.received += 2 ** 32 - 10;
    send({ type: 9, payload: Buffer.alloc(size) });
    assert.equal(counts().at(-1), session.received - 2 ** 32);
  });

  it('takes more than 4 GiB, with memory that stays (SRS 598)', () => {
    let bytes = 0;
    const session = new RtmpSession(
      () => {},
      {
        command() {},
        media(_type, _time, payload) {
          bytes += payload.length;
        },
      },
      1 << 20,
    );
    session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
    const writer = new TestChunks({ chunkSize: 1 << 20, isCompressed: false, repeated: 'field' });
    const message = { chunkStream: 6, type: 9, streamId: 1, timestamp: 0, payload: Buffer.alloc(1 << 20) };
    session.receive(Buffer.from([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 16, 0, 0]));
    const chunk = Buffer.concat(writer.write(message));
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 4200; i++) {
      for (let at = 0; at < chunk.length; at += 1 << 18) session.receive(chunk.subarray(at, at + (1 << 18)));
    }
    assert.equal(bytes, 4200 * 2 ** 20);
    assert.ok(session.received > 2 ** 32);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 256 << 20, `${grown} bytes`);
  });

  it('sends no acknowledgement for each byte that a window of one byte asks for', () => {
    const { session, bytesOf, out } = open({ window: 1 });
    for (const byte of bytesOf({ type: 9, payload: Buffer.alloc(10_000) })) session.receive(Buffer.from([byte]));
    assert.ok(out.length <= 2, `${out.length} messages`);
  });

  it('answers pings with what came', () => {
    const { send, out } = open();
    send({ type: 4, payload: Buffer.from([0, 6, 1, 2, 3, 4]) }, { type: 4, payload: Buffer.from([0, 6]) });
    assert.deepEqual(out, [{ type: 4, payload: Buffer.from([0, 7, 1, 2, 3, 4]) }]);
  });

  it('follows the chunk size that the sender sets', () => {
    const { send, writer, media } = open();
    send({ type: 1, payload: u32(5) });
    writer.style = { ...writer.style, chunkSize: 5 };
    send({ type: 9, payload: Buffer.alloc(300, 'x') });
    assert.equal(media[0]?.payload, 'x'.repeat(300));
  });

  it('takes AMF3 messages with and without their selector', () => {
    const { send, commands, media } = open();
    const text = command('releaseStream', Buffer.from([5]));
    const amf3 = Buffer.from([
      0x11, 1, 0x11, 6, 7, 0x63, 0x61, 0x6d, 0x11, 4, 0x81, 1, 0x11, 3, 0x11, 5, 0x40, 0, 0, 0, 0, 0, 0, 0,
    ]);
    send({ type: 17, payload: Buffer.concat([Buffer.from([0]), text]) }, { type: 17, payload: text });
    send({ type: 17, payload: Buffer.concat([Buffer.from([0]), command('publish', amf3)]) });
    send({ type: 15, payload: Buffer.concat([Buffer.from([0]), new Amf0Writer().string('onCue').finish()]) });
    assert.deepEqual(
      commands.map(({ name, args }) => [name, ...args]),
      [
        ['releaseStream', null],
        ['releaseStream', null],
        ['publish', null, 'cam', 129, true, 2],
      ],
    );
    assert.deepEqual(media, [{ type: 18, timestamp: 0, payload: '\x02\x00\x05onCue' }]);
  });

  it('reads arguments of every kind (xiu 39), and leaves out what follows one that it can not read', () => {
    const array = new Amf0Writer().value(['a', 1, { b: true }]).finish();
    const date = Buffer.from([11, 0x42, 0x74, 0, 0, 0, 0, 0, 0, 0, 0]);
    const payload = command('x', Buffer.from(array), date, Buffer.from([6]), Buffer.from([13]), Buffer.from([99]));
    assert.deepEqual(readCommand(payload).args, [['a', 1, new Map([['b', true]])], 0x14000000000, null, null]);
    assert.throws(() => readCommand(Buffer.from([5])), { reason: 'protocol' });
    assert.throws(() => readCommand(Buffer.alloc(0)), { reason: 'protocol' });
  });

  it('takes aggregates apart, with times relative to the first part', () => {
    const { send, media } = open();
    const tag = (type: number, time: number, body: string) =>
      Buffer.concat([
        Buffer.from([type, 0, 0, body.length, 0, time >> 8, time & 255, 0, 0, 0, 0]),
        Buffer.from(body),
        u32(11 + body.length),
      ]);
    const payload = Buffer.concat([tag(8, 500, 'a'), tag(9, 540, 'v'), tag(1, 0, 'x'), tag(8, 520, '')]);
    send({ type: 22, payload, timestamp: 2 ** 32 - 20 }, { type: 22, payload: payload.subarray(0, 12), timestamp: 7 });
    assert.deepEqual(
      media.map(({ type, timestamp, payload }) => [type, timestamp, payload]),
      [
        [8, 2 ** 32 - 20, 'a'],
        [9, 20, 'v'],
        [8, 0, ''],
        [8, 7, 'a'],
      ],
    );
    assert.throws(() => send({ type: 22, payload: payload.subarray(0, 11) }), { reason: 'protocol' });
  });

  it('handles nothing while it is held, and all of it in order afterwards', () => {
    const { session, send, bytesOf, media, commands } = open({ hold: true });
    const frame = (text: string) => ({ type: 9, payload: Buffer.from(text) });
    send({ type: 20, payload: command('publish') }, frame('one'));
    const bytes = bytesOf(frame('two'), frame('three'));
    for (const byte of bytes) session.receive(Buffer.from([byte]));
    assert.equal(commands.length, 1);
    assert.deepEqual(media, []);
    session.release();
    assert.deepEqual(
      media.map(({ payload }) => payload),
      ['one', 'two', 'three'],
    );
  });

  it('refuses control messages that are cut', () => {
    for (const type of [1, 2, 5])
      assert.throws(() => open().send({ type, payload: Buffer.alloc(3) }), { reason: 'protocol' });
  });
});
