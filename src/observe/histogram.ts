/** A value of a histogram as it is told, with the names that Prometheus gives its parts. */
export interface HistogramValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * Counts observations by buckets of fixed bounds. An observation costs a look at a few bounds and two additions: the
 * sums over buckets are made when somebody reads them.
 */
export class FixedHistogram {
  readonly #bounds: Float64Array;
  /** Observations between one bound and the next; the last are above all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** @param count how many observations it stands for */
  observe(value: number, count = 1): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.#counts[bucket]! += count;
    this.#sum += value * count;
  }

  /** All buckets, each with those below it, the sum and the count. */
  values(name: string): HistogramValue[] {
    let count = 0;
    const values: HistogramValue[] = [...this.#counts].map((inBucket, i) => {
      count += inBucket;
      return { metricName: `${name}_bucket`, labels: { le: this.#bounds[i] ?? '+Inf' }, value: count };
    });
    const part = (end: string, value: number) => ({ metricName: `${name}_${end}`, labels: {}, value });
    return [...values, part('sum', this.#sum), part('count', count)];
  }
}
