import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { silentLog } from '../../../../src/base/log.js';
import { liveStats } from '../../../../src/live/delivery/live-stats.js';
import { type ShiftStart, Viewer } from '../../../../src/live/delivery/viewer.js';
import { WatchedStream } from '../../../../src/live/delivery/watched-stream.js';
import { FlvRecording } from '../../../../src/live/record/flv-recording.js';
import { resumeRecording } from '../../../../src/live/record/resumed-recording.js';
import type { LiveTag } from '../../../../src/live/ring/live-tag.js';
import { RingWriter } from '../../../../src/live/ring/ring-writer.js';
import { ShiftIndex, ShiftIndexWriter, shiftIndexOf } from '../../../../src/live/shift/shift-index.js';
import { audio, video } from '../../../support/flv.js';
import { type Got, gotTags, TestSocket } from '../../../support/test-viewer.js';
import { until } from '../../../support/until.js';

const folder = mkdtempSync('/dev/shm/moovedge-shift-');
after(() => rmSync(folder, { recursive: true }));
let count = 0;

/** A frame that was published. */
interface Published {
  readonly epoch: number;
  readonly timestamp: number;
  readonly number: number;
  readonly isKey: boolean;
  /** Which headers hold for it. */
  readonly headers: number;
}

/** What may happen to a stream. */
type Step = 'group' | 'headers' | 'epoch' | 'huge' | 'gap';

/** A stream in a ring of 1 MiB, which holds about five groups, recorded from its beginning. */
class Shifted {
  readonly ring = join(folder, `${count++}.ring`);
  readonly writer = RingWriter.create(this.ring, { bytes: 1 << 20, milliseconds: 60_000 });
  recording: FlvRecording;
  readonly stream: WatchedStream;
  readonly published: Published[] = [];
  readonly hasVideo: boolean;
  #time: number;
  #epoch = 0;
  #headers = 0;

  constructor(hasVideo: boolean, begin: number, isRecorded = true) {
    this.hasVideo = hasVideo;
    this.#time = begin;
    this.recording = new FlvRecording(`${this.ring}.flv`, silentLog, isRecorded ? shiftIndexOf(this.ring) : undefined);
    this.writer.setState('publishing');
    this.stream = new WatchedStream('a/b', 1, this.ring, {
      limits: { batch: 100, slow: 60_000, disconnect: 60_000, grace: 60_000 },
      stats: liveStats(),
      sendToAll: () => 0,
    });
    this.step('headers');
  }

  step(step: Step): void {
    if (step === 'headers') {
      this.#headers++;
      const headers = {
        audio: audio('config', 4, this.#headers),
        ...(this.hasVideo && { video: video('config', 10, this.#headers) }),
        ...{ hasAudio: true, hasVideo: this.hasVideo },
      };
      this.writer.setHeaders(headers);
      this.recording.setHeaders(headers);
    } else if (step === 'epoch') {
      this.writer.newEpoch();
      this.recording.newEpoch();
      this.#epoch++;
      this.#time = 0;
    } else if (step === 'gap') this.#time += 30_000;
    else this.#group(step === 'huge' ? 100_000 : 18_000);
  }

  #group(size: number): void {
    for (let at = 0; at < 10; at++) {
      this.#time += 100;
      if (this.hasVideo) this.#frame(9, this.#time, at === 0, size);
      // Sound that is a little behind the pictures.
      this.#frame(8, this.#time - 13, false, this.hasVideo ? 300 : size);
    }
  }

  #frame(type: 8 | 9, time: number, keyFrame: boolean, size: number): void {
    const timestamp = Math.max(0, time);
    const number = this.published.length;
    const body = type === 9 ? video(keyFrame ? 'key' : 'inter', size, 0) : audio('frame', size, 0);
    body.writeUInt32BE(number, body.length - 4);
    const tag: LiveTag = { type, timestamp, keyFrame, body: [body] };
    const sequence = this.writer.append(tag) ? this.writer.head - 1 : -1;
    this.recording.append(tag, sequence);
    const isKey = keyFrame || !this.hasVideo;
    this.published.push({ epoch: this.#epoch, timestamp, number, isKey, headers: this.#headers });
  }

  join(start: ShiftStart) {
    const socket = new TestSocket(0);
    const viewer = new Viewer(socket, 'http', start);
    socket.leave = () => this.stream.remove(viewer);
    this.stream.add(viewer);
    this.stream.welcome(viewer);
    return { socket, viewer };
  }

  tick(): void {
    for (const wave of this.stream.waves) this.stream.tick(performance.now(), wave);
  }

  /** The process dies that records, and another one goes on. */
  async die(): Promise<void> {
    await this.recording.leave();
    const resumed = resumeRecording(this.ring, silentLog);
    assert.ok(resumed !== undefined);
    this.recording = resumed;
  }

  async close(): Promise<void> {
    this.stream.close('drain');
    this.writer.close();
    await this.recording.close();
  }
}

const isConfig = ({ data }: Got) => data[1] === 0;
const numberOf = ({ data }: Got) => data.readUInt32BE(data.length - 4);

/** Expects what a viewer got to be all that was published from some frame on, with its headers; returns that frame. */
function assertSuffix(bytes: Buffer, published: readonly Published[]): Published {
  const { tags } = gotTags(bytes);
  const frames = tags.filter(tag => !isConfig(tag));
  const from = numberOf(frames[0]!);
  // A file can't begin before its first frame: sound that comes behind that and is earlier has its time there.
  const first = published[0]!.timestamp;
  assert.deepEqual(
    frames.map(tag => [numberOf(tag), numberOf(tag) === 1 ? first : tag.timestamp]),
    published.slice(from).map(each => [each.number, each.number === 1 ? first : each.timestamp]),
  );
  let headers = 0;
  for (const tag of tags) {
    if (isConfig(tag)) headers = tag.data.at(-1)!;
    else assert.equal(headers, published[numberOf(tag)]!.headers, `headers of frame ${numberOf(tag)}`);
  }
  return published[from]!;
}

describe('viewers that go back', () => {
  it('get all from the key frame before the time that they ask for, without a gap, and nothing twice', async () => {
    const steps = (...rare: Step[]) =>
      fc.array(
        fc.oneof(
          { arbitrary: fc.constant<Step>('group'), weight: 12 },
          { arbitrary: fc.constantFrom<Step>('headers', 'gap', ...rare), weight: 2 },
          { arbitrary: fc.constant<Step>('epoch'), weight: 1 },
        ),
        { minLength: 1, maxLength: 16 },
      );
    // A group larger than the ring loses those who are in the ring.
    const [before, behind] = [steps('huge'), steps()];
    const start = fc.record({
      from: fc.constantFrom('beginning' as const, 'present' as const),
      milliseconds: fc.integer({ min: 0, max: 40_000 }),
    });
    const beginning = fc.constantFrom(0, 5000);
    const rooms = fc.array(fc.integer({ min: 20_000, max: 90_000 }), { minLength: 1, maxLength: 8 });
    let inRecording = 0;
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.boolean(), beginning, before, behind, start, rooms, async (...made) => {
        const [hasVideo, dies, begin, before, behind, wanted, takes] = made;
        const each = new Shifted(hasVideo, begin);
        each.step('group');
        for (const step of before) each.step(step);
        if (dies || before.at(-1) === 'epoch') each.step('group');
        // Not where the ring does not go back as far as the file.
        if (dies && !before.slice(-3).includes('huge')) await each.die();
        const there = [...each.published];
        const { socket, viewer } = each.join(wanted);
        if (viewer.shift !== undefined) inRecording++;
        let turn = 0;
        const turnOnce = async () => {
          socket.room = viewer.shift === undefined ? Number.POSITIVE_INFINITY : takes[turn++ % takes.length]!;
          each.tick();
          await sleep(viewer.shift === undefined ? 0 : 1);
        };
        for (const step of behind) {
          each.step(step);
          await turnOnce();
          if (dies && step === 'group') await each.die();
        }
        each.step('group');
        const last = each.published.length - 1;
        const limit = performance.now() + 60_000;
        for (;;) {
          await turnOnce();
          const { tags } = gotTags(wholeTags(socket.bytes));
          if (tags.length > 0 && !isConfig(tags.at(-1)!) && numberOf(tags.at(-1)!) === last) break;
          assert.ok(performance.now() < limit && !socket.isCut, `${tags.length} tags of ${last + 1}`);
        }
        const first = assertSuffix(socket.bytes, each.published);
        await each.close();
        const { epoch, timestamp } = there.at(-1)!;
        const time = wanted.from === 'present' ? timestamp - wanted.milliseconds : wanted.milliseconds;
        const keys = there.filter(frame => frame.isKey && frame.epoch === epoch);
        if (time > timestamp) return;
        assert.ok(first.isKey || !hasVideo);
        const expected = keys.findLast(frame => frame.timestamp <= time) ?? keys[0]!;
        if (hasVideo) assert.equal(first.number, expected.number);
        else
          assert.ok(Math.abs(first.timestamp - expected.timestamp) <= 2100, `${first.timestamp} ${expected.timestamp}`);
      }),
      { numRuns: 16 },
    );
    assert.ok(inRecording > 0, `${inRecording} began in the recording`);
  });

  it('are given the rest when the stream ends, as much later as they are behind', async () => {
    const each = new Shifted(true, 0);
    for (let i = 0; i < 12; i++) each.step('group');
    const { socket, viewer } = each.join({ from: 'beginning', milliseconds: 0 });
    assert.ok(viewer.shift !== undefined);
    each.writer.setState('ended');
    socket.room = 0;
    const last = each.published.length - 1;
    const limit = performance.now() + 60_000;
    while (!socket.ended) {
      assert.ok(performance.now() < limit && !socket.isCut, `${socket.bytes.length} bytes`);
      socket.room = viewer.shift === undefined ? Number.POSITIVE_INFINITY : 50_000;
      each.tick();
      await sleep(1);
    }
    assert.equal(assertSuffix(socket.bytes, each.published).number, 0);
    assert.equal(numberOf(gotTags(socket.bytes).tags.at(-1)!), last);
    await each.close();
  });

  it('begin with the oldest that the ring has when nothing is recorded, or what is can not be read', async () => {
    for (const isRecorded of [false, true]) {
      const each = new Shifted(true, 0, isRecorded);
      for (let i = 0; i < 12; i++) each.step('group');
      if (isRecorded) rmSync(`${each.ring}.flv.part`);
      const { socket, viewer } = each.join({ from: 'beginning', milliseconds: 0 });
      await until('a frame', () => {
        each.tick();
        return viewer.shift === undefined && viewer.begun && gotTags(socket.bytes).tags.some(tag => !isConfig(tag));
      });
      assert.ok(assertSuffix(socket.bytes, each.published).isKey);
      await each.close();
    }
  });
});

describe('ShiftIndex', () => {
  it('finds the last point at a time or before it on the newest timeline, and goes with the recording', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(5000), { minLength: 1, maxLength: 9 }), { maxLength: 3 }),
        fc.nat(6000),
        (made, time) => {
          const path = join(folder, 'index');
          const writer = new ShiftIndexWriter(path, '/a/b');
          const points = made.flatMap((times, epoch) =>
            times.sort((a, b) => a - b).map(each => ({ epoch, time: each })),
          );
          const rest = {
            sequence: 7,
            offset: 2 ** 40,
            metadata: -1,
            video: 13,
            audio: 50,
            extra: -1,
            extraBytes: 0,
            tracks: 5,
          };
          for (const point of points) writer.add({ ...point, ...rest });
          const index = ShiftIndex.open(path)!;
          assert.equal(index.recording, '/a/b');
          assert.equal(index.count, points.length);
          const newest = points.at(-1)?.epoch ?? -1;
          const first = points.findIndex(({ epoch }) => epoch === newest);
          const last = points.findLastIndex(point => point.epoch === newest && point.time <= time);
          assert.equal(index.find(time), last < 0 ? first : last);
          if (points.length > 0) assert.deepEqual(index.point(0), { ...points[0], ...rest });
          assert.equal(index.point(points.length), undefined);
          index.close();
          writer.close();
          assert.equal(ShiftIndex.open(path), undefined);
        },
      ),
    );
  });

  it('is that of the newest recording of a stream', () => {
    const path = join(folder, 'again');
    const older = new ShiftIndexWriter(path, '/old');
    const reader = ShiftIndex.open(path)!;
    const newer = new ShiftIndexWriter(path, '/new');
    older.add({
      epoch: 0,
      time: 1,
      sequence: 1,
      offset: 1,
      metadata: -1,
      video: -1,
      audio: -1,
      extra: -1,
      extraBytes: 0,
      tracks: 1,
    });
    assert.equal(reader.count, 1);
    assert.ok(readFileSync(path).includes('/new'));
    reader.close();
    newer.close();
  });
});

/** The tags that have come whole. */
function wholeTags(bytes: Buffer): Buffer {
  let at = 13;
  while (at + 11 <= bytes.length && at + 15 + bytes.readUIntBE(at + 1, 3) <= bytes.length)
    at += 15 + bytes.readUIntBE(at + 1, 3);
  return bytes.length < 13 ? Buffer.concat([Buffer.from('FLV'), Buffer.alloc(10)]) : bytes.subarray(0, at);
}
