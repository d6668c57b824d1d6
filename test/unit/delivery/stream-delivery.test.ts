import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import type { OpenStream, StreamSink } from '../../../src/catalog/content.js';
import { StreamDelivery } from '../../../src/delivery/stream-delivery.js';
import { StallSweep } from '../../../src/delivery/sweep.js';
import { contentAt } from '../../support/content.js';
import { FakeTransport } from '../../support/fake-transport.js';

class FakeStream implements OpenStream {
  readonly kind = 'stream';
  readonly contentType = 'video/mp4';
  readonly fields = [];
  sink!: StreamSink;
  resumed = 0;
  cancelled = 0;
  start(sink: StreamSink) {
    this.sink = sink;
    return { resume: () => void this.resumed++, cancel: () => void this.cancelled++ };
  }
  release(): void {}
}

function deliver(room: number) {
  const transport = new FakeTransport(room);
  const events: string[] = [];
  const listener = {
    begin: () => void events.push('begin'),
    failed: () => void events.push('failed'),
    ended: () => void events.push('ended'),
  };
  const context = { sweep: new StallSweep(60_000), stats: { responseBytes: 0, stallTimeouts: 0 } };
  const stream = new FakeStream();
  const delivery = new StreamDelivery(transport, listener, context);
  transport.aborted = () => delivery.close();
  transport.cork(() => delivery.start(stream));
  return { transport, events, stream, delivery, ...context };
}

const body = contentAt('/stream', 'v1', 0, 300_000);

test('any chunks through any socket arrive in order, the flow stands still while the socket is full', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 80_000 }), { minLength: 1, maxLength: 6 });
  const rooms = fc.array(fc.integer({ min: 500, max: 70_000 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(sizes, rooms, async (chunks, room) => {
      const { transport, events, stream, sweep } = deliver(room[0]!);
      const sent: Buffer[] = [];
      let turn = 0;
      for (const size of chunks) {
        const from = sent.length * 1000;
        sent.push(Buffer.from(body.subarray(from, from + size)));
        const chunk = Buffer.from(sent.at(-1)!);
        const resumed = stream.resumed;
        let flows = stream.sink.bytes(chunk);
        chunk.fill(0);
        while (!flows) {
          assert.equal(sweep.size, 1);
          transport.drain(room[++turn % room.length]!);
          await nextTurn();
          flows = stream.resumed > resumed;
        }
      }
      stream.sink.ended();
      while (!transport.complete) {
        await nextTurn();
        transport.drain(100);
      }
      assert.deepEqual(events, ['begin', 'ended']);
      assert.deepEqual(transport.bytes, Buffer.concat(sent));
      assert.equal(sweep.size, 0);
      assert.equal(stream.cancelled, 0);
    }),
  );
});

test('at most a piece beyond what the socket takes is given to it', () => {
  const { transport, stream, delivery } = deliver(1000);
  assert.equal(stream.sink.bytes(body), false);
  assert.ok(transport.taken <= 1000 + 16 * 1024);
  delivery.close();
});

test('an end that comes while the socket is full waits for room', async () => {
  const { transport, events, stream } = deliver(1000);
  stream.sink.bytes(body);
  stream.sink.ended();
  await nextTurn();
  assert.deepEqual(events, ['begin']);
  while (!transport.complete) {
    transport.drain(50_000);
    await nextTurn();
  }
  assert.deepEqual(events, ['begin', 'ended']);
  assert.deepEqual(transport.bytes, body);
});

test('an empty body is an answer too', () => {
  const { transport, events, stream } = deliver(1000);
  stream.sink.ended();
  assert.deepEqual(events, ['begin', 'ended']);
  assert.equal(transport.taken, 0);
});

test('a failure before the first byte leaves the head unwritten', () => {
  const { events, stream } = deliver(1000);
  stream.sink.failed(new Error('origin'));
  assert.deepEqual(events, ['failed']);
});

test('a player that leaves cancels the flow, once', async () => {
  const { events, stream, delivery, sweep } = deliver(1000);
  // What comes while the flow is being started waits for the next turn.
  await nextTurn();
  stream.sink.bytes(body);
  delivery.close();
  delivery.close();
  assert.equal(stream.cancelled, 1);
  assert.equal(sweep.size, 0);
  assert.equal(stream.sink.bytes(body), false);
  stream.sink.ended();
  assert.deepEqual(events, ['begin']);
});
