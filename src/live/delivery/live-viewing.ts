import type { Log } from '../../base/log.js';
import type { StreamPlace } from '../ring/stream-place.js';
import type { SendToAll } from './fan.js';
import { type LiveStats, liveStats } from './live-stats.js';
import type { Viewer } from './viewer.js';
import { type LiveContext, type LiveLimits, WatchedStream } from './watched-stream.js';

/** What `LiveViewing` is made from. */
export interface LiveViewingOptions {
  readonly limits: LiveLimits;
  readonly sendToAll: SendToAll;
  readonly observeLatency?: (seconds: number) => void;
  readonly log: Log;
}

/** Milliseconds within which batches of several streams are sent in one turn. */
const TOGETHER = 5;
/** Milliseconds from one look for what other edges are to be sent to the next. */
const FLUSH = 10;
/** Streams begin one after the other at places of this part of a batch, so that they don't come all at once. */
const STAGGER = 0.381966;

/** All live streams of a process and their viewers. One timer sends all batches; without viewers there is none. */
export class LiveViewing {
  readonly stats: LiveStats = liveStats();
  readonly #context: LiveContext;
  readonly #log: Log;
  readonly #streams = new Map<string, WatchedStream>();
  /** Streams that have viewers, and when their next batch is due in milliseconds of the monotonic clock. */
  readonly #due = new Map<WatchedStream, number>();
  #timer: NodeJS.Timeout | undefined;
  #placed = 0;
  /** Runs while other edges are sent to. */
  #links: NodeJS.Timeout | undefined;

  constructor({ limits, sendToAll, observeLatency, log }: LiveViewingOptions) {
    this.#context = { limits, stats: this.stats, sendToAll, ...(observeLatency && { observeLatency }) };
    this.#log = log;
  }

  /** Takes the streams that there are from now on. Viewers of those that are no more are told that they have ended. */
  update(places: readonly StreamPlace[]): void {
    const named = new Map(places.map(place => [place.name, place]));
    for (const [name, stream] of this.#streams) {
      if (named.get(name)?.id === stream.id && !stream.over) continue;
      stream.retire();
      this.#streams.delete(name);
      if (stream.over) this.#due.delete(stream);
    }
    for (const { name, file, id, isPulled } of places) {
      if (this.#streams.has(name)) continue;
      try {
        this.#streams.set(name, new WatchedStream(name, id, file, this.#context, isPulled));
      } catch (error) {
        this.#log.warn({ stream: name, file, error }, 'a live stream can not be opened');
      }
    }
  }

  /** The stream of a name, as APP/NAME; undefined when there is none. */
  find(name: string): WatchedStream | undefined {
    const stream = this.#streams.get(name);
    return stream?.over ? undefined : stream;
  }

  /** All streams. */
  get streams(): Iterable<WatchedStream> {
    return this.#streams.values();
  }

  /** Begins to send to a viewer. To be called where its socket is not corked. */
  watch(stream: WatchedStream, viewer: Viewer): void {
    if (stream.over) {
      viewer.socket.cut();
      return;
    }
    stream.add(viewer);
    if (!this.#due.has(stream)) {
      const { batch } = this.#context.limits;
      this.#due.set(stream, performance.now() + batch * ((this.#placed++ * STAGGER) % 1));
      this.#arm();
    }
    stream.welcome(viewer);
    if (viewer.isLink) this.#links ??= setInterval(this.#flush, FLUSH);
  }

  /** Ends the answers of all viewers behind whole tags: they come again, to a process that goes on. */
  drain(): void {
    for (const stream of this.#streams.values()) stream.close('drain');
    this.#streams.clear();
    this.#due.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearInterval(this.#links);
    this.#links = undefined;
  }

  readonly #flush = () => {
    const now = performance.now();
    let some = false;
    for (const stream of this.#streams.values()) {
      some = stream.flush(now) || some;
    }
    if (some) return;
    clearInterval(this.#links);
    this.#links = undefined;
  };

  #arm(): void {
    if (this.#timer !== undefined || this.#due.size === 0) return;
    const now = performance.now();
    const next = Math.min(...this.#due.values());
    this.#timer = setTimeout(this.#turn, Math.max(1, next - now));
  }

  readonly #turn = () => {
    this.#timer = undefined;
    const { batch } = this.#context.limits;
    for (const [stream, due] of this.#due) {
      const now = performance.now();
      if (due > now + TOGETHER) continue;
      try {
        stream.tick(now);
      } catch (error) {
        this.#log.error({ stream: stream.name, error }, 'a live stream failed');
        stream.close('overrun');
      }
      if (stream.over && this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
      if (stream.over || stream.viewers === 0) this.#due.delete(stream);
      else this.#due.set(stream, due + batch > now ? due + batch : now + batch);
    }
    this.#arm();
  };
}
