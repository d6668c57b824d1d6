import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { liveStats } from '../../../../src/live/delivery/live-stats.js';
import { Viewer } from '../../../../src/live/delivery/viewer.js';
import { WatchedStream } from '../../../../src/live/delivery/watched-stream.js';
import { FlvReader } from '../../../../src/live/relay/flv-reader.js';
import { PulledRing } from '../../../../src/live/relay/pulled-ring.js';
import { lastTimes, RingReader } from '../../../../src/live/ring/ring-reader.js';
import { RingWriter } from '../../../../src/live/ring/ring-writer.js';
import { audio, video } from '../../../support/flv.js';
import { TestSocket } from '../../../support/test-viewer.js';

/* What another edge has of a stream: the same tags, in segments of the same numbers, whatever happens on the way. */

const folder = mkdtempSync('/dev/shm/moovedge-numbers-');
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${++files}.ring`);
const limits = { batch: 20, slow: 60_000, disconnect: 10_000, grace: 10_000 };
const SEGMENT = 400;

/** How an edge has a stream from another one's ring. */
class Hop {
  readonly file = newFile();
  readonly #stream: WatchedStream;
  #pulled: RingWriter;
  #taker: PulledRing;
  #socket = new TestSocket(0);
  #viewer: Viewer;
  #reader!: FlvReader;
  #read = 0;

  constructor(
    from: string,
    readonly level: number,
  ) {
    const context = { limits, stats: liveStats(), sendToAll: () => 0 };
    this.#stream = new WatchedStream('app/one', 1, from, context, level - 1);
    this.#viewer = this.#newViewer();
    // Another setting, which must not count.
    this.#pulled = RingWriter.create(this.file, { bytes: 8 << 20, milliseconds: 60_000, segment: 1000 });
    this.#pulled.setState('publishing');
    this.#taker = new PulledRing(this.#pulled);
    this.link();
  }

  #newViewer(): Viewer {
    return new Viewer(this.#socket, 'http', 'segment', { peer: `edge-${this.level}`, level: this.level - 1 });
  }

  /** A link begins, in the place of another, which may have ended within a tag. */
  link(): void {
    this.#stream.remove(this.#viewer);
    this.#socket = new TestSocket(0);
    this.#viewer = this.#newViewer();
    this.#read = 0;
    this.#taker.begin();
    this.#reader = new FlvReader((type, timestamp, body) => this.#taker.take(type, timestamp, body));
    this.#stream.add(this.#viewer);
    this.carry(1);
  }

  /** @param part of the bytes that have come over */
  carry(part: number): void {
    this.#stream.flush(performance.now());
    const { bytes } = this.#socket;
    const end = this.#read + Math.floor((bytes.length - this.#read) * part);
    this.#reader.push(Buffer.from(bytes.subarray(this.#read, end)));
    this.#read = end;
  }

  /** The process that pulls dies, and another one goes on. */
  die(): void {
    this.#pulled.leave();
    this.#pulled = RingWriter.open(this.file);
    this.#pulled.setState('publishing');
    this.#taker = new PulledRing(this.#pulled, lastTimes(this.file));
    this.link();
  }

  close(): void {
    this.#stream.close('ended');
    this.#pulled.close();
  }
}

/** The stream where it is published, and how an edge has it that pulls, and one that pulls from that. */
class Relay {
  readonly #file = newFile();
  readonly #origin = RingWriter.create(this.#file, { bytes: 8 << 20, milliseconds: 60_000, segment: SEGMENT });
  readonly hops: readonly [Hop, Hop];
  #time = 0;
  #version = 0;

  constructor() {
    this.#origin.setState('publishing');
    this.renew();
    this.group(3);
    const first = new Hop(this.#file, 1);
    this.hops = [first, new Hop(first.file, 2)];
  }

  /** Another configuration of the codec. */
  renew(): void {
    const body = video('config', 10, ++this.#version);
    this.#origin.setHeaders({ video: body, audio: audio('config', 4, 1), hasVideo: true, hasAudio: true });
  }

  /** A key frame, pictures and sound. */
  group(pictures: number): void {
    for (let at = 0; at < pictures; at++, this.#time += 40) {
      const keyFrame = at === 0;
      const body = [video(keyFrame ? 'key' : 'inter', 50, this.#time & 255)];
      this.#origin.append({ type: 9, timestamp: this.#time, body, keyFrame });
      this.#origin.append({ type: 8, timestamp: this.#time + 7, body: [audio('frame', 9, at)], keyFrame: false });
    }
  }

  restart(): void {
    this.#origin.setState('waiting');
    this.#time += 100;
    this.#origin.setState('publishing');
  }

  carry(part: number): void {
    for (const hop of this.hops) hop.carry(part);
  }

  /** Frames where it is published, and at the others, as texts. */
  get frames(): { origin: string[]; pulled: string[][] } {
    return { origin: framesIn(this.#file), pulled: this.hops.map(({ file }) => framesIn(file)) };
  }

  close(): void {
    for (const hop of this.hops.toReversed()) hop.close();
    this.#origin.close();
  }
}

function framesIn(file: string): string[] {
  const ring = new RingReader(file);
  ring.refresh();
  const frames = [];
  for (let at = ring.tail; at < ring.head; at++) {
    assert.ok(ring.look(at));
    if (ring.type === 18 || ring.isHeader) continue;
    const body = Buffer.from(ring.tag).toString('base64');
    frames.push(`${ring.segmentNumber}.${ring.discontinuity} ${ring.isKeyFrame} ${ring.timestamp} ${body}`);
  }
  ring.close();
  return frames;
}

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('group' as const), pictures: fc.integer({ min: 1, max: 25 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('carry' as const), part: fc.constantFrom(0.3, 0.7, 1) }) },
  fc.record({ kind: fc.constantFrom('restart' as const, 'renew' as const) }),
  fc.record({ kind: fc.constantFrom('link' as const, 'die' as const), hop: fc.constantFrom(0, 1) }),
);

test('tags and numbers of segments are the same over two links, over publishers, codecs, broken links and deaths', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 1, maxLength: 25 }), actions => {
      const relay = new Relay();
      for (const each of actions) {
        if (each.kind === 'group') relay.group(each.pictures);
        else if (each.kind === 'carry') relay.carry(each.part);
        else {
          // Links that end have brought something lately: what lies further back than three segments is lost for good.
          if (each.kind !== 'restart') relay.carry(each.kind === 'renew' ? 1 : 0.9);
          if (each.kind === 'link' || each.kind === 'die') relay.hops[each.hop]![each.kind]();
          else relay[each.kind]();
        }
      }
      relay.carry(1);
      const { origin, pulled } = relay.frames;
      for (const frames of pulled) {
        assert.ok(frames.length > 0);
        assert.deepEqual(frames, origin.slice(origin.length - frames.length));
      }
      relay.close();
    }),
    { numRuns: 150 },
  );
});
