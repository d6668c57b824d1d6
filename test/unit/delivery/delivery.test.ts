import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import type { CacheOutcome } from '../../../src/base/cache-outcome.js';
import { EdgeError } from '../../../src/base/errors.js';
import { native } from '../../../src/base/native.js';
import type { Pieces } from '../../../src/base/pieces.js';
import { Delivery, type DeliveryListener } from '../../../src/delivery/delivery.js';
import type { Scatter } from '../../../src/delivery/scatter.js';
import { StallSweep } from '../../../src/delivery/sweep.js';
import { gathered } from '../../../src/virtual-file/gathered.js';
import { sectioned } from '../../../src/virtual-file/sections.js';
import { lengthOf } from '../../../src/virtual-file/slice.js';
import { literal, PATCH_SOURCE_MAX, type Span, source } from '../../../src/virtual-file/span.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { FakeTransport } from '../../support/fake-transport.js';
import { addPatch, spanLists, wholeOf } from '../../support/span-lists.js';

class Listener implements DeliveryListener {
  begun: (CacheOutcome | undefined)[] = [];
  /** Bytes on the socket when the head was written. */
  bytesAtBegin = 0;
  error: unknown;
  done = false;
  constructor(readonly transport: FakeTransport) {}
  begin(outcome: CacheOutcome | undefined): void {
    this.begun.push(outcome);
    this.bytesAtBegin = this.transport.taken;
  }
  failed(error: unknown): void {
    assert.ok(!this.done && this.error === undefined);
    this.error = error;
  }
  ended(): void {
    assert.ok(!this.done && this.error === undefined);
    this.done = true;
  }
}

function deliver(
  object: FakeObject,
  spans: readonly Span[],
  from: number,
  total: number,
  transport = new FakeTransport(),
  scatter?: Scatter,
) {
  const listener = new Listener(transport);
  const context = { sweep: new StallSweep(60_000), stats: { responseBytes: 0, stallTimeouts: 0 } };
  const reader = object.open().reader();
  const delivery = new Delivery(transport, reader, spans, from, total, listener, context, scatter);
  transport.aborted = () => delivery.close();
  const start = () => {
    transport.cork(() => delivery.start());
    return listener.done;
  };
  return { transport, listener, delivery, start, ...context };
}

/** Lets an answer come to its end, with more bytes at hand and room for more of them in each turn. */
async function goOn(
  { listener, transport }: ReturnType<typeof deliver>,
  object: FakeObject,
  steps: readonly number[],
  rooms: readonly number[],
  check = () => {},
): Promise<void> {
  for (let i = 1; !listener.done; i++) {
    assert.equal(listener.error, undefined);
    check();
    object.available += steps[i % steps.length]!;
    await nextTurn();
    transport.drain(rooms[i % rooms.length]!);
  }
}

/** Everything of a delivery that has ended is given back. */
function assertClean(object: FakeObject, { sweep }: { sweep: StallSweep }): void {
  assert.deepEqual(object.faults, []);
  assert.equal(object.readers.size, 0);
  assert.equal(sweep.size, 0);
}

const bytes = contentAt('/film', 'v1', 0, 1_000_000);

test('a hot range of several blocks goes out at once, within the call', () => {
  const object = new FakeObject(bytes);
  const run = deliver(object, [source(0, bytes.length)], 100_000, 700_000);
  assert.equal(run.start(), true);
  assert.deepEqual(run.transport.bytes, bytes.subarray(100_000, 800_000));
  assert.deepEqual(run.listener.begun, ['memory']);
  assert.equal(run.stats.responseBytes, 700_000);
  assert.equal(object.wants.length, 0);
  assertClean(object, run);
});

/** Stands for pieces with the bytes themselves, and holds its user to the rules. */
class FakeScatter implements Scatter {
  used = 0;
  #run: Uint8Array | undefined;

  /** @param object whose readers lay bytes out */
  constructor(private readonly object?: FakeObject) {}

  laidOut(bytes: number): Uint8Array | undefined {
    assert.equal(this.object?.laidOut?.length, bytes);
    return bytes < 20_000 ? undefined : this.object!.laidOut;
  }

  standIn({ offsets, begins }: Pieces, at: number, run: Uint8Array, base: number, most: number) {
    assert.equal(this.#run, undefined, 'what was stood for before has been forgotten');
    this.#run = run;
    const target = new Uint8Array(most);
    const count = native.gatherPieces(offsets, begins, at, run, base, target);
    if (count < 20_000) return undefined;
    this.used++;
    return target.subarray(0, count);
  }

  forget(): void {
    // The run is still pinned.
    assert.ok(this.#run);
    this.#run = undefined;
  }
}

test('blocks in a row leave in one send, however many bytes are there and taken', async () => {
  const steps = fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(), steps, steps, async (from, b, room, step) => {
      const total = 1 + (b % (bytes.length - from));
      const object = new FakeObject(bytes);
      object.laysOut = true;
      object.available = step[0]! - 1;
      const run = deliver(
        object,
        [source(0, bytes.length)],
        from,
        total,
        new FakeTransport(room[0]),
        new FakeScatter(object),
      );
      run.start();
      await goOn(run, object, step, room);
      assert.ok(run.transport.bytes.equals(bytes.subarray(from, from + total)));
      assert.ok(object.taken.reduce((sum, taken) => sum + taken, 0) <= total);
      assertClean(object, run);
    }),
    { numRuns: 100, interruptAfterTimeLimit: 10_000 },
  );
  const object = new FakeObject(bytes);
  object.laysOut = true;
  const run = deliver(
    object,
    [source(0, bytes.length)],
    100_000,
    700_000,
    new FakeTransport(),
    new FakeScatter(object),
  );
  assert.equal(run.start(), true);
  assert.deepEqual(object.taken, [700_000]);
  assertClean(object, run);
});

test('a reader that lays out more than it was asked for is not believed', () => {
  const object = new FakeObject(bytes);
  const scatter = new FakeScatter(object);
  const run = deliver(object, [source(0, bytes.length)], 0, 700_000, new FakeTransport(), scatter);
  for (const reader of object.readers) reader.layOut = () => 700_001;
  run.start();
  assert.ok(run.listener.error instanceof EdgeError);
  assert.equal(run.transport.taken, 0);
});

test('pieces are sent from where they lie, however blocks and room come, and few of them are put together', async () => {
  const pieces = fc.array(fc.record({ skip: fc.nat(20_000), length: fc.integer({ min: 1, max: 60_000 }) }), {
    minLength: 4,
    maxLength: 20,
  });
  const steps = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 5 });
  let used = 0;
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(), fc.nat(), steps, steps, async (list, a, b, room, step) => {
      let at = 0;
      const offsets = list.map(({ skip, length }) => {
        const offset = at + skip;
        at = offset + length;
        return offset;
      });
      const inside = offsets.filter((offset, i) => offset + list[i]!.length <= bytes.length);
      const spans = [
        literal(Buffer.from('head')),
        ...gathered(
          inside,
          inside.map((_, i) => list[i]!.length),
        ),
        literal(Buffer.from('tail')),
      ];
      const size = lengthOf(spans);
      const from = a % size;
      const total = 1 + (b % (size - from));
      const object = new FakeObject(bytes);
      object.available = step[0]! - 1;
      const scatter = new FakeScatter();
      const run = deliver(object, spans, from, total, new FakeTransport(room[0]), scatter);
      run.start();
      await goOn(run, object, step, room);
      assert.ok(run.transport.bytes.equals(wholeOf(spans, bytes).subarray(from, from + total)));
      assertClean(object, run);
      used += scatter.used;
    }),
    { numRuns: 60, interruptAfterTimeLimit: 10_000 },
  );
  assert.ok(used > 0);
});

test('any part of any span list arrives right, however bytes and room come', async () => {
  const small = contentAt('/small', 'v1', 0, 6000);
  const rooms = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
  const steps = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(spanLists(small.length), fc.nat(), fc.nat(), rooms, steps, async (spans, a, b, room, step) => {
      const size = lengthOf(spans);
      const from = a % size;
      const total = 1 + (b % (size - from));
      const object = new FakeObject(small);
      object.available = step[0]! - 1;
      const run = deliver(object, spans, from, total, new FakeTransport(room[0]));
      run.start();
      await goOn(run, object, step, room, () => {
        if (run.transport.buffered > 0) assert.equal(run.sweep.size, 1, 'bytes out of sight are looked after');
      });
      assert.deepEqual(run.transport.bytes, wholeOf(spans, small).subarray(from, from + total));
      assert.equal(run.listener.begun.length, 1);
      assert.equal(run.listener.bytesAtBegin, 0);
      assertClean(object, run);
    }),
    { numRuns: 300 },
  );
});

test('large patched spans are computed piece by piece', async () => {
  const spans = [literal(Buffer.from('moov')), addPatch(4, 200_000, 4, 8, 0x1_0000), source(0, 10)];
  const object = new FakeObject(bytes);
  const run = deliver(object, spans, 1, lengthOf(spans) - 2, new FakeTransport(10_000));
  run.start();
  while (!run.listener.done) run.transport.drain(33_333);
  assert.deepEqual(run.transport.bytes, wholeOf(spans, bytes).subarray(1, -1));
  assertClean(object, run);
});

test('the head waits for the first byte of the source behind literals, and tells where it came from', async () => {
  const object = new FakeObject(bytes);
  object.available = 0;
  object.outcomeAt = offset => (offset < 262_144 ? 'disk' : 'memory');
  const run = deliver(object, [literal(Buffer.from('abc')), source(500, 300_000)], 0, 300_003);
  assert.equal(run.start(), false);
  assert.deepEqual(run.listener.begun, []);
  assert.deepEqual(object.wants, [[500, 300_500]]);
  object.available = Infinity;
  await nextTurn();
  assert.deepEqual(run.listener.begun, ['disk']);
  assert.equal(run.listener.done, true);
});

test('an answer of literals needs no source', () => {
  const object = new FakeObject(bytes);
  object.failAt = 0;
  const run = deliver(object, [literal(Buffer.from('abc')), literal(Buffer.from('def')), source(0, 10)], 1, 4);
  assert.equal(run.start(), true);
  assert.equal(run.transport.bytes.toString(), 'bcde');
  assert.deepEqual(run.listener.begun, [undefined]);
});

test('a large literal is sent as it is, however little the socket takes at once', async () => {
  const object = new FakeObject(bytes);
  const large = bytes.subarray(0, 200_000);
  const spans = [source(0, 10), literal(bytes.subarray(10, 20)), literal(large), source(20, 10)];
  const run = deliver(object, spans, 0, 200_030, new FakeTransport(30_000));
  run.start();
  while (!run.listener.done) {
    run.transport.drain(30_000);
    await nextTurn();
  }
  assert.deepEqual(run.transport.bytes, Buffer.concat([bytes.subarray(0, 20), large, bytes.subarray(20, 30)]));
  assertClean(object, run);
});

test('a failure before the first byte comes before the head', async () => {
  const object = new FakeObject(bytes);
  object.failAt = 0;
  const run = deliver(object, [literal(Buffer.from('abc')), source(0, 10)], 0, 13);
  run.start();
  await nextTurn();
  assert.ok(run.listener.error instanceof EdgeError);
  assert.deepEqual(run.listener.begun, []);
  assert.equal(run.transport.taken, 0);
  assertClean(object, run);
});

test('a failure in the middle comes after the bytes before it', async () => {
  const object = new FakeObject(bytes);
  object.failAt = 300_000;
  const run = deliver(object, [source(0, bytes.length)], 0, bytes.length);
  run.start();
  await nextTurn();
  assert.ok(run.listener.error instanceof EdgeError);
  assert.deepEqual(run.transport.bytes, bytes.subarray(0, 300_000));
  assertClean(object, run);
});

test('a player that leaves takes its demand back', async () => {
  const object = new FakeObject(bytes);
  object.available = 1000;
  const run = deliver(object, [source(0, bytes.length)], 0, bytes.length);
  assert.equal(run.start(), false);
  assert.equal(run.delivery.sent, 1000);
  run.delivery.close();
  run.delivery.close();
  object.available = Infinity;
  await nextTurn();
  assert.equal(run.transport.taken, 1000);
  assert.equal(run.listener.done, false);
  assertClean(object, run);
});

test('a want names the whole run that is to be read', () => {
  const object = new FakeObject(bytes);
  object.available = 0;
  deliver(object, [source(0, bytes.length)], 5, 400_000).start();
  assert.deepEqual(object.wants, [[5, 400_005]]);
});

test('a socket that takes everything does not keep others from their turn', async () => {
  const object = new FakeObject(contentAt('/long', 'v1', 0, 5_000_000));
  const run = deliver(object, [source(0, 5_000_000)], 0, 5_000_000);
  assert.equal(run.start(), false);
  assert.ok(run.transport.taken < 2_500_000);
  while (!run.listener.done) await nextTurn();
  assert.deepEqual(run.transport.bytes, object.bytes);
  assertClean(object, run);
});

test('a reader that gives more than was asked for is not believed', () => {
  const object = new FakeObject(bytes);
  const run = deliver(object, [source(0, 10)], 0, 10);
  for (const reader of object.readers) reader.read = () => bytes.subarray(0, 11);
  for (const reader of object.readers) reader.release = () => {};
  run.start();
  assert.ok(run.listener.error instanceof EdgeError && run.listener.error.code === 'internal');
  assert.equal(run.transport.taken, 0);
});

test('a patch that asks for too much is not believed', () => {
  const object = new FakeObject(bytes);
  const patch = { sourceFrom: () => 0, sourceTo: () => PATCH_SOURCE_MAX + 1, apply() {} };
  const run = deliver(object, [{ kind: 'patched', length: 8, patch }], 0, 8);
  run.start();
  assert.ok(run.listener.error instanceof EdgeError && run.listener.error.code === 'internal');
  assertClean(object, run);
});

/** Pieces of `size` bytes with gaps of `gap` bytes between them, over the whole object. */
function piecesOf(object: Uint8Array, size: number, gap: number): Span[] {
  const count = Math.floor((object.length - 7) / (size + gap));
  return gathered(
    Array.from({ length: count }, (_, i) => 7 + i * (size + gap)),
    Array.from({ length: count }, () => size),
  );
}

test('pieces go through blocks, rooms and blocks that are not there yet', async () => {
  for (const [size, gap] of [
    [400, 13_000],
    [26_000, 900],
    [200_000, 40],
  ] as const) {
    const spans = [literal(Buffer.from('moof')), ...piecesOf(bytes, size, gap)];
    const total = lengthOf(spans);
    const object = new FakeObject(bytes);
    object.available = 0;
    const run = deliver(object, spans, 0, total, new FakeTransport(3000));
    run.start();
    while (!run.listener.done) {
      object.available += 17_000;
      await nextTurn();
      run.transport.drain(9000);
    }
    assert.deepEqual(run.transport.bytes, wholeOf(spans, bytes));
    assertClean(object, run);
  }
});

test('pieces want the whole run of the object in which they lie, as far as the answer goes', () => {
  const spans = gathered([1000, 300_000, 500_000], [100, 100, 100]);
  const object = new FakeObject(bytes);
  object.available = 0;
  deliver(object, spans, 0, 300).start();
  deliver(object, spans, 150, 60).start();
  assert.deepEqual(object.wants, [
    [1000, 500_100],
    [300_050, 500_010],
  ]);
});

test('a section is made when it is reached, and once', async () => {
  const object = new FakeObject(bytes);
  const made: number[] = [];
  const later: (() => void)[] = [];
  const sections = sectioned(Float64Array.of(0, 100, 300, 600), i => {
    made.push(i);
    const spans = [source(i * 1000, 100 * (i + 1))];
    return i === 1 ? new Promise(resolve => later.push(() => resolve(spans))) : spans;
  });
  const run = deliver(object, [literal(Buffer.from('init')), sections], 0, 604, new FakeTransport(150));
  run.start();
  assert.deepEqual(made, [0, 1]);
  run.transport.drain(1000);
  await nextTurn();
  assert.deepEqual([made, run.transport.taken], [[0, 1], 104]);
  later[0]!();
  await nextTurn();
  assert.deepEqual(made, [0, 1, 2]);
  const parts = [bytes.subarray(0, 100), bytes.subarray(1000, 1200), bytes.subarray(2000, 2300)];
  assert.deepEqual(run.transport.bytes, Buffer.concat([Buffer.from('init'), ...parts]));
  assertClean(object, run);
});

test('a section that can not be made fails before the head, or after the bytes before it', async () => {
  for (const later of [false, true]) {
    const fail = (i: number): Span[] | Promise<Span[]> => {
      const error = new EdgeError('unplayable', 'a table is broken');
      if (i === 0) return [source(0, 100)];
      if (later) return Promise.reject(error);
      throw error;
    };
    for (const from of [0, 100]) {
      const object = new FakeObject(bytes);
      const run = deliver(object, [sectioned(Float64Array.of(0, 100, 200), fail)], from, 200 - from);
      run.start();
      await nextTurn();
      assert.ok(run.listener.error instanceof EdgeError && run.listener.error.code === 'unplayable');
      assert.deepEqual(run.transport.bytes, Buffer.from(bytes.subarray(from, 100)));
      assert.equal(run.listener.begun.length, from === 0 ? 1 : 0);
      assertClean(object, run);
    }
  }
});

test('a player that leaves while a section is made hears nothing of it', async () => {
  const object = new FakeObject(bytes);
  const run = deliver(object, [sectioned(Float64Array.of(0, 10), async () => [source(0, 10)])], 0, 10);
  run.start();
  run.delivery.close();
  await nextTurn();
  assert.deepEqual([run.listener.begun, run.listener.error, run.transport.taken], [[], undefined, 0]);
  assertClean(object, run);
});
