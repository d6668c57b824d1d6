import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ChunkReader } from '../../../../src/live/rtmp/chunk-reader.js';
import type { RtmpMessage } from '../../../../src/live/rtmp/message.js';
import { RtmpError } from '../../../../src/live/rtmp/rtmp-error.js';
import { type ChunkStyle, TestChunks, type TestMessage } from '../../../support/rtmp-chunks.js';

const MAX = 1 << 20;

/** What is compared of messages. */
function shown({ type, timestamp, streamId, payload }: RtmpMessage | TestMessage) {
  return { type, timestamp, streamId, payload: payload.toString('hex') };
}

/** Reads bytes that come in pieces of these lengths, over and over. */
function read(bytes: Buffer, pieces: readonly number[], chunkSize: number, messageMax = MAX) {
  const messages: ReturnType<typeof shown>[] = [];
  const reader = new ChunkReader(messageMax, message => messages.push(shown(message)));
  reader.chunkSize = chunkSize;
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (pieces[i % pieces.length] ?? bytes.length);
    assert.equal(reader.read(bytes.subarray(at, end)), Math.min(end, bytes.length) - at);
    at = end;
  }
  return messages;
}

const TIMES = [0, 1, 40, 0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0xfffffff0, 0xffffffff];
const style = fc.record<ChunkStyle>({
  chunkSize: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(128, 4096, 65536, 0x7fffffff)),
  isCompressed: fc.boolean(),
  repeated: fc.constantFrom('field', 'none', 'absolute'),
  basic: fc.constantFrom(1, 2, 3),
});
const message = fc
  .record({
    chunkStream: fc.constantFrom(2, 3, 4, 63, 64, 319, 320, 65599),
    type: fc.constantFrom(8, 9, 18, 20),
    timestamp: fc.oneof(fc.constantFrom(...TIMES), fc.nat({ max: 0xffffffff })),
    streamId: fc.constantFrom(0, 1, 0x01020304),
    // Few values, so that payloads look like timestamps now and then.
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.array(fc.constantFrom(0, 1, 255), { maxLength: 40 }).map(bytes => Uint8Array.from(bytes)),
    ),
  })
  .map(({ payload, ...rest }): TestMessage => ({ ...rest, payload: Buffer.from(payload) }));

/**
 * Where a sender leaves out timestamps behind type 3, a payload can look like one: then nobody can tell. These don't,
 * since no timestamp of the list begins with such a byte, nor does a difference between two of them.
 */
function unlikeTimes(message: TestMessage): TestMessage {
  const { payload, timestamp } = message;
  const bytes = payload.length === 0 ? [0] : [...payload];
  return {
    ...message,
    payload: Buffer.from(bytes.map(byte => 0x20 + (byte & 0x3f))),
    timestamp: TIMES[timestamp % TIMES.length]!,
  };
}

function sent(messages: readonly TestMessage[], style: ChunkStyle): readonly TestMessage[] {
  return style.repeated === 'none' ? messages.map(unlikeTimes) : messages;
}

describe('ChunkReader', () => {
  it('reads what any sender writes, however it repeats long timestamps (SRS 4356, 4365, 4680, enhanced-rtmp 42)', () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 12 }),
        style,
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
        (any, style, pieces) => {
          const messages = sent(any, style);
          const writer = new TestChunks(style);
          const bytes = Buffer.concat(messages.flatMap(each => writer.write(each)));
          assert.deepEqual(read(bytes, pieces, style.chunkSize), messages.map(shown));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads messages whose chunks are interleaved', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(message, { minLength: 2, maxLength: 6, selector: ({ chunkStream }) => chunkStream }),
        fc.integer({ min: 1, max: 64 }),
        fc.infiniteStream(fc.nat()),
        (messages, chunkSize, choices) => {
          const writer = new TestChunks({ chunkSize, isCompressed: false, repeated: 'field' });
          const waiting = messages.map(each => writer.write(each));
          const chunks: Buffer[] = [];
          while (waiting.some(left => left.length > 0)) {
            const open = waiting.filter(left => left.length > 0);
            chunks.push(open[choices.next().value! % open.length]!.shift()!);
          }
          const sort = (all: ReturnType<typeof shown>[]) => all.map(each => JSON.stringify(each)).sort();
          assert.deepEqual(sort(read(Buffer.concat(chunks), [7], chunkSize)), sort(messages.map(shown)));
        },
      ),
    );
  });

  const one = (fields: Partial<TestMessage> = {}): TestMessage => ({
    ...{ chunkStream: 4, type: 9, timestamp: 40, streamId: 1, payload: Buffer.alloc(300, 7) },
    ...fields,
  });
  const plain: ChunkStyle = { chunkSize: 128, isCompressed: true, repeated: 'field' };

  it('takes a first chunk of type 1, as some encoders send it (SRS 98, 1538)', () => {
    const bytes = Buffer.concat(new TestChunks({ ...plain, startsWithType1: true }).write(one()));
    assert.deepEqual(
      read(bytes, [5], 128).map(({ timestamp, type }) => [timestamp, type]),
      [[40, 9]],
    );
  });

  it('adds the timestamp of type 0 again for a message that begins with type 3', () => {
    const writer = new TestChunks({ ...plain, chunkSize: 4096 });
    const [first] = writer.write(one({ timestamp: 1000, payload: Buffer.from('ab') }));
    const bytes = Buffer.concat([
      first!,
      Buffer.from([0xc4]),
      Buffer.from('cd'),
      Buffer.from([0xc4]),
      Buffer.from('ef'),
    ]);
    assert.deepEqual(
      read(bytes, [1], 4096).map(({ timestamp }) => timestamp),
      [1000, 2000, 3000],
    );
  });

  it('forgets a message that the sender aborts', () => {
    const messages: RtmpMessage[] = [];
    const reader = new ChunkReader(MAX, message => messages.push(message));
    const writer = new TestChunks({ ...plain, isCompressed: false });
    reader.read(writer.write(one())[0]!);
    reader.abort(4);
    reader.abort(5);
    reader.read(Buffer.concat(writer.write(one({ payload: Buffer.from('next') }))));
    assert.deepEqual(
      messages.map(({ payload }) => payload.toString()),
      ['next'],
    );
  });

  it('stops at a message that it is held at, and goes on where it was', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 2, maxLength: 6 }), style, (any, style) => {
        const messages = sent(any, style);
        const writer = new TestChunks(style);
        const bytes = Buffer.concat(messages.flatMap(each => writer.write(each)));
        const found: ReturnType<typeof shown>[] = [];
        const reader = new ChunkReader(MAX, each => {
          found.push(shown(each));
          reader.hold();
        });
        reader.chunkSize = style.chunkSize;
        for (let at = 0, count = 1; count <= messages.length; count++) {
          at += reader.read(bytes.subarray(at));
          assert.equal(found.length, count);
          assert.equal(reader.read(bytes.subarray(at)), 0, 'reads while it is held');
          reader.release();
        }
        assert.deepEqual(found, messages.map(shown));
      }),
      { numRuns: 100 },
    );
  });

  const hostile: [name: string, bytes: () => Buffer, reason: string][] = [
    ['a header that refers to none before it', () => Buffer.from([0x83, 0, 0, 1]), 'protocol'],
    ['a type 3 that refers to none before it', () => Buffer.from([0xc3]), 'protocol'],
    [
      'a message that is too long',
      () => new TestChunks(plain).write(one({ payload: Buffer.alloc(MAX + 1) }))[0]!,
      'limit',
    ],
    [
      'more chunk streams than anybody needs',
      () => {
        const writer = new TestChunks(plain);
        return Buffer.concat(
          Array.from({ length: 65 }, (_, i) =>
            writer.write(one({ chunkStream: 3 + i, payload: Buffer.alloc(1) })),
          ).flat(),
        );
      },
      'limit',
    ],
    [
      'another message before the end of one',
      () => {
        const writer = new TestChunks({ ...plain, isCompressed: false });
        return Buffer.concat([writer.write(one())[0]!, writer.write(one())[0]!]);
      },
      'protocol',
    ],
    [
      'many messages at once that are never finished',
      () => {
        const writer = new TestChunks({ ...plain, chunkSize: MAX - 1 });
        const long = { payload: Buffer.alloc(MAX) };
        return Buffer.concat([3, 4, 5].map(chunkStream => writer.write(one({ ...long, chunkStream }))[0]!));
      },
      'limit',
    ],
  ];
  for (const [name, bytes, reason] of hostile) {
    it(`refuses ${name}`, () => {
      const size = name.startsWith('many') ? MAX - 1 : 128;
      assert.throws(
        () => read(bytes(), [1000], size),
        error => error instanceof RtmpError && error.reason === reason,
      );
    });
  }

  it('makes no room for bytes that have not come', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => {
      const reader = new ChunkReader(8 * MAX, () => {});
      reader.read(new TestChunks(plain).write(one({ payload: Buffer.alloc(8 * MAX) }))[0]!);
      return reader;
    });
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.equal(readers.length, 100);
    assert.ok(grown < 64 * MAX, `${grown} bytes for 100 readers`);
  });

  it('refuses chunk sizes that the standard forbids', () => {
    const reader = new ChunkReader(MAX, () => {});
    for (const size of [0, 0x80000000, 0xffffffff]) {
      assert.throws(
        () => {
          reader.chunkSize = size;
        },
        { reason: 'protocol' },
      );
    }
  });
});
