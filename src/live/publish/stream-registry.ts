import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeOwnFolder } from '../../base/own-files.js';
import type { StreamPlace } from '../ring/stream-place.js';
import { type EndReason, RtmpError } from '../rtmp/rtmp-error.js';
import { LiveStream, type LiveStreamStats, type StreamRecording, type StreamRing } from './live-stream.js';
import type { Publication } from './publication.js';
import { ringFile, ringsIn } from './ring-files.js';

/** Whoever publishes a stream. */
export interface StreamOwner {
  /** Ends it. */
  end(reason: EndReason, message: string): void;
}

/** Makes rings, as `RingWriter` does. */
export interface RingFactory {
  create(file: string): StreamRing;
  /**
   * Goes on with one that another process has left.
   * @throws EdgeError when there is none that can be gone on with
   */
  open(file: string): StreamRing;
}

/** What streams are kept with. */
export interface RegistryOptions {
  /** Folder of the rings, on a tmpfs. */
  readonly folder: string;
  readonly rings: RingFactory;
  readonly log: Log;
  readonly now: () => number;
  /** Milliseconds that viewers wait for a publisher. */
  readonly grace: () => number;
  readonly maxPublishers: () => number;
  /** Whether a publisher takes a stream from another. */
  readonly takeover: () => boolean;
  /** @param file of the stream's ring */
  record(name: string, file: string): StreamRecording | undefined;
  /** Goes on with the recording of a stream that another process has left. @param file of the stream's ring */
  resume(file: string): StreamRecording | undefined;
  /** There are other streams than before. */
  changed(): void;
  /** Reserves a name among other edges. Rejects with RtmpError when one of them keeps it. */
  reserve(name: string): Promise<void>;
  /** What has come of a stream that another edge had, in the folder of these; undefined when nothing has. */
  inherit(name: string): StreamPlace | undefined;
  /** This edge has these names: whether each is published, or waits. @param all it has no others */
  named(names: ReadonlyMap<string, boolean>, all: boolean): void;
  /** It has this one no more. */
  dropped(name: string): void;
}

/** All streams of an edge: who publishes what. */
export class StreamRegistry {
  readonly #options: RegistryOptions;
  readonly #streams = new Map<string, LiveStream>();
  readonly #owners = new Map<LiveStream, StreamOwner>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    makeOwnFolder(options.folder);
    this.#adopt();
    options.named(new Map([...this.#streams.keys()].map(name => [name, false])), true);
  }

  get places(): readonly StreamPlace[] {
    return [...this.#streams.values()].map(({ name, file, id }) => ({ name, file, id, level: 0 }));
  }

  get stats(): readonly LiveStreamStats[] {
    return [...this.#streams.values()].map(({ stats }) => stats);
  }

  get publishers(): number {
    return this.#owners.size;
  }

  /**
   * Makes somebody the publisher of a stream, in the place of whoever is. Rejects with RtmpError when that can't be.
   */
  async claim(name: string, owner: StreamOwner): Promise<Publication> {
    this.#rivalOf(name);
    await this.#options.reserve(name);
    try {
      // Others may have come meanwhile.
      const rival = this.#rivalOf(name);
      rival?.end('replaced', 'somebody else publishes the stream now');
      const before = this.#streams.get(name);
      const stream = before ?? this.#make(name);
      this.#owners.set(stream, owner);
      const publication = stream.begin();
      this.#options.named(new Map([[name, true]]), false);
      if (before === undefined) this.#options.changed();
      return publication;
    } catch (error) {
      if (!this.#streams.has(name)) this.#options.dropped(name);
      throw error;
    }
  }

  /** Who publishes a stream that somebody else wants to. @throws RtmpError when that can't be */
  #rivalOf(name: string): StreamOwner | undefined {
    const { maxPublishers, takeover } = this.#options;
    const before = this.#streams.get(name);
    const rival = before && this.#owners.get(before);
    if (rival === undefined && this.#owners.size >= maxPublishers()) {
      throw new RtmpError('limit', `expected at most ${maxPublishers()} publishers (live.rtmp.maxPublishers)`);
    }
    if (rival !== undefined && !takeover()) {
      throw new RtmpError('refused', 'the stream has a publisher, and live.publish.takeover is never');
    }
    return rival;
  }

  /** Its publisher is gone. */
  release(name: string, owner: StreamOwner): void {
    const stream = this.#streams.get(name);
    if (stream === undefined || this.#owners.get(stream) !== owner) return;
    this.#owners.delete(stream);
    stream.wait(this.#options.grace());
    this.#options.named(new Map([[name, false]]), false);
  }

  /**
   * Another edge publishes the stream now: its publisher is sent away.
   * @returns what is here of it, for those who watch; undefined when there is nothing
   */
  yield(name: string): StreamPlace | undefined {
    const stream = this.#streams.get(name);
    if (stream === undefined) return undefined;
    this.#owners.get(stream)?.end('replaced', 'the stream is published to another edge now');
    this.#forget(stream);
    this.#close(stream.yield());
    return { name, id: stream.id, file: stream.file };
  }

  /** Ends all streams, or lets go of them for another process. Resolves when recordings are written. */
  async stop(how: 'end' | 'leave'): Promise<void> {
    for (const owner of [...this.#owners.values()]) owner.end('server', 'this server stops');
    const closed = [...this.#streams.values()].map(stream => stream[how]());
    this.#streams.clear();
    await Promise.all([...closed, ...this.#closing]);
  }

  #make(name: string): LiveStream {
    const left = this.#options.inherit(name);
    if (left !== undefined) {
      try {
        return this.#add(left, this.#options.rings.open(left.file));
      } catch (error) {
        this.#options.log.warn(
          { stream: name, error },
          'what another edge had of a live stream can not be gone on with',
        );
        rmSync(left.file, { force: true });
      }
    }
    const id = Date.now() * 1000 + randomInt(1000);
    const file = ringFile(this.#options.folder, name, id);
    try {
      return this.#add({ name, id, file }, this.#options.rings.create(file));
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      throw new RtmpError('server', `there is no room for the stream: ${error.message}`);
    }
  }

  /** Goes on with the streams of a process that has died or handed over: those who watch them are still there. */
  #adopt(): void {
    for (const place of ringsIn(this.#options.folder)) {
      try {
        if (this.#streams.has(place.name)) throw new EdgeError('bad_config', 'there is a newer one');
        const ring = this.#options.rings.open(place.file);
        this.#add(place, ring, this.#options.resume(place.file)).wait(Math.max(0, this.#options.grace() - ring.age));
        this.#options.log.info({ stream: place.name }, 'a live stream waits for its publisher');
      } catch (error) {
        this.#options.log.warn({ file: place.file, error }, 'a live stream can not be gone on with');
        rmSync(place.file, { force: true });
      }
    }
  }

  #add({ name, id, file }: StreamPlace, ring: StreamRing, recording?: StreamRecording): LiveStream {
    const { now, record } = this.#options;
    const stream: LiveStream = new LiveStream({
      ...{ name, id, file, ring, recording, now },
      record: () => record(name, file),
      ended: () => this.#end(stream),
      failed: error => this.#lose(stream, error),
    });
    this.#streams.set(name, stream);
    return stream;
  }

  /** Another process has taken its ring, for one: this one has nothing to do with it any more. */
  #lose(stream: LiveStream, error: unknown): void {
    this.#options.log.error({ stream: stream.name, error }, 'the ring of a live stream can not be written');
    const owner = this.#owners.get(stream);
    this.#forget(stream);
    this.#options.dropped(stream.name);
    // Not from within what it sends.
    setImmediate(() => {
      owner?.end('server', 'the stream is lost here');
      void stream.leave();
    });
    this.#options.changed();
  }

  #end(stream: LiveStream): void {
    this.#forget(stream);
    this.#options.dropped(stream.name);
    this.#options.log.info({ stream: stream.name }, 'a live stream has ended');
    this.#close(stream.end());
    this.#options.changed();
  }

  #forget(stream: LiveStream): void {
    this.#streams.delete(stream.name);
    this.#owners.delete(stream);
  }

  /** Its recording is written meanwhile. */
  #close(closing: Promise<void>): void {
    const closed = closing.finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
