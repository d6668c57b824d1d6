import type { Log } from '../../base/log.js';
import type { StreamPlace } from '../ring/stream-place.js';
import type { SendToAll } from './fan.js';
import type { LiveContext, LiveLimits } from './live-context.js';
import { type LiveStats, liveStats } from './live-stats.js';
import type { Viewer } from './viewer.js';
import { WatchedStream } from './watched-stream.js';
import type { Wave } from './wave.js';

/** What `LiveViewing` is made from. */
export interface LiveViewingOptions {
  readonly limits: LiveLimits;
  readonly sendToAll: SendToAll;
  readonly observeLatency?: (seconds: number) => void;
  readonly log: Log;
}

/** Milliseconds within which several waves are sent in one turn. */
const TOGETHER = 2;
/** Milliseconds from one look for what other edges are to be sent to the next. */
const FLUSH = 10;
/** Waves have their turns at multiples of this part of a batch, which spreads any number of them evenly. */
const STAGGER = 0.381966;

interface Due {
  readonly stream: WatchedStream;
  /** Milliseconds of the monotonic clock. */
  at: number;
}

/** All live streams of a process and their viewers. One timer sends all batches; without viewers there is none. */
export class LiveViewing {
  readonly stats: LiveStats = liveStats();
  readonly #context: LiveContext;
  readonly #log: Log;
  readonly #streams = new Map<string, WatchedStream>();
  /** Waves that have viewers, and when their next turn is. */
  readonly #due = new Map<Wave, Due>();
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
    }
    for (const { name, file, id, level } of places) {
      const known = this.#streams.get(name);
      known?.move(file, level);
      if (known !== undefined) continue;
      try {
        this.#streams.set(name, new WatchedStream(name, id, file, this.#context, level));
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
    const wave = stream.add(viewer);
    if (!this.#due.has(wave)) {
      this.#due.set(wave, { stream, at: this.#after(performance.now(), this.#placed++ * STAGGER) });
      this.#arm();
    }
    stream.welcome(viewer);
    if (viewer.link !== undefined) this.#links ??= setInterval(this.#flush, FLUSH);
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

  /** The next time after another one that is a whole number and this part of batches. */
  #after(now: number, part: number): number {
    const { batch } = this.#context.limits;
    return (Math.floor(now / batch - part) + 1 + part) * batch;
  }

  #arm(): void {
    if (this.#due.size === 0) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#due.values()) next = Math.min(next, at);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#turn, Math.max(1, next - performance.now()));
  }

  readonly #turn = () => {
    const { batch } = this.#context.limits;
    for (const [wave, due] of this.#due) {
      const { stream } = due;
      const now = performance.now();
      if (due.at > now + TOGETHER) continue;
      try {
        stream.tick(now, wave);
      } catch (error) {
        this.#log.error({ stream: stream.name, error }, 'a live stream failed');
        stream.close('overrun');
      }
      if (stream.over && this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
      if (stream.over || wave.size === 0) this.#due.delete(wave);
      // Turns that were missed are left out: waves that were all late together would stay together.
      else due.at = Math.max(due.at + batch, this.#after(now, due.at / batch));
    }
    this.#arm();
  };
}
