import type { MetricsSnapshot } from './metrics.js';

/** A bucket of a histogram: how many observations were at most so large. */
export interface HistogramBucket {
  readonly bound: number;
  readonly count: number;
}

/** The buckets of a histogram without labels, in order. */
export function bucketsOf(values: MetricsSnapshot[number]['values']): HistogramBucket[] {
  const buckets: HistogramBucket[] = [];
  for (const { labels, value } of values) {
    const { le } = labels as Readonly<Record<string, string | number | undefined>>;
    if (le !== undefined) buckets.push({ bound: Number(String(le).replace('+Inf', 'Infinity')), count: value });
  }
  return buckets.sort((a, b) => a.bound - b.bound);
}

/** What was observed between two looks at a histogram. @param before none where that was not looked at yet */
export function bucketsSince(
  before: readonly HistogramBucket[],
  after: readonly HistogramBucket[],
): readonly HistogramBucket[] {
  return after.map(({ bound, count }, i) => ({ bound, count: count - (before[i]?.count ?? 0) }));
}

/**
 * The value below which a share of a histogram's observations lie, by interpolation within its bucket, as Prometheus
 * does; undefined where there are none.
 */
export function quantile(buckets: readonly HistogramBucket[], share: number): number | undefined {
  const rank = share * (buckets.at(-1)?.count ?? 0);
  if (rank === 0) return undefined;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const { bound, count } = buckets[index]!;
  const below = buckets[index - 1] ?? { bound: 0, count: 0 };
  if (bound === Number.POSITIVE_INFINITY) return below.bound;
  return below.bound + ((bound - below.bound) * (rank - below.count)) / (count - below.count);
}
