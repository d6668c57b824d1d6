import type { LiveState, LiveTag } from '../ring/live-tag.js';
import type { StreamPlace } from '../ring/stream-place.js';
import { Publication, type PublicationStats, type TagSink } from './publication.js';
import { Timeline } from './timeline.js';

/** Where the tags of a stream lie for those who watch it; `RingWriter` is one. */
export interface StreamRing extends TagSinkOf<boolean> {
  setState(state: LiveState): void;
  /** Timestamp of the newest tag, and milliseconds since it came; 0 when there is none. */
  readonly timestamp: number;
  readonly age: number;
  /** Number behind that of the newest tag. */
  readonly head: number;
  /** Ends the stream, and removes its file. */
  close(): void;
  /** Lets go of it, for another process to go on with. */
  leave(): void;
}

type TagSinkOf<Result> = Omit<TagSink, 'append'> & { append(tag: LiveTag): Result };

/** A file that a stream is recorded in. */
export interface StreamRecording extends Omit<TagSink, 'append'> {
  /** @param sequence number of the tag in the ring; -1 when that does not have it */
  append(tag: LiveTag, sequence: number): void;
  /** What has come is written, and the file gets its name. */
  close(): Promise<void>;
  /** Another process goes on with the stream: with its recording, too, or what has come is one. */
  leave(): Promise<void>;
}

/** What a stream is made from. */
export interface LiveStreamOptions extends StreamPlace {
  readonly ring: StreamRing;
  /** One that is gone on with. */
  readonly recording?: StreamRecording | undefined;
  /** Milliseconds of a clock that only goes on. */
  readonly now: () => number;
  /** Begins a recording; undefined when none is wanted. */
  record(): StreamRecording | undefined;
  /** No publisher has come back within the grace. */
  ended(): void;
  /** Its ring can't be written any more; nothing is appended from here on. */
  failed(error: unknown): void;
}

/** A stream in `/stats`. */
export interface LiveStreamStats extends Partial<PublicationStats> {
  readonly name: string;
  readonly state: 'publishing' | 'waiting';
  /** Tags that found no room for viewers. */
  readonly lost: number;
}

/** One stream: its ring, over all publishers that come and go while somebody may be watching. */
export class LiveStream implements TagSink {
  readonly name: string;
  readonly id: number;
  readonly file: string;
  readonly #options: LiveStreamOptions;
  readonly #timeline: Timeline;
  #publication: Publication | undefined;
  #recording: StreamRecording | undefined;
  #grace: NodeJS.Timeout | undefined;
  #lost = 0;
  #hasFailed = false;

  constructor(options: LiveStreamOptions) {
    this.name = options.name;
    this.id = options.id;
    this.file = options.file;
    this.#options = options;
    this.#timeline = new Timeline(options.now);
    this.#recording = options.recording;
    const { timestamp, age } = options.ring;
    if (timestamp > 0) this.#timeline.resume(timestamp, age);
  }

  get stats(): LiveStreamStats {
    const state = this.#publication === undefined ? 'waiting' : 'publishing';
    return { name: this.name, state, lost: this.#lost, ...this.#publication?.stats };
  }

  /** A publisher comes; there is none. */
  begin(): Publication {
    clearTimeout(this.#grace);
    this.#options.ring.setState('publishing');
    this.#recording ??= this.#options.record();
    this.#publication = new Publication(this, this.#timeline, this.#options.now);
    return this.#publication;
  }

  /** The publisher is gone. @param grace milliseconds for which another one is waited for */
  wait(grace: number): void {
    this.#publication?.end();
    this.#publication = undefined;
    this.#options.ring.setState('waiting');
    this.#grace = setTimeout(() => this.#options.ended(), grace);
  }

  setHeaders(headers: Parameters<TagSink['setHeaders']>[0]): void {
    this.#write(ring => ring.setHeaders(headers));
    this.#recording?.setHeaders(headers);
  }

  append(tag: LiveTag): void {
    let sequence = -1;
    this.#write(ring => {
      if (ring.append(tag)) sequence = ring.head - 1;
      else this.#lost++;
    });
    this.#recording?.append(tag, sequence);
  }

  newEpoch(): void {
    this.#write(ring => ring.newEpoch());
    this.#recording?.newEpoch();
  }

  /** Whoever sends the tag, or a timer, must not be met by what is wrong with the ring. */
  #write(action: (ring: StreamRing) => void): void {
    if (this.#hasFailed) return;
    try {
      action(this.#options.ring);
    } catch (error) {
      this.#hasFailed = true;
      this.#options.failed(error);
    }
  }

  /** Ends it for those who watch. */
  end(): Promise<void> {
    return this.#close('close', () => this.#options.ring.close());
  }

  /** Lets go of it; another process may go on with it. */
  leave(): Promise<void> {
    return this.#close('leave', () => this.#leaveRing());
  }

  /** Lets go of its ring, in which it goes on as it is published elsewhere. */
  yield(): Promise<void> {
    return this.#close('close', () => this.#leaveRing());
  }

  #leaveRing(): void {
    if (!this.#hasFailed) this.#options.ring.setState('waiting');
    this.#options.ring.leave();
  }

  async #close(how: 'close' | 'leave', letGo: () => void): Promise<void> {
    clearTimeout(this.#grace);
    this.#publication?.end();
    this.#publication = undefined;
    letGo();
    const recording = this.#recording;
    this.#recording = undefined;
    await recording?.[how]();
  }
}
