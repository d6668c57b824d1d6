import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { silentLog } from '../../src/base/log.js';
import { native } from '../../src/base/native.js';
import type { LivePort } from '../../src/http/live-port.js';
import type { LiveLimits } from '../../src/live/delivery/live-context.js';
import { LiveViewing } from '../../src/live/delivery/live-viewing.js';
import type { LiveHeaders, LiveTag } from '../../src/live/ring/live-tag.js';
import { RingWriter } from '../../src/live/ring/ring-writer.js';
import { dataSizeOf, timestampOf } from '../../src/media/flv/tag.js';

/** Tags and headers of an FLV file, as a publisher's process makes them. */
export interface LiveFilm {
  readonly headers: LiveHeaders;
  readonly tags: readonly LiveTag[];
  /** Milliseconds from the first tag to behind the last. */
  readonly duration: number;
}

/** Reads an FLV file as a live stream: sequence headers and metadata apart. */
export function liveFilm(file: string): LiveFilm {
  const bytes = readFileSync(file);
  const tags: LiveTag[] = [];
  const headers: { metadata?: Buffer; video?: Buffer; audio?: Buffer } = {};
  for (let at = 13; at + 11 <= bytes.length; ) {
    const type = bytes[at]! as LiveTag['type'];
    const size = dataSizeOf(bytes, at);
    const data = bytes.subarray(at + 11, at + 11 + size);
    const timestamp = timestampOf(bytes, at);
    at += 15 + size;
    if (type === 18) headers.metadata = data;
    else if (type === 9 && data[1] === 0) headers.video = data;
    else if (type === 8 && data[0]! >> 4 === 10 && data[1] === 0) headers.audio = data;
    // An end of sequence is none of a stream that goes on.
    else if (type !== 9 || data[1] === 1) {
      tags.push({ type, timestamp, body: [data], keyFrame: type === 9 && data[0]! >> 4 === 1 });
    }
  }
  const hasVideo = headers.video !== undefined;
  const hasAudio = headers.audio !== undefined;
  const last = tags.at(-1)!;
  return { headers: { ...headers, hasVideo, hasAudio }, tags, duration: last.timestamp + 40 };
}

/** How viewers of tests are served, unless they say otherwise. */
const LIMITS: LiveLimits = { batch: 20, slow: 3000, disconnect: 10_000, grace: 10_000 };

/** Rings of a test in this process, and what sends them to viewers. They go after the tests of the file. */
export class LiveRig {
  readonly folder = mkdtempSync('/dev/shm/moovedge-live-test-');
  readonly viewing: LiveViewing;
  readonly #places = new Map<string, { name: string; file: string; id: number }>();
  #id = 0;

  constructor(limits: Partial<LiveLimits> = {}, observeLatency?: (seconds: number) => void) {
    this.viewing = new LiveViewing({
      limits: { ...LIMITS, ...limits },
      sendToAll: native.sendToAll,
      log: silentLog,
      ...(observeLatency && { observeLatency }),
    });
    after(() => {
      this.viewing.drain();
      rmSync(this.folder, { recursive: true });
    });
  }

  /** What a server of this process takes. */
  get port(): LivePort {
    const { sendToAll, limitUnsent } = native;
    return { path: '/live/', viewing: this.viewing, sendToAll, limitUnsent };
  }

  /** Makes a stream that is published by this test. */
  publish(name: string, options: { bytes?: number; milliseconds?: number } = {}): RingWriter {
    const { bytes = 32 << 20, milliseconds = 8000 } = options;
    const file = join(this.folder, `ring-${++this.#id}`);
    const writer = RingWriter.create(file, { bytes, milliseconds });
    writer.setState('publishing');
    this.#places.set(name, { name, file, id: this.#id });
    this.viewing.update([...this.#places.values()]);
    return writer;
  }

  /** The stream is none any more. */
  forget(name: string): void {
    this.#places.delete(name);
    this.viewing.update([...this.#places.values()]);
  }
}

/** Publishes a film over and over at the pace of its timestamps, until it is stopped. */
export class PacedPublisher {
  readonly #film: LiveFilm;
  readonly #writer: RingWriter;
  readonly #timer: NodeJS.Timeout;
  readonly #begun = performance.now();
  #next = 0;

  constructor(writer: RingWriter, film: LiveFilm) {
    this.#film = film;
    this.#writer = writer;
    writer.setHeaders(film.headers);
    this.#publish();
    this.#timer = setInterval(() => this.#publish(), 10);
  }

  /** Tags published. */
  get count(): number {
    return this.#next;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #publish(): void {
    const { tags, duration } = this.#film;
    const now = performance.now() - this.#begun;
    for (;;) {
      const tag = tags[this.#next % tags.length]!;
      const timestamp = tag.timestamp + Math.floor(this.#next / tags.length) * duration;
      if (timestamp > now) return;
      this.#writer.append({ ...tag, timestamp });
      this.#next++;
    }
  }
}
