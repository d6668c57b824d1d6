import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { tagHeader, tagTrailer } from '../../../../src/media/flv/tag.js';
import { audio, video } from '../../../support/flv.js';
import { isInter, isKey, StreamRig } from '../../../support/stream-rig.js';
import { gotTags, type TestSocket } from '../../../support/test-viewer.js';

/** Further headers: metadata of colour, and the configuration of a second sound track. */
const colour = Buffer.from([0x94, ...Buffer.from('hvc1'), 2, 0, 1]);
const second = Buffer.from([0x95, 0x00, ...Buffer.from('Opus'), 1, 9]);
const extraOf = (bodies: readonly (readonly [number, Buffer])[]) =>
  Buffer.concat(bodies.flatMap(([type, body]) => [tagHeader(type, body.length, 0), body, tagTrailer(body.length)]));

describe('a live stream', () => {
  it('sends further headers to whoever joins, and again to who has lost some', async () => {
    const rig = new StreamRig({ slow: 60 });
    const main = { video: video('config', 10, 1), audio: audio('config', 4, 1), hasVideo: true, hasAudio: true };
    rig.writer.setHeaders(main);
    rig.group();
    const early = rig.join();
    rig.tick();
    const extra = extraOf([
      [9, colour],
      [8, second],
    ]);
    rig.writer.setHeaders({ ...main, extra });
    rig.group();
    for (const start of ['newest', 'next', { from: 'beginning', milliseconds: 10_000 }] as const) {
      const { socket } = rig.join(start);
      const { tags } = gotTags(socket.bytes);
      const found = tags.slice(0, 4).map(({ type, data }) => `${type} ${data.toString('hex')}`);
      const wanted = [main.video, main.audio, colour, second].map(
        (data, at) => `${9 - (at % 2)} ${data.toString('hex')}`,
      );
      assert.deepEqual(found, wanted, JSON.stringify(start));
      assert.ok(tags[2]!.timestamp >= 440, 'at the time of what follows');
    }
    // Who has lost where they changed is sent them with what comes next.
    early.socket.room = 10;
    rig.tick();
    rig.writer.setHeaders({ ...main, extra: extraOf([[9, colour]]) });
    rig.group();
    await rig.age(100);
    rig.group();
    rig.tick();
    early.socket.room = Number.POSITIVE_INFINITY;
    rig.tick();
    const { tags } = gotTags(early.socket.bytes);
    assert.ok(tags.some(({ data }) => data.equals(colour)));
    assert.ok(!tags.some(({ data }) => data.equals(second)));
    // They are none of what parts a stream: segments of HLS go on.
    assert.ok(rig.stream.ring.refresh() && rig.stream.ring.look(rig.stream.ring.head - 1));
    assert.equal(rig.stream.ring.discontinuity, 0);
  });

  it('is joined with true flags, headers, and the newest group of pictures, and gone on with', () => {
    const rig = new StreamRig();
    rig.headers().group();
    rig.group();
    const { socket } = rig.join();
    rig.picture(false);
    rig.tick();
    const { flags, tags } = gotTags(socket.bytes);
    assert.equal(flags, 5);
    // The headers have the time of what follows: 0 would be taken for age.
    assert.deepEqual([tags[0]!.type, tags[0]!.timestamp, tags[1]!.type], [9, 440, 8]);
    assert.ok(isKey(tags[2]!));
    assert.equal(tags[2]!.timestamp, 440);
    assert.equal(tags.length, 2 + 20 + 1);
    assert.ok(rig.latencies >= 1 || rig.stats.sentBytes > 0);
  });

  it('tells one track where one comes, and none before its headers have come', () => {
    const rig = new StreamRig();
    const { socket } = rig.join();
    rig.tick();
    assert.equal(socket.bytes.length, 0);
    rig.headers(1, { hasVideo: false, hasAudio: true });
    for (let at = 0; at < 100; at++) rig.sound();
    rig.tick();
    rig.tick();
    const { flags, tags } = gotTags(socket.bytes);
    assert.equal(flags, 4);
    assert.ok(tags.length >= 100);
    const late = rig.join();
    rig.tick();
    assert.ok(gotTags(late.socket.bytes).tags.length > 0);
  });

  it('begins with the next key frame when told, with sound before it', () => {
    const rig = new StreamRig();
    rig.headers().group();
    const { socket } = rig.join('next');
    rig.group(5);
    rig.tick();
    const { tags } = gotTags(socket.bytes);
    assert.ok(isKey(tags.find(({ type, data }) => type === 9 && data[1] === 1)!));
    assert.equal(tags.filter(isKey)[0]!.timestamp, 440);
  });

  it('gives all who are up to date the same, and notices who leaves', () => {
    const rig = new StreamRig();
    rig.headers().group();
    const viewers = Array.from({ length: 5 }, () => rig.join());
    rig.tick();
    rig.group();
    rig.tick();
    rig.stream.remove(viewers[1]!.viewer);
    viewers[3]!.socket.gone = true;
    rig.group();
    rig.tick();
    const [first, second, , fourth, fifth] = viewers;
    assert.ok(first!.socket.bytes.equals(fifth!.socket.bytes));
    assert.ok(second!.socket.bytes.length < first!.socket.bytes.length);
    assert.ok(fourth!.socket.isCut);
    assert.equal(rig.stats.viewers.http, 3);
    assert.equal(rig.stream.viewers, 3);
    assert.equal(
      rig.stream.sentTo(first!.viewer),
      first!.socket.bytes.length - gotTags(first!.socket.bytes).flags * 0 - head(first!.socket),
    );
    function head(socket: TestSocket): number {
      return (
        13 +
        gotTags(socket.bytes)
          .tags.slice(0, 2)
          .reduce((sum, { data }) => sum + data.length + 15, 0)
      );
    }
  });

  it('takes whole groups from a viewer that is too slow, and sends headers again when they have changed', async () => {
    const rig = new StreamRig({ slow: 60 });
    rig.headers().group(10, 5000);
    const { socket } = rig.join();
    rig.tick();
    socket.room = 3000;
    rig.group(10, 5000);
    rig.tick();
    // The frame at hand is finished; what comes behind it is lost.
    rig.group(10, 5000);
    await rig.age(100);
    rig.headers(2);
    rig.group(10, 5000);
    rig.tick();
    socket.room = Number.POSITIVE_INFINITY;
    rig.tick();
    rig.picture(false);
    rig.tick();
    const { tags } = gotTags(socket.bytes);
    assert.ok(rig.stats.droppedFrames > 0);
    const gap = tags.findIndex(({ timestamp }, at) => at > 0 && timestamp - tags[at - 1]!.timestamp > 40);
    assert.ok(gap > 0, 'something is left out');
    // The new headers, then the key frame that they belong to.
    const behind = tags.slice(gap);
    assert.deepEqual(
      behind.slice(0, 2).map(({ data }) => data.at(-1)),
      [2, 2],
    );
    assert.ok(isKey(behind.find(({ type, data }) => type === 9 && data[1] === 1)!));
    assert.ok(isInter(tags.at(-1)!));
  });

  it('sends sound alone where the newest key frame is old, until the next one', async () => {
    const rig = new StreamRig({ slow: 60 });
    rig.headers().group(10, 5000);
    const { socket } = rig.join();
    rig.tick();
    socket.room = 3000;
    rig.picture(false, 5000);
    rig.tick();
    rig.picture(false, 5000);
    await rig.age(100);
    socket.room = Number.POSITIVE_INFINITY;
    rig.tick();
    const before = gotTags(socket.bytes).tags.length;
    for (let at = 0; at < 5; at++) {
      rig.sound();
      rig.picture(false);
    }
    rig.tick();
    rig.tick();
    const sounds = gotTags(socket.bytes).tags.slice(before);
    assert.ok(sounds.length >= 4 && sounds.every(({ type }) => type === 8), 'no picture that can not be decoded');
    rig.group();
    rig.tick();
    const pictures = gotTags(socket.bytes)
      .tags.slice(before)
      .filter(({ type }) => type === 9);
    assert.ok(isKey(pictures[0]!));
    assert.equal(pictures.length, 10);
  });

  it('parts with a viewer that takes nothing for too long, and with nobody else', () => {
    const rig = new StreamRig({ disconnect: 1000 });
    rig.headers().group();
    const paused = rig.join();
    const other = rig.join();
    rig.tick();
    paused.socket.room = 0;
    rig.group();
    rig.tick();
    rig.tick(900);
    assert.ok(!paused.socket.isCut);
    rig.tick(1100);
    assert.ok(paused.socket.isCut);
    assert.ok(!other.socket.isCut);
    assert.equal(rig.stats.disconnects.stalled, 1);
    // Nothing to send is no reason.
    rig.tick(20_000);
    assert.ok(!other.socket.isCut);
  });

  it('cuts a viewer whose frame has been overwritten before it was taken whole', () => {
    const rig = new StreamRig({}, 1 << 20);
    rig.headers().group();
    const { socket } = rig.join();
    rig.tick();
    socket.room = 100;
    rig.picture(false, 5000);
    rig.tick();
    for (let at = 0; at < 30; at++) rig.group(4, 20_000);
    socket.room = Number.POSITIVE_INFINITY;
    rig.tick();
    assert.ok(socket.isCut);
    assert.equal(rig.stats.disconnects.overrun, 1);
  });

  it('sends no byte of what is overwritten while sockets take it, and parts with nobody for that', () => {
    // Small pieces, so that the ring is written all over again within one look at a socket.
    const rig = new StreamRig({}, 1 << 20);
    rig.headers().group();
    const [whole, slow, behind] = [rig.join(), rig.join(), rig.join('newest', 0)];
    rig.tick();
    const overwrite = () => {
      for (let at = 0; at < 30; at++) rig.group(4, 20_000);
    };
    for (const viewer of [whole, slow, behind]) {
      slow.socket.room = 2000;
      rig.group(2, 3000);
      viewer.socket.meanwhile = () => {
        viewer.socket.meanwhile = () => {};
        overwrite();
      };
      rig.tick();
      slow.socket.room = Number.POSITIVE_INFINITY;
    }
    rig.tick();
    rig.group(2, 3000);
    rig.tick();
    for (const { socket } of [whole, behind]) {
      assert.ok(!socket.isCut, 'a tag that is gone before its first byte is sent is lost, and its viewer is not');
      const { tags } = gotTags(socket.bytes);
      for (const { type, timestamp, data } of tags) {
        if (type === 9 && data[1] === 1) assert.ok(data.subarray(5).every(byte => byte === (timestamp & 255)));
      }
      assert.ok(isInter(tags.at(-2)!), 'it goes on');
    }
    // This one had a part of a tag that is gone.
    assert.ok(slow.socket.isCut);
    assert.equal(rig.stats.disconnects.overrun, 1);
  });

  it('waits for a publisher that went, for as long as the grace', () => {
    const rig = new StreamRig({ grace: 5000 });
    rig.headers().group();
    const { socket } = rig.join();
    rig.writer.setState('waiting');
    rig.tick();
    assert.ok(!socket.ended);
    for (let restart = 0; restart < 10; restart++) {
      rig.writer.setState('waiting');
      rig.tick();
      rig.writer.setState('publishing');
      rig.headers().group();
      rig.tick();
    }
    const { tags } = gotTags(socket.bytes);
    assert.equal(tags.filter(isKey).length, 11);
    assert.ok(tags.every(({ timestamp }, at) => at === 0 || timestamp >= tags[at - 1]!.timestamp));
    assert.ok(!socket.ended && !socket.isCut);
    rig.picture(false);
    rig.writer.setState('ended');
    rig.tick();
    assert.ok(socket.ended, 'ended well');
    assert.ok(isInter(gotTags(socket.bytes).tags.at(-1)!), 'with the last tag');
  });

  it('sends to many viewers in waves, each in its turn, and ends when all have the last tag', () => {
    const rig = new StreamRig();
    rig.headers().group();
    const viewers = Array.from({ length: 700 }, () => rig.join());
    const { waves } = rig.stream;
    assert.deepEqual(
      waves.map(({ size }) => size),
      [256, 256, 188],
    );
    rig.tick();
    assert.deepEqual(
      waves.map(({ fanned }) => fanned),
      [256, 256, 188],
    );
    const lengths = () => new Set(viewers.map(({ socket }) => socket.bytes.length));
    assert.equal(lengths().size, 1);
    rig.picture(false);
    rig.stream.tick(performance.now(), waves[1]!);
    const before = viewers[0]!.socket.bytes.length;
    const got = viewers.filter(({ socket }) => socket.bytes.length > before);
    assert.ok(got.length === 256 && got.every(({ viewer }) => viewer.wave === 1));
    // A wave that is behind another is no later in its own turn, and who falls behind stays in its wave.
    viewers[0]!.socket.room = 0;
    rig.picture(false);
    rig.stream.tick(performance.now(), waves[0]!);
    assert.equal(waves[0]!.fanned, 255);
    viewers[0]!.socket.room = Number.POSITIVE_INFINITY;
    rig.writer.setState('ended');
    rig.stream.tick(performance.now(), waves[1]!);
    assert.ok(!rig.stream.over, 'the others have not got the last tag');
    rig.tick();
    assert.ok(rig.stream.over);
    assert.equal(lengths().size, 1);
    assert.ok(viewers.every(({ socket }) => socket.ended && gotTags(socket.bytes).tags.length === 2 + 20 + 2));
  });

  it('fills waves that viewers have left, and makes no more than there are turns in a batch', () => {
    const rig = new StreamRig({ batch: 20 });
    rig.headers().group();
    const viewers = Array.from({ length: 1500 }, () => rig.join());
    const sizes = () => rig.stream.waves.map(({ size }) => size);
    assert.deepEqual(sizes(), [375, 375, 375, 375]);
    for (const { viewer } of viewers) if (viewer.wave === 2) rig.stream.remove(viewer);
    assert.deepEqual(sizes(), [375, 375, 0, 375]);
    assert.equal(rig.join().viewer.wave, 2);
    assert.equal(rig.stream.viewers, 1126);
    assert.equal(rig.stats.viewers.http, 1126);
  });

  it('any sockets, any pace: whole tags, no picture without those before it (MediaMTX 5162), and nothing twice', () => {
    const step = fc.record({
      pictures: fc.integer({ min: 0, max: 6 }),
      key: fc.boolean(),
      size: fc.integer({ min: 0, max: 40_000 }),
      rooms: fc.array(fc.integer({ min: 0, max: 90_000 }), { minLength: 3, maxLength: 3 }),
      headers: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 25 }), steps => {
        // Everything but the newest is too old.
        const rig = new StreamRig({ slow: 0.05 }, 1 << 20);
        rig.headers().group();
        const viewers = [rig.join(), rig.join('next'), rig.join('newest', 0)];
        let version = 1;
        for (const { pictures, key, size, rooms, headers } of steps) {
          if (headers) rig.headers(++version % 250);
          for (let at = 0; at < pictures; at++) {
            rig.picture(key && at === 0, size);
            rig.sound();
          }
          for (const [at, { socket }] of viewers.entries()) socket.room = rooms[at]!;
          rig.tick();
        }
        for (const { socket } of viewers) socket.room = Number.POSITIVE_INFINITY;
        for (let at = 0; at < 4; at++) rig.tick();
        for (const { socket } of viewers) {
          if (socket.isCut) continue;
          const { tags } = gotTags(socket.bytes);
          let last = -1;
          let lastPicture = -1;
          let config = 0;
          for (const { type, timestamp, data } of tags) {
            assert.ok(timestamp >= last, 'time goes on');
            last = timestamp;
            if (type !== 9) continue;
            if (data[1] === 0) config = data.at(-1)!;
            else {
              // A picture follows the one before it, or is a key frame.
              if (data[0] === 0x27) assert.equal(timestamp - lastPicture, 40);
              else assert.ok(timestamp > lastPicture);
              assert.ok(config > 0, 'headers before pictures');
              lastPicture = timestamp;
            }
          }
        }
        rig.stream.close('drain');
      }),
      { numRuns: 150 },
    );
  });
});
