import type { MetricsSnapshot } from './metrics.js';
import { bucketsOf, bucketsSince, type HistogramBucket, quantile } from './quantile.js';
import { type Totals, totalsOf } from './totals.js';

/** How far back it goes, with milliseconds between points. */
const SPANS = {
  '1h': { length: 3_600_000, step: 5000 },
  '24h': { length: 86_400_000, step: 60_000 },
} as const;

/** How far back a question for the past may go. */
export type HistorySpan = keyof typeof SPANS;

/**
 * What the edge has done, a column for each figure: rates are by the second, between a point and the one before.
 * Times are in seconds since 1970, other times in seconds, ratios from 0 to 1; null is nothing to tell.
 */
export type HistoryColumns = Readonly<Record<'time' | keyof Figures, readonly (number | null)[]>>;

/** The edge at a moment. */
interface Sample {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly totals: Totals;
  readonly ttfb: readonly HistogramBucket[];
}

/** Figures of a point, in the order of the columns. */
type Figures = ReturnType<typeof figuresOf>;

/** The past of an edge, in points that become coarser with age; bounded memory. */
export class History {
  readonly #rows = new Map(Object.entries(SPANS).map(([name, span]) => [name, new Rows(span)]));

  /** @param time milliseconds since 1970 */
  add(snapshot: MetricsSnapshot, time: number): void {
    const ttfb = bucketsOf(snapshot.find(({ name }) => name === 'moovedge_http_ttfb_seconds')?.values ?? []);
    const sample = { time, totals: totalsOf(snapshot), ttfb };
    for (const rows of this.#rows.values()) rows.add(sample);
  }

  read(span: HistorySpan): HistoryColumns {
    return this.#rows.get(span)!.columns();
  }
}

/** Whether a text names a span. */
export function isHistorySpan(text: string): text is HistorySpan {
  return Object.hasOwn(SPANS, text);
}

/** Points of one span. */
class Rows {
  readonly #span: (typeof SPANS)[HistorySpan];
  readonly #rows: { readonly time: number; readonly figures: Figures }[] = [];
  #last: Sample | undefined;

  constructor(span: (typeof SPANS)[HistorySpan]) {
    this.#span = span;
  }

  add(sample: Sample): void {
    const last = this.#last;
    const { length, step } = this.#span;
    // Samples come when they come: half a second early is in time.
    if (last !== undefined && sample.time - last.time < step - 500) return;
    this.#last = sample;
    if (last === undefined) return;
    this.#rows.push({ time: sample.time, figures: figuresOf(last, sample) });
    const first = this.#rows.findIndex(({ time }) => time > sample.time - length);
    if (first > 0) this.#rows.splice(0, first);
  }

  columns(): HistoryColumns {
    const names = Object.keys(this.#rows[0]?.figures ?? figuresOf(NOTHING, NOTHING)) as (keyof Figures)[];
    const column = (name: keyof Figures) => this.#rows.map(({ figures }) => figures[name] ?? null);
    return Object.fromEntries([
      ['time', this.#rows.map(({ time }) => Math.round(time / 1000))],
      ...names.map(name => [name, column(name)]),
    ]) as HistoryColumns;
  }
}

const NOTHING: Sample = { time: 0, totals: totalsOf([]), ttfb: [] };

function figuresOf(before: Sample, after: Sample) {
  const seconds = Math.max(0.001, (after.time - before.time) / 1000);
  const grown = (read: (totals: Totals) => number) => Math.max(0, read(after.totals) - read(before.totals));
  const looked = (tier: string) => grown(({ lookups }) => lookups[tier] ?? 0);
  const all = looked('memory') + looked('disk') + looked('origin');
  const ratio = (found: number) => (all === 0 ? undefined : found / all);
  const buckets = bucketsSince(before.ttfb, after.ttfb);
  return {
    requests: grown(each => each.requests) / seconds,
    errors: grown(({ requestsByClass }) => requestsByClass['5xx'] ?? 0) / seconds,
    sent: grown(each => each.responseBytes) / seconds,
    fetched: grown(({ origins }) => Object.values(origins).reduce((sum, { bytes }) => sum + bytes, 0)) / seconds,
    memoryRatio: ratio(looked('memory')),
    diskRatio: ratio(looked('disk')),
    hitRatio: ratio(looked('memory') + looked('disk')),
    ttfbP50: quantile(buckets, 0.5),
    ttfbP99: quantile(buckets, 0.99),
    memoryBytes: after.totals.cache.memory?.bytes,
    diskBytes: after.totals.cache.disk?.bytes,
    open: after.totals.openResponses,
  };
}
