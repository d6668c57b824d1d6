/**
 * Any stream, looked at by any processes at any time: what their playlists, parts and segments say is what was
 * published, the same for all of them, and follows from one answer to the next as the standard has it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { HlsFiles } from '../../../../src/live/hls/hls-files.js';
import type { HlsObject } from '../../../../src/live/hls/hls-object.js';
import { HlsStream } from '../../../../src/live/hls/hls-stream.js';
import type { HlsTrackName } from '../../../../src/live/hls/hls-url.js';
import { HlsViewers } from '../../../../src/live/hls/hls-viewers.js';
import type { HlsWaits } from '../../../../src/live/hls/hls-waits.js';
import type { LiveHeaders } from '../../../../src/live/ring/live-tag.js';
import { RingReader } from '../../../../src/live/ring/ring-reader.js';
import { RingWriter } from '../../../../src/live/ring/ring-writer.js';
import { readFragments } from '../../../support/fragment-samples.js';
import { applyDelta, type ListedSegment, type ReadPlaylist, readPlaylist } from '../../../support/live-playlist.js';

const folder = mkdtempSync('/dev/shm/moovedge-hls-bytes-');
after(() => rmSync(folder, { recursive: true }));
let count = 0;

const TRACKS = ['v1', 'a1'] as const;
const TYPES = { v1: 9, a1: 8 } as const;
/** Headers of AVC and of AAC that differ in their last field. */
const AVC = '0142c01effe100146742c01ed901405ff2e022000003000200000300651e2c5c9001000468cb83cb';
const avc = (level: number) => {
  const bytes = Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), Buffer.from(AVC, 'hex')]);
  bytes[8] = level;
  return bytes;
};
const aac = (rate: number) => Buffer.from([0xaf, 0, 0x10 | (rate >> 1), ((rate & 1) << 7) | 0x08]);

/** A frame as it was published. */
interface Published {
  readonly track: HlsTrackName;
  readonly segment: number;
  readonly timestamp: number;
  readonly composition: number;
  readonly isKey: boolean;
  readonly data: string;
  /** What the multivariant playlist says of the codecs. */
  readonly codecs: string;
}

/** Waits that a test looks at. */
class TestWaits {
  readonly open = new Set<{ isOver: () => boolean; key: string; resolve: () => void }>();

  until(key: string, isOver: () => boolean): Promise<void> {
    return new Promise(resolve => this.open.add({ isOver, key, resolve }));
  }
}

/** A process that looks at the stream, and one player of it, who knows the last playlist of each track. */
class Process {
  readonly stream: HlsStream;
  readonly waits = new TestWaits();
  readonly files: HlsFiles;
  readonly known: Partial<Record<HlsTrackName, ReadPlaylist>> = {};
  /** Segments whose bytes it has got, by their numbers of parts. */
  readonly seen = new Set<string>();

  constructor(file: string, limits: { part: number; segment: number; window: number }) {
    this.stream = new HlsStream({ name: 'app/name', id: 1, file }, limits);
    const waits = this.waits as unknown as HlsWaits;
    this.files = new HlsFiles({ waits, viewers: new HlsViewers(() => 0), memory: 1 << 16 });
  }

  /** A file that is there; undefined when it has to be waited for. */
  open(track: HlsTrackName, name: string): HlsObject | undefined {
    const [file = '', query = ''] = name.split('?');
    const [number, part] = file.split('.').map(Number);
    const target =
      file === ''
        ? ({ kind: 'playlist', track } as const)
        : part === undefined
          ? ({ kind: 'segment', track, number: number! } as const)
          : ({ kind: 'part', track, number: number!, part } as const);
    const opened = this.files.open(this.stream, target, query);
    return opened instanceof Promise ? undefined : opened;
  }

  close(): void {
    this.stream.close();
  }
}

/** All bytes of a file, as a delivery takes them. */
function bytesOf(object: HlsObject): Buffer {
  const reader = object.reader();
  const pieces: Buffer[] = [];
  for (const span of object.answer.file.spans) {
    if (span.kind === 'literal') pieces.push(Buffer.from(span.bytes));
    else if (span.kind === 'source') {
      for (let at = span.offset; at < span.offset + span.length; ) {
        const read = Buffer.from(reader.read(at, span.offset + span.length)!);
        pieces.push(read);
        at += read.length;
      }
    } else {
      assert.ok(span.kind === 'gathered', span.kind);
      const piece = Buffer.alloc(span.length);
      assert.equal(reader.gather(span, span.from, span.from + span.length, piece), span.length);
      pieces.push(piece);
    }
  }
  const bytes = Buffer.concat(pieces);
  assert.equal(bytes.length, object.answer.file.size);
  return bytes;
}

/** A stream that is published, and what has been. */
class World {
  readonly file = join(folder, `ring-${count++}`);
  readonly published: Published[] = [];
  /** The same by track and segment. */
  readonly #frames = new Map<string, Published[]>();
  readonly processes: Process[] = [];
  readonly limits: { readonly part: number; readonly segment: number; readonly window: number };
  #writer: RingWriter;
  readonly #ring: RingReader;
  #time = 0;
  #level = 0x1e;
  #rate = 4;
  #isPublishing = true;
  /** Bytes of each file that somebody has got. */
  readonly #got = new Map<string, string>();
  /** Lines of each segment that some playlist had as complete. */
  readonly #listed = new Map<string, ListedSegment>();

  constructor(part: number, keep: number) {
    this.limits = { part, segment: 500, window: 6000 };
    this.#writer = RingWriter.create(this.file, { bytes: 4 << 20, milliseconds: keep, segment: this.limits.segment });
    this.#writer.setState('publishing');
    this.#writer.setHeaders(this.#headers);
    this.#ring = new RingReader(this.file);
  }

  get #headers(): LiveHeaders {
    return { video: avc(this.#level), audio: aac(this.#rate), hasVideo: true, hasAudio: true };
  }

  frame(track: HlsTrackName, step: number, size: number, isKey: boolean, composition: number): void {
    if (!this.#isPublishing) this.restart();
    this.#time += step;
    const timestamp = this.#time;
    const data = Buffer.alloc(size, this.published.length);
    const isKeyFrame = track === 'a1' || isKey;
    const cts = track === 'a1' ? 0 : composition;
    const head =
      track === 'a1'
        ? Buffer.of(0xaf, 1)
        : Buffer.of(isKey ? 0x17 : 0x27, 1, (cts >> 16) & 255, (cts >> 8) & 255, cts & 255);
    const keyFrame = track === 'v1' && isKey;
    // In two pieces, as the ring takes them.
    if (!this.#writer.append({ type: TYPES[track], timestamp, keyFrame, body: [head, data] })) return;
    assert.ok(this.#ring.refresh() && this.#ring.look(this.#ring.head - 1), 'the tag is there');
    const segment = this.#ring.segmentNumber;
    const published = {
      ...{ track, segment, timestamp, composition: cts, isKey: isKeyFrame, data: data.toString('base64') },
      codecs: `avc1.42c0${this.#level.toString(16)},mp4a.40.2`,
    };
    this.published.push(published);
    const name = `${track} ${segment}`;
    this.#frames.set(name, [...(this.#frames.get(name) ?? []), published]);
  }

  script(): void {
    this.#writer.append({ type: 18, timestamp: this.#time, keyFrame: false, body: [Buffer.from('onTextData')] });
  }

  renew(track: HlsTrackName): void {
    if (track === 'v1') this.#level ^= 1;
    else this.#rate ^= 1;
    this.#writer.setHeaders(this.#headers);
  }

  restart(): void {
    this.#writer.setState('waiting');
    this.#writer.setState('publishing');
    this.#isPublishing = true;
  }

  wait(): void {
    this.#writer.setState('waiting');
    this.#isPublishing = false;
  }

  epoch(): void {
    this.#writer.newEpoch();
    this.#time = 1000;
  }

  /** The process that writes dies, and another one goes on. */
  die(): void {
    this.#writer.leave();
    this.#writer = RingWriter.open(this.file);
    this.#writer.setState('publishing');
    this.#isPublishing = true;
  }

  join(): void {
    this.processes.push(new Process(this.file, this.limits));
  }

  end(): void {
    this.#writer.close();
  }

  close(): void {
    for (const process of this.processes) process.close();
    this.#ring.close();
  }

  /** A process is asked for everything. */
  look(process: Process): void {
    this.#multivariant(process);
    for (const track of TRACKS) {
      const object = process.open(track, '');
      if (object === undefined) continue;
      const text = bytesOf(object).toString();
      const playlist = readPlaylist(text);
      this.#isRight(process, track, playlist);
      this.#delta(process, track, playlist);
      this.#blocking(process, track, playlist);
      process.known[track] = playlist;
    }
  }

  /** Codecs and rates are those of what has come last. */
  #multivariant(process: Process): void {
    const opened = process.files.open(process.stream, { kind: 'multivariant' }, '');
    if (opened instanceof Promise) return;
    const text = bytesOf(opened).toString();
    const cut = TRACKS.flatMap(
      track => process.stream.segments(track).findLast(({ parts }) => parts.length > 0) ?? [],
    ).sort((a, b) => b.number - a.number);
    const { codecs } = this.published.find(({ segment }) => segment === cut[0]!.number)!;
    assert.match(text, new RegExp(`CODECS="${codecs}"`));
    const [, bandwidth] = /[:,]BANDWIDTH=(\d+)/.exec(text) ?? [];
    assert.ok(Number(bandwidth) > 1 || cut[0]!.duration === 0, text);
  }

  #isRight(process: Process, track: HlsTrackName, playlist: ReadPlaylist): void {
    const { segments } = playlist;
    const before = process.known[track];
    if (before !== undefined) {
      const [told, earlier] = [playlist, before].map(each => [each.sequence, each.discontinuity]);
      const goesBack = told!.some((number, at) => number < earlier![at]!);
      assert.ok(!goesBack, `${track} goes back from ${earlier} to ${told}`);
      const [last, lastBefore] = [playlist, before].map(each => each.segments.at(-1)?.number ?? each.sequence - 1);
      assert.ok(last! >= lastBefore!, `${track} ends with ${last} behind ${lastBefore}`);
    }
    for (const segment of segments) {
      const { number, parts, isComplete } = segment;
      const name = `${track} ${number}`;
      const shape = `${name} ${isComplete} ${parts.length}`;
      if (process.seen.has(shape)) continue;
      process.seen.add(shape);
      const own = this.#frames.get(name) ?? [];
      let at = 0;
      const bytes: Buffer[] = [];
      for (const [index, part] of parts.entries()) {
        assert.equal(part.uri, `${track}/${number}.${index}.m4s`);
        const piece = this.#get(process, track, `${number}.${index}`);
        bytes.push(piece);
        const [fragment, ...more] = readFragments(piece);
        assert.deepEqual(more, []);
        const { samples } = fragment!;
        assert.equal(part.isIndependent, samples[0]!.isSync, name);
        assert.equal(
          part.duration,
          samples.reduce((sum, { duration }) => sum + duration, 0),
        );
        assert.ok(part.duration <= playlist.partTarget, `${name}.${index} is longer than PART-TARGET`);
        at = this.#samplesAre(samples, own, at);
      }
      if (!isComplete) continue;
      assert.equal(segment.isGap, own.length === 0, name);
      assert.ok(Math.round(segment.duration / 1000) <= playlist.target, name);
      if (own.length === 0) continue;
      const whole = this.#get(process, track, `${number}`);
      if (parts.length > 0) assert.ok(whole.equals(Buffer.concat(bytes)), `${name} is its parts`);
      const fragments = readFragments(whole);
      const samples = fragments.flatMap(each => each.samples);
      assert.equal(this.#samplesAre(samples, own, 0), own.length, `${name} has all frames`);
      assert.equal(
        segment.duration,
        samples.reduce((sum, { duration }) => sum + duration, 0),
      );
      const known = this.#listed.get(name);
      const { parts: _, ...rest } = segment;
      if (known === undefined) this.#listed.set(name, { ...rest, parts: [] });
      else assert.deepEqual({ ...rest, parts: [] }, known);
    }
  }

  /** @returns how many of the published frames have been seen */
  #samplesAre(
    samples: ReturnType<typeof readFragments>[0]['samples'],
    own: readonly Published[],
    from: number,
  ): number {
    for (const [i, { time, composition, isSync, data }] of samples.entries()) {
      const frame = own[from + i]!;
      const expected = `${frame.timestamp} ${frame.composition} ${frame.isKey} ${frame.data}`;
      assert.equal(`${time} ${composition} ${isSync} ${data}`, expected);
    }
    return from + samples.length;
  }

  /** A file, which is the same for all who ask, whenever they do. */
  #get(process: Process, track: HlsTrackName, name: string): Buffer {
    const object = process.open(track, name);
    assert.ok(object !== undefined, `${track} ${name} is there`);
    const bytes = bytesOf(object);
    const key = `${track} ${name}`;
    const text = bytes.toString('base64');
    assert.equal(this.#got.get(key) ?? text, text, key);
    this.#got.set(key, text);
    return bytes;
  }

  /** What a player that knows an older playlist makes of only what is new. */
  #delta(process: Process, track: HlsTrackName, whole: ReadPlaylist): void {
    const delta = readPlaylist(bytesOf(process.open(track, '?_HLS_skip=YES')!).toString());
    const reach = whole.segments.slice(delta.skipped).reduce((sum, { duration }) => sum + duration, 0);
    if (delta.skipped > 0) assert.ok(reach >= delta.canSkipUntil, 'what is skipped is older than it has to be');
    const known = process.known[track];
    const last = whole.sequence + delta.skipped - 1;
    const hasAll =
      delta.skipped === 0 ||
      (known?.segments.some(({ number, isComplete }) => number === last && isComplete) &&
        known.segments[0]!.number <= whole.sequence);
    if (hasAll) assert.deepEqual(applyDelta(known, delta).segments.map(plain), whole.segments.map(plain));
  }

  /** Every place near the end is there, or waited for, or refused. */
  #blocking(process: Process, track: HlsTrackName, { segments, isEnded }: ReadPlaylist): void {
    if (isEnded || segments.length === 0) return;
    const last = segments.findLast(({ isComplete, parts }) => isComplete || parts.length > 0)!;
    for (let number = segments[0]!.number - 1; number <= last.number + 3; number++) {
      for (const part of [undefined, 0, 1, 2, 500]) {
        const ask = `?_HLS_msn=${number}${part === undefined ? '' : `&_HLS_part=${part}`}`;
        const isFar = number > last.number + 2 || (number === last.number && part === 500);
        if (isFar) {
          assert.throws(() => process.open(track, ask), { code: 'bad_request' }, ask);
          continue;
        }
        const wanted = isThere(segments, number, part);
        assert.equal(process.open(track, ask) !== undefined, wanted, `${track} ${ask} of ${last.number}`);
      }
    }
    for (const wait of process.waits.open) {
      const [, msn, part] = /(\d+) (\w+)$/.exec(wait.key) ?? [];
      if (msn === undefined || !wait.key.includes(` ${track} `)) continue;
      const wanted = isThere(segments, Number(msn), part === 'undefined' ? undefined : Number(part));
      assert.equal(wait.isOver(), wanted, wait.key);
      if (wanted) process.waits.open.delete(wait);
    }
  }
}

/** A segment without what depends on when it was looked at: parts are not listed for ever. */
function plain({ parts: _, ...rest }: ListedSegment) {
  return rest;
}

/** Whether a playlist has a part, or a whole segment, or what comes behind it (RFC 8216bis section 6.2.5.2). */
function isThere(segments: readonly ListedSegment[], number: number, part: number | undefined): boolean {
  const segment = segments.find(each => each.number === number);
  if (segment === undefined) return number < segments[0]!.number;
  if (part === undefined) return segment.isComplete;
  const isLater = segments.some(each => each.number > number && (each.isComplete || each.parts.length > 0));
  return part < segment.parts.length || (segment.isComplete && isLater);
}

const frame = fc.record({
  kind: fc.constant('frame' as const),
  track: fc.constantFrom(...TRACKS),
  step: fc.oneof({ weight: 8, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.integer({ min: 61, max: 900 }) }),
  size: fc.integer({ min: 1, max: 200 }),
  isKey: fc.boolean(),
  composition: fc.constantFrom(0, 0, 40, 80, -40),
});
const event = fc.oneof(
  { weight: 40, arbitrary: frame },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('look' as const), process: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('renew' as const), track: fc.constantFrom(...TRACKS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'join' as const,
        'script' as const,
        'restart' as const,
        'wait' as const,
        'epoch' as const,
        'die' as const,
      ),
    }),
  },
);

test('any stream, cut at any time by any process: bytes, samples, durations, numbers, deltas and waits are right', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 20, maxLength: 200, size: 'max' }),
      fc.integer({ min: 50, max: 400 }),
      fc.constantFrom(2000, 60_000),
      (events, part, keep) => {
        const world = new World(part, keep);
        try {
          world.join();
          for (const each of events) {
            if (each.kind === 'frame') world.frame(each.track, each.step, each.size, each.isKey, each.composition);
            else if (each.kind === 'look') world.look(world.processes[each.process % world.processes.length]!);
            else if (each.kind === 'renew') world.renew(each.track);
            else world[each.kind]();
          }
          world.join();
          for (const process of world.processes) world.look(process);
          world.end();
          for (const process of world.processes) world.look(process);
        } finally {
          world.close();
        }
      },
    ),
    { numRuns: 40, includeErrorInReport: true, endOnFailure: true },
  );
});
