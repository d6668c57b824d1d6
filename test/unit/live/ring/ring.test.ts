import assert from 'node:assert/strict';
import { existsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { RingReader } from '../../../../src/live/ring/ring-reader.js';
import { RingWriter } from '../../../../src/live/ring/ring-writer.js';

const MIB = 1024 * 1024;
let folder: string;
let count = 0;

before(async () => {
  folder = await mkdtemp('/dev/shm/moovedge-ring-test-');
});
after(() => rm(folder, { recursive: true }));

const name = () => join(folder, `ring-${count++}`);

/** A tag as it should lie in the ring (Adobe FLV 10.1, section E.4.1). */
function flvTag(type: number, timestamp: number, body: Uint8Array): Buffer {
  const tag = Buffer.alloc(15 + body.length);
  tag[0] = type;
  tag.writeUIntBE(body.length, 1, 3);
  tag.writeUIntBE(timestamp & 0xffffff, 4, 3);
  tag[7] = timestamp >>> 24;
  tag.set(body, 11);
  tag.writeUInt32BE(11 + body.length, 11 + body.length);
  return tag;
}

const tagKind = fc.record({
  type: fc.constantFrom(8 as const, 9 as const, 9 as const, 18 as const),
  keyFrame: fc.boolean(),
  step: fc.integer({ min: 0, max: 400 }),
  // Now and then so large that few fit.
  size: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 300_000 })),
  pieces: fc.integer({ min: 1, max: 3 }),
});

test('any tags: what a reader finds from any place on is what was written, and what is kept is enough', () => {
  fc.assert(
    fc.property(
      fc.array(tagKind, { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
      (tags, places) => {
        const writer = RingWriter.create(name(), { bytes: MIB, milliseconds: 500 });
        const reader = new RingReader(`${folder}/ring-${count - 1}`);
        writer.setHeaders({ video: Buffer.from('v1'), hasVideo: true, hasAudio: true });
        const written: Buffer[] = [];
        const joins: number[] = [];
        const times: number[] = [];
        let timestamp = 0x00fffff0;
        let broken = false;
        for (const [at, { type, keyFrame, step, size, pieces }] of tags.entries()) {
          timestamp += step;
          const body = Buffer.alloc(size, at + 1);
          const cut = Math.floor(size / pieces);
          const parts = Array.from({ length: pieces }, (_, i) =>
            body.subarray(i * cut, i === pieces - 1 ? size : (i + 1) * cut),
          );
          const appended = writer.append({ type, timestamp, keyFrame, body: parts });
          const isKey = type === 9 && keyFrame;
          // Half of what the ring holds beside the piece that stays free.
          const fits = size + 15 <= (MIB - 256 * 1024) / 2;
          assert.equal(appended, fits && !(broken && type === 9 && !isKey));
          broken = !fits || (broken && !(appended && isKey));
          if (appended) {
            if (isKey) joins.push(written.length);
            written.push(flvTag(type, timestamp, body));
            times.push(timestamp);
          }

          assert.ok(reader.refresh());
          assert.equal(reader.head, written.length);
          const newest = joins.at(-1) ?? -1;
          assert.equal(reader.join, newest >= reader.tail ? newest : -1);
          // Two groups of pictures are kept, as far as there is room.
          const second = joins.at(-2);
          const held = written.slice(reader.tail).reduce((sum, { length }) => sum + length, 0);
          assert.ok(held <= MIB - 256 * 1024);
          if (second !== undefined && second < reader.tail) {
            const needed = written.slice(reader.tail - 1).reduce((sum, { length }) => sum + length, 0);
            assert.ok(needed > MIB - 2 * 256 * 1024 - 300_015, `${needed} bytes would have had room`);
          }
          if (reader.tail < reader.head && joins.length >= 2 && reader.tail < second!) {
            assert.ok(timestamp - times[reader.tail]! <= 500 || !appended);
          }

          // Any place.
          const from = places[at]! % (written.length + 2);
          const run = reader.run(from, reader.head, 100_000);
          if (from < reader.tail || from >= reader.head) {
            assert.ok(run === undefined || !reader.holds(from) || from >= reader.head);
          } else {
            const expected = Buffer.concat(written.slice(from, reader.runEnd));
            assert.ok(Buffer.from(run!).equals(expected));
            assert.ok(reader.holds(from));
            assert.ok(run!.length <= 100_000 || reader.runEnd === from + 1);
            if (reader.runEnd < reader.head) assert.ok(run!.length + written[reader.runEnd]!.length > 100_000);
            assert.ok(reader.look(from));
            assert.deepEqual(
              [reader.timestamp, reader.tag.length, reader.tagVersion],
              [times[from], written[from]!.length, 1],
            );
          }
        }
        writer.close();
        reader.refresh();
        assert.equal(reader.state, 'ended');
        reader.close();
      },
    ),
    { numRuns: 60 },
  );
});

test('headers: a version each, immutable; changed ones precede the next tag; equal ones are no version', () => {
  const file = name();
  const writer = RingWriter.create(file, { bytes: MIB, milliseconds: 1000 });
  const reader = new RingReader(file);
  const first = { video: Buffer.from('avc 1'), audio: Buffer.from('aac 1'), hasVideo: true, hasAudio: true };
  writer.setHeaders(first);
  writer.append({ type: 9, timestamp: 0, keyFrame: true, body: [Buffer.from('I')] });
  writer.setHeaders({ ...first });
  writer.setHeaders({ ...first, video: Buffer.from('avc 2') });
  writer.append({ type: 9, timestamp: 40, keyFrame: true, body: [Buffer.from('J')] });
  reader.refresh();
  assert.equal(reader.version, 2);
  assert.equal(reader.head, 3);
  assert.deepEqual(
    Buffer.from(reader.run(0, 3, 1e6)!),
    Buffer.concat([
      flvTag(9, 0, Buffer.from('I')),
      flvTag(9, 40, Buffer.from('avc 2')),
      flvTag(9, 40, Buffer.from('J')),
    ]),
  );
  reader.look(1);
  assert.ok(reader.isHeader && !reader.isJoin);
  assert.equal(reader.tagVersion, 2);
  assert.equal(String(reader.headers(1)!.video), 'avc 1');
  assert.equal(String(reader.headers(2)!.video), 'avc 2');
  // A publisher that changes its headers all the time has them kept for the tags that are.
  for (let at = 0; at < 40; at++) {
    writer.setHeaders({ ...first, video: Buffer.from(`avc ${at + 10}`) });
    writer.append({ type: 9, timestamp: 80 + at, keyFrame: true, body: [Buffer.from('K')] });
    reader.refresh();
    for (let sequence = reader.tail; sequence < reader.head; sequence++) {
      assert.ok(reader.look(sequence));
      assert.ok(reader.headers(reader.tagVersion), `version ${reader.tagVersion} of tag ${sequence}`);
    }
  }
  assert.equal(reader.headers(1), undefined);
  assert.throws(() => writer.setHeaders({ ...first, video: new Uint8Array(70_000) }), /at most 63 KiB/);
  writer.close();
  reader.close();
});

test('the ring of a writer that went is taken over: sequences, timestamps and readers go on', () => {
  const file = name();
  const first = RingWriter.create(file, { bytes: MIB, milliseconds: 1000 });
  const reader = new RingReader(file);
  assert.ok(reader.hasWriter());
  first.setHeaders({ video: Buffer.from('v'), hasVideo: true, hasAudio: false });
  first.append({ type: 9, timestamp: 1000, keyFrame: true, body: [Buffer.from('I')] });
  assert.throws(() => RingWriter.open(file), /another process writes/);
  first.leave();
  assert.ok(!reader.hasWriter());
  const second = RingWriter.open(file);
  assert.equal(second.timestamp, 1000);
  // What the first was about to write is lost, so a decoder has to begin anew.
  assert.equal(second.append({ type: 9, timestamp: 1040, keyFrame: false, body: [Buffer.from('P')] }), false);
  assert.ok(second.append({ type: 9, timestamp: 1080, keyFrame: true, body: [Buffer.from('I')] }));
  reader.refresh();
  assert.equal(reader.head, 2);
  reader.look(0);
  const segment = reader.segmentNumber;
  reader.look(1);
  assert.equal(reader.segmentNumber, segment + 1);
  second.close();
  assert.ok(!existsSync(file));
  reader.refresh();
  assert.equal(reader.state, 'ended');
  reader.close();
});

test('memory is taken as tags come, and given back', () => {
  const file = name();
  const writer = RingWriter.create(file, { bytes: 64 * MIB, milliseconds: 1000 });
  const blocks = () => statSync(file).blocks * 512;
  const empty = blocks();
  assert.ok(empty < 2 * MIB, `${empty} bytes of an empty ring`);
  writer.setHeaders({ hasVideo: true, hasAudio: false });
  const body = [new Uint8Array(10_000)];
  let most = 0;
  for (let at = 0; at < 20_000; at++) {
    assert.ok(writer.append({ type: 9, timestamp: at * 40, keyFrame: at % 25 === 0, body }));
    if (at % 500 === 0) most = Math.max(most, blocks());
  }
  // 75 tags are kept at most; pieces have 256 KiB.
  assert.ok(most - empty < 2 * MIB, `${most} bytes`);
  writer.close();
});

test('files that are no rings, or damaged ones, are refused with a reason', () => {
  const file = name();
  assert.throws(() => new RingReader(file), /can't open/);
  writeFileSync(file, 'x');
  assert.throws(() => new RingReader(file), /cut off inside its header/);
  writeFileSync(file, Buffer.alloc(8192));
  assert.throws(() => new RingReader(file), /it is none/);
  RingWriter.create(file, { bytes: MIB, milliseconds: 1000 }).leave();
  new RingReader(file).close();
  truncateSync(file, 100_000);
  assert.throws(() => new RingReader(file), /cut off/);
  assert.throws(() => RingWriter.create(file, { bytes: 1000, milliseconds: 1000 }), /from 1 MiB to 1 GiB/);
  assert.throws(() => RingWriter.create(`${folder}/none/ring`, { bytes: MIB, milliseconds: 1000 }), /can't make/);
});

test('an entry that was overwritten with nonsense is never followed', async () => {
  const file = name();
  const writer = RingWriter.create(file, { bytes: MIB, milliseconds: 1000 });
  writer.setHeaders({ hasVideo: true, hasAudio: false });
  for (let at = 0; at < 50; at++) {
    writer.append({ type: 9, timestamp: at * 40, keyFrame: true, body: [new Uint8Array(1000)] });
  }
  const { open } = await import('node:fs/promises');
  const handle = await open(file, 'r+');
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 128, max: 4096 + 64 * 60 }),
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      fc.nat(60),
      async (offset, bytes, from) => {
        await handle.write(bytes, 0, bytes.length, offset);
        const reader = new RingReader(file);
        reader.refresh();
        const run = reader.run(from, from + 20, 65_536);
        if (run !== undefined) assert.ok(run.byteOffset + run.length <= 2 * MIB);
        if (reader.look(from)) assert.ok(reader.tag.byteOffset + reader.tag.length <= 2 * MIB);
        reader.headers(reader.version);
        reader.close();
      },
    ),
    { numRuns: 300 },
  );
  await handle.close();
  writer.close();
});

test('beyond 4 GiB (SRS 598), and into another epoch: positions, timestamps and joins go on, and memory stays', () => {
  const file = name();
  const writer = RingWriter.create(file, { bytes: 8 * MIB, milliseconds: 1000 });
  const reader = new RingReader(file);
  writer.setHeaders({ hasVideo: true, hasAudio: false });
  const body = [Buffer.alloc(3 * MIB, 7)];
  const last = 2 ** 31 - 1;
  const count = Math.ceil(4200 / 3);
  for (let at = 0; at <= count; at++) {
    assert.ok(writer.append({ type: 9, timestamp: last - (count - at) * 40, keyFrame: true, body }));
  }
  reader.refresh();
  assert.ok(reader.look(reader.head - 1));
  assert.deepEqual([reader.timestamp, reader.epoch, reader.join], [last, 0, count]);
  assert.ok(reader.position > 2 ** 32 && reader.tag.length === body[0]!.length + 15);
  assert.ok(reader.tag.subarray(11, -4).every(byte => byte === 7) && reader.holds(count));
  assert.ok(statSync(file).blocks * 512 < 12 * MIB, `${statSync(file).blocks * 512} bytes`);
  const segment = reader.segmentNumber;
  writer.newEpoch();
  assert.ok(writer.append({ type: 9, timestamp: 0, keyFrame: true, body: [Buffer.from('first')] }));
  reader.refresh();
  const tag = Buffer.from(reader.run(reader.head - 1, reader.head, MIB)!);
  assert.ok(tag.equals(flvTag(9, 0, Buffer.from('first'))));
  assert.ok(reader.look(reader.head - 1));
  assert.deepEqual([reader.timestamp, reader.epoch, reader.segmentNumber], [0, 1, segment + 1]);
  assert.ok(reader.look(reader.tail) && reader.epoch === 0, 'what came before is kept');
  writer.close();
  reader.close();
});

test('sound alone is joined about a second back, and its memory does not grow', () => {
  const file = name();
  const writer = RingWriter.create(file, { bytes: 32 * MIB, milliseconds: 2000 });
  const reader = new RingReader(file);
  writer.setHeaders({ hasVideo: false, hasAudio: true });
  for (let at = 0; at < 3000; at++) {
    assert.ok(writer.append({ type: 8, timestamp: at * 20, keyFrame: false, body: [Buffer.alloc(200)] }));
  }
  reader.refresh();
  const newest = 2999 * 20;
  assert.ok(reader.look(reader.join) && newest - reader.timestamp <= 1000);
  assert.ok(reader.look(reader.tail) && newest - reader.timestamp <= 3020);
  // No key frame for a long time: bounded by bytes alone.
  const other = RingWriter.create(name(), { bytes: MIB, milliseconds: 2000 });
  const behind = new RingReader(join(folder, `ring-${count - 1}`));
  other.setHeaders({ hasVideo: true, hasAudio: true });
  for (let at = 0; at < 3000; at++) {
    other.append({ type: 9, timestamp: at * 40, keyFrame: at === 0, body: [Buffer.alloc(2000)] });
  }
  behind.refresh();
  assert.equal(behind.join, -1);
  assert.ok((behind.head - behind.tail) * 2015 <= MIB - 256 * 1024);
  for (const each of [writer, other]) each.close();
  for (const each of [reader, behind]) each.close();
});
