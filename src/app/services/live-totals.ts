import type { Audience } from '../../live/delivery/live-stats.js';
import type { Metrics } from '../../observe/metrics.js';
import type { Audiences } from './edge-events.js';
import type { IngestStats } from './ingest.js';

/** Milliseconds after which what a worker has told of viewers does not count any more: it says so every second. */
const AUDIENCE_AGE = 5000;
/** Links between a publisher's edge and one that pulls. */
const LINKS = [1, 2];

/** A stream, and all who watch it as FLV. */
type WatchedStreamStats = (IngestStats['streams'][number] | IngestStats['pulled'][number]) & Audience;

/** What ingest processes, one after the other, have counted, and what workers tell of viewers. */
export class LiveTotals {
  #now: IngestStats | undefined;
  readonly #audiences = new Map<number, { readonly at: number; readonly audiences: Audiences }>();
  readonly #outcomes = new Map<string, number>();
  #bytes = 0;

  get streams(): readonly WatchedStreamStats[] {
    for (const [process, { at }] of this.#audiences) {
      if (performance.now() - at > AUDIENCE_AGE) this.#audiences.delete(process);
    }
    const { streams = [], pulled = [] } = this.#now ?? {};
    return [...streams, ...pulled].map(stream => ({ ...stream, ...this.#audienceOf(stream.name) }));
  }

  /** A worker tells who watches in it. */
  watched(process: number, audiences: Audiences): void {
    this.#audiences.set(process, { at: performance.now(), audiences });
  }

  describe(metrics: Metrics): void {
    metrics.gauge('moovedge_live_streams', () => this.streams.filter(({ state }) => state === 'publishing').length);
    metrics.gauge('moovedge_live_pulled_streams', () =>
      LINKS.map(level => {
        const pulled = this.#now?.pulled.filter(stream => stream.level === level) ?? [];
        return [{ level: String(level) }, pulled.length] as const;
      }),
    );
    metrics.counter('moovedge_live_publishers_total', () =>
      [...this.#counted()].map(([outcome, count]) => [{ outcome }, count]),
    );
    metrics.counter('moovedge_live_ingest_bytes_total', () => this.#bytes + (this.#now?.server?.receivedBytes ?? 0));
  }

  update(stats: IngestStats): void {
    this.#now = stats;
  }

  /** The next process counts from 0. */
  restart(): void {
    for (const [outcome, count] of this.#counted()) this.#outcomes.set(outcome, count);
    this.#bytes += this.#now?.server?.receivedBytes ?? 0;
    this.#now = undefined;
  }

  #counted(): Map<string, number> {
    const counted = new Map(this.#outcomes);
    for (const [outcome, count] of Object.entries(this.#now?.server?.outcomes ?? {})) {
      counted.set(outcome, (counted.get(outcome) ?? 0) + count);
    }
    return counted;
  }

  #audienceOf(name: string): Audience {
    const sum = { viewers: { http: 0, websocket: 0 }, dropped: 0, peers: [] as string[] };
    for (const { audiences } of this.#audiences.values()) {
      const audience = Object.hasOwn(audiences, name) ? audiences[name] : undefined;
      if (audience === undefined) continue;
      sum.viewers.http += audience.viewers.http;
      sum.viewers.websocket += audience.viewers.websocket;
      sum.dropped += audience.dropped;
      sum.peers.push(...audience.peers);
    }
    return sum;
  }
}
