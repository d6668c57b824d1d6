import { type MetricsSnapshot, mergeSnapshots } from './metrics.js';

/**
 * The metrics of processes that come and go, as one. Counters of a process that has ended stay in the sum, so that no
 * counter ever goes back; its gauges go with it.
 */
export class MergedMetrics {
  readonly #current = new Map<string, MetricsSnapshot>();
  #ended: MetricsSnapshot = [];
  /** Merges are made one after the other, so that none starts from a sum that another is about to replace. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Replaces what is known of a process. */
  update(source: string, snapshot: MetricsSnapshot): void {
    this.#current.set(source, snapshot);
  }

  /** Keeps the counters of a process as they were last known, and forgets the rest of it. */
  end(source: string): Promise<void> {
    return this.#next(async () => {
      const last = this.#current.get(source);
      if (last === undefined) return;
      const { snapshot } = await mergeSnapshots([this.#ended, last.filter(({ type }) => isCounting(type))]);
      this.#ended = snapshot;
      this.#current.delete(source);
    });
  }

  /**
   * Everything added up.
   * @param own metrics of the asking process
   */
  merge(own: MetricsSnapshot): Promise<{ text: string; snapshot: MetricsSnapshot }> {
    return this.#next(() => mergeSnapshots([own, this.#ended, ...this.#current.values()]));
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** prom-client's types name types by number, its snapshots by word. */
function isCounting(type: unknown): boolean {
  return type === 'counter' || type === 'histogram';
}
