import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { Publication } from '../../../../src/live/publish/publication.js';
import { Timeline } from '../../../../src/live/publish/timeline.js';
import { tagHeader, tagTrailer } from '../../../../src/media/flv/tag.js';
import { FakeRing } from '../../../support/fake-ring.js';
import { audio, video } from '../../../support/flv.js';
import { metadata } from '../../../support/rtmp-publisher.js';

const [AUDIO, VIDEO, SCRIPT] = [8, 9, 18] as const;
const SPS = video('config', 20, 1);
const ASC = audio('config', 2, 2);

function make(epoch?: number) {
  const clock = { now: 1000 };
  const ring = new FakeRing();
  const timeline = new Timeline(() => clock.now, epoch);
  const begin = () => new Publication(ring, timeline, () => clock.now);
  return { clock, ring, begin };
}

/** Sends a group of pictures with sound. */
function group(publication: Publication, from: number, clock: { now: number }, count = 4) {
  for (let i = 0; i < count; i++) {
    const time = from + i * 40;
    publication.take(VIDEO, time, video(i === 0 ? 'key' : 'inter', 10, i));
    publication.take(AUDIO, time + 10, audio('frame', 5, i));
    clock.now += 40;
  }
}

describe('Publication', () => {
  it('states headers before the first frame, without the wrapper of publishers, and times from 0', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    publication.take(SCRIPT, 0, metadata({ width: 320, videocodecid: 7, audiocodecid: 10 }));
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    group(publication, 90_000, clock);
    publication.end();
    assert.deepEqual(ring.versions, [
      {
        hasVideo: true,
        hasAudio: true,
        metadata: new Uint8Array(metadata({ width: 320, videocodecid: 7, audiocodecid: 10 }, false)),
        video: new Uint8Array(SPS),
        audio: new Uint8Array(ASC),
      },
    ]);
    assert.deepEqual(ring.tags.map(({ type, timestamp, keyFrame }) => [type, timestamp, keyFrame]).slice(0, 4), [
      [VIDEO, 0, true],
      [AUDIO, 10, false],
      [VIDEO, 40, false],
      [AUDIO, 50, false],
    ]);
  });

  it('says truly which tracks there are, whatever metadata say (SRS 939, flv.js 135)', () => {
    for (const only of [AUDIO, VIDEO] as const) {
      const { clock, ring, begin } = make();
      const publication = begin();
      publication.take(SCRIPT, 0, metadata({ videocodecid: 7, audiocodecid: 10 }));
      for (let time = 0; time <= 1200; time += 40) {
        publication.take(only, time, only === AUDIO ? audio('frame', 5, 1) : video(time === 0 ? 'key' : 'inter', 5, 1));
        clock.now += 40;
      }
      publication.end();
      assert.deepEqual(
        ring.versions.map(({ hasVideo, hasAudio }) => [hasVideo, hasAudio]),
        [[only === VIDEO, only === AUDIO]],
      );
      assert.equal(ring.tags.length, 31);
    }
  });

  it('takes metadata that are a name and nothing else', () => {
    const { ring, begin } = make();
    const publication = begin();
    publication.take(SCRIPT, 0, Buffer.concat([Buffer.from([2, 0, 10]), Buffer.from('onMetaData')]));
    publication.take(VIDEO, 0, video('key', 5, 1));
    publication.end();
    assert.equal(ring.tags.length, 1);
  });

  it('takes metadata however programs write them (MediaMTX 2986, SRS 3804)', () => {
    const name = Buffer.concat([Buffer.from([2, 0, 10]), Buffer.from('onMetaData')]);
    const field = Buffer.concat([
      Buffer.from([0, 5]),
      Buffer.from('width'),
      Buffer.from([0, 0x40, 0x74, 0, 0, 0, 0, 0, 0]),
    ]);
    const end = Buffer.from([0, 0, 9]);
    const properties = {
      'an object': [Buffer.from([3]), field, end],
      'an array that counts none': [Buffer.from([8, 0, 0, 0, 0]), field, end],
      'an array that counts too many': [Buffer.from([8, 0xff, 0xff, 0xff, 0xff]), field, end],
      'an array without its end': [Buffer.from([8, 0, 0, 0, 1]), field],
      'a list': [Buffer.from([10, 0, 0, 0, 1, 0, 0x40, 0x74, 0, 0, 0, 0, 0, 0])],
      'a list of four thousand million': [Buffer.from([10, 0xff, 0xff, 0xff, 0xff])],
      nothing: [Buffer.from([5])],
      'an unknown kind': [Buffer.from([99, 1, 2, 3])],
      'a date and undefined': [Buffer.from([3]), Buffer.from([0, 1, 100, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), end],
    };
    for (const [what, parts] of Object.entries(properties)) {
      for (const wrapper of [Buffer.alloc(0), Buffer.concat([Buffer.from([2, 0, 13]), Buffer.from('@setDataFrame')])]) {
        const { clock, ring, begin } = make();
        const publication = begin();
        publication.take(SCRIPT, 0, Buffer.concat([wrapper, name, ...parts]));
        publication.take(VIDEO, 0, SPS);
        publication.take(AUDIO, 0, ASC);
        group(publication, 0, clock);
        publication.end();
        assert.deepEqual([ring.versions[0]?.hasVideo, ring.versions[0]?.hasAudio], [true, true], what);
        assert.equal(ring.tags.filter(({ type }) => type !== SCRIPT).length, 8, what);
      }
    }
  });

  it('waits for no second track when metadata announce one', () => {
    const { ring, begin } = make();
    const publication = begin();
    publication.take(SCRIPT, 0, metadata({ audiocodecid: 10 }));
    publication.take(AUDIO, 0, audio('frame', 5, 1));
    assert.equal(ring.tags.length, 1);
    publication.end();
  });

  it('opens by itself when a publisher sends a little and then nothing', () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const { ring, begin } = make();
      begin().take(AUDIO, 0, audio('frame', 5, 1));
      assert.equal(ring.tags.length, 0);
      mock.timers.tick(1000);
      assert.equal(ring.tags.length, 1);
    } finally {
      mock.timers.reset();
    }
  });

  it('tells of a track that comes late', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    for (let time = 0; time <= 2000; time += 40) {
      publication.take(AUDIO, time, audio('frame', 5, 1));
      clock.now += 40;
    }
    publication.take(VIDEO, 2000, SPS);
    publication.take(VIDEO, 2000, video('key', 5, 1));
    publication.end();
    assert.deepEqual(
      ring.versions.map(({ hasVideo, hasAudio }) => [hasVideo, hasAudio]),
      [
        [false, true],
        [true, true],
      ],
    );
  });

  it('begins video at a key frame, also when it comes late, and lets sound go on (no key frame for a minute)', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    for (let time = 0; time < 60_000; time += 40) {
      publication.take(VIDEO, time, video('inter', 10, 1));
      publication.take(AUDIO, time, audio('frame', 5, 1));
      clock.now += 40;
    }
    const sound = ring.tags.length;
    assert.ok(sound > 1400 && ring.tags.every(({ type }) => type === AUDIO), `${sound} tags`);
    group(publication, 60_000, clock);
    publication.end();
    assert.equal(ring.tags.find(({ type }) => type === VIDEO)?.keyFrame, true);
  });

  it('drops what says nothing: empty payloads and headers, ends of sequences, commands (xiu 110, lal 112)', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    const nothing: [type: 8 | 9, bytes: number[]][] = [
      [VIDEO, []],
      [AUDIO, []],
      [VIDEO, [0x17]],
      [VIDEO, [0x17, 0, 0, 0, 0]],
      [VIDEO, [0x17, 1, 0, 0, 0]],
      [VIDEO, [0x17, 2, 0, 0, 0]],
      [VIDEO, [0x57, 0]],
      [AUDIO, [0xaf, 0]],
      [AUDIO, [0xaf, 1]],
      [AUDIO, [0x2f]],
      [VIDEO, [0x90, ...Buffer.from('hvc1')]],
      [VIDEO, [0x92, ...Buffer.from('hvc1'), 0]],
      [AUDIO, [0x90, ...Buffer.from('Opus')]],
      [AUDIO, [0x92, ...Buffer.from('Opus'), 0]],
      [SCRIPT as never, []],
      [SCRIPT as never, [2, 0, 99]],
    ];
    const send = () => {
      for (const [type, bytes] of nothing) publication.take(type, 0, Buffer.from(bytes));
    };
    send();
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    send();
    group(publication, 0, clock);
    send();
    publication.end();
    assert.equal(ring.tags.length, 8);
    assert.deepEqual([ring.versions.length, ring.versions[0]?.video], [1, new Uint8Array(SPS)]);
  });

  it('takes headers at time 0 in mid-stream for no jump, and equal ones for no change (SRS 2186, 2635; http-flv 77)', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    group(publication, 5000, clock);
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    group(publication, 5160, clock);
    const changed = video('config', 20, 9);
    publication.take(VIDEO, 0, changed);
    group(publication, 5320, clock);
    publication.end();
    assert.equal(ring.versions.length, 2);
    const frames = ring.tags.filter(({ type }) => type === VIDEO);
    assert.deepEqual(
      frames.map(({ timestamp }) => timestamp),
      frames.map((_, i) => i * 40),
    );
    // The frame that follows has them (http-flv 262: new parameters, old pictures).
    assert.deepEqual(
      frames.map(({ headers }) => headers?.video?.at(-1)),
      frames.map((_, i) => (i < 8 ? 1 : 9)),
    );
  });

  it('keeps nothing of the publisher before: its headers, its sound, its clock (SRS 1630, 1303; RootEncoder 2048)', () => {
    const { clock, ring, begin } = make();
    const first = begin();
    first.take(VIDEO, 0, SPS);
    first.take(AUDIO, 0, ASC);
    group(first, 700_000, clock);
    first.end();
    clock.now += 2000;
    const second = begin();
    second.take(SCRIPT, 0, metadata({ videocodecid: 7 }));
    second.take(VIDEO, 0, SPS);
    second.take(VIDEO, 20, video('inter', 5, 7));
    second.take(VIDEO, 40, video('key', 5, 8));
    second.take(VIDEO, 80, video('inter', 5, 8));
    second.end();
    assert.equal(ring.versions.at(-1)?.audio, undefined);
    assert.equal(ring.versions.at(-1)?.hasAudio, false);
    // The last tag before was sound at 130, 30 ms before the clock stood still.
    assert.deepEqual(
      ring.tags.slice(8).map(({ timestamp, keyFrame }) => [timestamp, keyFrame]),
      [
        [130 + 2040, true],
        [130 + 2080, false],
      ],
    );
  });

  it('makes no version of each bitrate that a publisher measures (GStreamer), and comes to the newest', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    const measured = (rate: number) => metadata({ videocodecid: 7, audiocodecid: 10, videodatarate: rate });
    publication.take(SCRIPT, 0, measured(0));
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    for (let from = 0; from < 24_000; from += 160) {
      group(publication, from, clock);
      publication.take(SCRIPT, from, measured(Math.min(from, 15_000)));
    }
    assert.equal(ring.versions.length, 3);
    publication.end();
    const told = ring.versions.at(-1)?.metadata;
    assert.deepEqual(
      told,
      new Uint8Array(metadata({ videocodecid: 7, audiocodecid: 10, videodatarate: 15_000 }, false)),
    );
    publication.take(SCRIPT, 0, measured(99));
    publication.take(VIDEO, 24_000, video('config', 20, 3));
    group(publication, 24_000, clock);
    assert.deepEqual(
      ring.versions.at(-1)?.metadata,
      new Uint8Array(metadata({ videocodecid: 7, audiocodecid: 10, videodatarate: 99 }, false)),
    );
  });

  it('passes composition times on as they are, negative ones too (gortmplib 88)', () => {
    const { ring, begin } = make();
    const publication = begin();
    publication.take(SCRIPT, 0, metadata({ videocodecid: 7 }));
    const frame = Buffer.from([0x17, 1, 0xff, 0xff, 0xd8, 1, 2, 3]);
    publication.take(VIDEO, 0, frame);
    publication.end();
    assert.equal(ring.tags[0]?.body, frame.toString('latin1'));
  });

  it('takes codecs by FourCC, their metadata and further tracks', () => {
    const { ring, begin } = make();
    const publication = begin();
    publication.take(SCRIPT, 0, metadata({ videocodecid: 0x68766331 }));
    const enhanced = (first: number, rest: number[]) => Buffer.from([first, ...Buffer.from('hvc1'), ...rest]);
    publication.take(VIDEO, 0, enhanced(0x90, [1, 2, 3]));
    publication.take(VIDEO, 0, enhanced(0x94, [2, 0, 1]));
    publication.take(VIDEO, 0, enhanced(0x91, [0, 0, 40, 5]));
    publication.take(VIDEO, 40, enhanced(0xa3, [5]));
    // A message with nanoseconds in front (ModEx), and a second track.
    publication.take(VIDEO, 80, Buffer.from([0x97, 2, 0, 0, 1, 0x01, ...Buffer.from('hvc1'), 0, 0, 0, 5]));
    publication.end();
    assert.deepEqual(ring.versions, [
      {
        hasVideo: true,
        hasAudio: false,
        metadata: new Uint8Array(metadata({ videocodecid: 0x68766331 }, false)),
        video: new Uint8Array(enhanced(0x90, [1, 2, 3])),
        extra: Buffer.concat([tagHeader(VIDEO, 8, 0), enhanced(0x94, [2, 0, 1]), tagTrailer(8)]),
      },
    ]);
    assert.deepEqual(
      ring.tags.map(({ body, timestamp, keyFrame }) => [body.charCodeAt(0), timestamp, keyFrame]),
      [
        [0x94, 0, false],
        [0x91, 0, true],
        [0xa3, 40, false],
        [0x97, 80, true],
      ],
    );
    assert.equal(publication.stats.video, 'hvc1');
  });

  it('keeps further headers for those who join later, the newest of each, as far as a ring has room', () => {
    const { ring, begin } = make();
    const publication = begin();
    const colour = (value: number) => Buffer.from([0x94, ...Buffer.from('hvc1'), value]);
    const track = (number: number, size: number) =>
      Buffer.concat([Buffer.from([0x95, 0x00, ...Buffer.from('Opus'), number]), Buffer.alloc(size, number)]);
    publication.take(VIDEO, 0, video('config', 20, 1));
    publication.take(VIDEO, 0, colour(1));
    publication.take(VIDEO, 0, video('key', 20, 1));
    publication.end();
    publication.take(AUDIO, 0, track(1, 5));
    publication.take(VIDEO, 40, colour(2));
    publication.take(VIDEO, 40, video('key', 20, 2));
    const tags = (bodies: readonly (readonly [number, Buffer])[]) =>
      Buffer.concat(bodies.flatMap(([type, body]) => [tagHeader(type, body.length, 0), body, tagTrailer(body.length)]));
    const newest = () => Buffer.from(ring.versions.at(-1)!.extra!);
    assert.deepEqual(
      newest(),
      tags([
        [VIDEO, colour(2)],
        [AUDIO, track(1, 5)],
      ]),
    );
    // Four of 15 KiB have room beside these, and what comes behind them is sent all the same.
    for (let number = 2; number < 8; number++) publication.take(AUDIO, 80, track(number, 15 * 1024));
    publication.take(VIDEO, 80, video('key', 20, 3));
    assert.ok(newest().length < 62 * 1024 && newest().length > 60 * 1024);
    assert.equal(ring.tags.filter(({ body }) => body.length > 15 * 1024).length, 6);
  });

  it('begins a new epoch at a key frame', () => {
    const { clock, ring, begin } = make(1000);
    const publication = begin();
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    for (let from = 0; from < 4000; from += 400) group(publication, from, clock, 10);
    publication.end();
    const epochs = ring.tags.filter(({ type }) => type === VIDEO).map(({ epoch, keyFrame }) => ({ epoch, keyFrame }));
    const begun = epochs.filter(({ epoch }, i) => i > 0 && epoch !== epochs[i - 1]!.epoch);
    assert.ok(begun.length >= 1 && begun.every(({ keyFrame }) => keyFrame));
    assert.ok(ring.tags.every(({ timestamp }) => timestamp < 1500));
  });

  it('passes scripts on with the time of the stream', () => {
    const { clock, ring, begin } = make();
    const publication = begin();
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    group(publication, 9000, clock);
    const cue = metadata({ a: 1 }, false).toString('latin1').replace('onMetaData', 'onTextData');
    publication.take(SCRIPT, 0, Buffer.from(cue, 'latin1'));
    publication.end();
    const last = ring.tags.at(-1)!;
    assert.deepEqual([last.type, last.timestamp, last.body], [SCRIPT, 130, cue]);
  });

  it('ends publishers whose headers are too large or change all the time', () => {
    const { clock, begin } = make();
    assert.throws(() => begin().take(VIDEO, 0, video('config', 40_000, 1)), { reason: 'limit' });
    const publication = begin();
    assert.throws(
      () => {
        for (let i = 0; i < 100; i++) {
          publication.take(VIDEO, i, video('config', 20, i));
          publication.take(VIDEO, i, video('key', 20, i));
          clock.now += 1;
        }
      },
      { reason: 'limit' },
    );
    publication.end();
  });

  it('measures bitrate and the interval of key frames', () => {
    const { clock, begin } = make();
    const publication = begin();
    publication.take(VIDEO, 0, SPS);
    publication.take(AUDIO, 0, ASC);
    for (let from = 0; from < 4000; from += 400) group(publication, from, clock, 10);
    const { bitsPerSecond, keyFrameIntervalMs, framesSinceKeyFrame, video: codec, audio: sound } = publication.stats;
    publication.end();
    assert.deepEqual([keyFrameIntervalMs, framesSinceKeyFrame, codec, sound], [400, 9, 'avc1', 'mp4a']);
    // 15 + 7 bytes each 40 ms.
    assert.ok(Math.abs(bitsPerSecond - 4400) < 200, `${bitsPerSecond} b/s`);
  });
});
