import type { Metrics } from '../../observe/metrics.js';
import type { IngestStats } from './ingest.js';

/** What ingest processes, one after the other, have counted. */
export class LiveTotals {
  #now: IngestStats | undefined;
  readonly #outcomes = new Map<string, number>();
  #bytes = 0;

  get streams(): IngestStats['streams'] {
    return this.#now?.streams ?? [];
  }

  describe(metrics: Metrics): void {
    metrics.gauge('moovedge_live_streams', () => this.streams.filter(({ state }) => state === 'publishing').length);
    metrics.counter('moovedge_live_publishers_total', () =>
      [...this.#counted()].map(([outcome, count]) => [{ outcome }, count]),
    );
    metrics.counter('moovedge_live_ingest_bytes_total', () => this.#bytes + (this.#now?.server.receivedBytes ?? 0));
  }

  update(stats: IngestStats): void {
    this.#now = stats;
  }

  /** The next process counts from 0. */
  restart(): void {
    for (const [outcome, count] of this.#counted()) this.#outcomes.set(outcome, count);
    this.#bytes += this.#now?.server.receivedBytes ?? 0;
    this.#now = undefined;
  }

  #counted(): Map<string, number> {
    const counted = new Map(this.#outcomes);
    for (const [outcome, count] of Object.entries(this.#now?.server.outcomes ?? {})) {
      counted.set(outcome, (counted.get(outcome) ?? 0) + count);
    }
    return counted;
  }
}
