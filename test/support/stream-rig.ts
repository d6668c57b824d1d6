import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import type { LiveLimits } from '../../src/live/delivery/live-context.js';
import { liveStats } from '../../src/live/delivery/live-stats.js';
import { Viewer, type ViewerStart } from '../../src/live/delivery/viewer.js';
import { WatchedStream } from '../../src/live/delivery/watched-stream.js';
import { RingWriter } from '../../src/live/ring/ring-writer.js';
import { audio, video } from './flv.js';
import { type Got, TestSocket } from './test-viewer.js';
import { until } from './until.js';

const folder = mkdtempSync('/dev/shm/moovedge-live-stream-');
after(() => rmSync(folder, { recursive: true }));
let count = 0;

export const isKey = ({ type, data }: Got) => type === 9 && data[0] === 0x17 && data[1] === 1;
export const isInter = ({ type, data }: Got) => type === 9 && data[0] === 0x27;

/** One stream of a process, whose viewers are sockets of tests, and whose turns are those that a test gives. */
export class StreamRig {
  readonly file = join(folder, `ring-${count++}`);
  readonly writer: RingWriter;
  readonly stream: WatchedStream;
  readonly stats = liveStats();
  readonly sockets = new Map<number, TestSocket>();
  latencies = 0;
  #timestamp = 0;

  constructor(limits: Partial<LiveLimits> = {}, bytes = 8 << 20) {
    this.writer = RingWriter.create(this.file, { bytes, milliseconds: 8000 });
    this.writer.setState('publishing');
    this.stream = new WatchedStream('app/name', 1, this.file, {
      limits: { batch: 100, slow: 3000, disconnect: 10_000, grace: 10_000, ...limits },
      stats: this.stats,
      observeLatency: () => this.latencies++,
      sendToAll: (sockets, many, prefix, payload, skip, taken) => {
        let few = 0;
        for (let i = 0; i < many; i++) {
          taken[i] = this.sockets.get(sockets[i]!)!.take(prefix.length, payload, skip);
          if (taken[i] !== prefix.length + payload.length) few++;
        }
        return few;
      },
    });
    after(() => this.writer.leave());
  }

  headers(fill = 1, tracks = { hasVideo: true, hasAudio: true }): this {
    const { hasVideo, hasAudio } = tracks;
    this.writer.setHeaders({
      ...(hasVideo && { video: video('config', 10, fill) }),
      ...(hasAudio && { audio: audio('config', 4, fill) }),
      ...tracks,
    });
    return this;
  }

  picture(key: boolean, size = 1000): void {
    this.#timestamp += 40;
    const data = video(key ? 'key' : 'inter', size, this.#timestamp & 255);
    this.writer.append({ type: 9, timestamp: this.#timestamp, keyFrame: key, body: [data] });
  }

  sound(): void {
    const data = audio('frame', 100, this.#timestamp & 255);
    this.writer.append({ type: 8, timestamp: this.#timestamp, keyFrame: false, body: [data] });
  }

  /** A group of pictures with sound. */
  group(pictures = 10, size?: number): void {
    for (let at = 0; at < pictures; at++) {
      this.picture(at === 0, size);
      this.sound();
    }
  }

  join(start: ViewerStart = 'newest', descriptor = this.sockets.size + 1) {
    const socket = new TestSocket(descriptor);
    if (descriptor !== 0) this.sockets.set(descriptor, socket);
    const viewer = new Viewer(socket, 'http', start);
    socket.leave = () => this.stream.remove(viewer);
    this.stream.add(viewer);
    this.stream.welcome(viewer);
    return { socket, viewer };
  }

  tick(later = 0): void {
    for (const wave of this.stream.waves) this.stream.tick(performance.now() + later, wave);
  }

  /** Waits until the newest tag is so many milliseconds old. */
  async age(milliseconds: number): Promise<void> {
    const { ring } = this.stream;
    await until('a tag that is old', () => ring.refresh() && ring.look(ring.head - 1) && ring.age > milliseconds);
  }
}
