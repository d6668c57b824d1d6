import type { MetricName } from './metric-table.js';
import type { MetricsSnapshot } from './metrics.js';
import { bucketsOf, bucketsSince, type HistogramBucket, quantile } from './quantile.js';

/** Windows by name, in milliseconds. */
const WINDOWS = { '1m': 60_000, '5m': 300_000, '1h': 3_600_000 } as const;
const LONGEST = WINDOWS['1h'];

const HISTOGRAMS = {
  ttfb: 'moovedge_http_ttfb_seconds',
  originTtfb: 'moovedge_origin_ttfb_seconds',
  seekPlan: 'moovedge_seek_plan_seconds',
} as const satisfies Record<string, MetricName>;

/** Seconds below which a share of what happened in a window lies; undefined where nothing has. */
export interface Quantiles {
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p99: number | undefined;
}

/** The edge in a span of time that has just gone by. */
export interface WindowFigures extends Readonly<Record<keyof typeof HISTOGRAMS, Quantiles>> {
  /** How long it was: shorter than its name says when the edge has just started. */
  readonly seconds: number;
  readonly requests: number;
  /** Answers of status 5xx. */
  readonly errors: number;
  readonly bytes: number;
  /** Share of the blocks that players needed that did not come from an origin; undefined where none was. */
  readonly hitRatio: number | undefined;
}

/** Counters at a moment. */
interface Sample {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly requests: number;
  readonly errors: number;
  readonly bytes: number;
  readonly lookups: number;
  readonly fetched: number;
  readonly histograms: Readonly<Record<keyof typeof HISTOGRAMS, readonly HistogramBucket[]>>;
}

/** What the edge did in the last minutes and the last hour, from samples of counters that never go back. */
export class Windows {
  readonly #samples: Sample[] = [];

  /** @param time milliseconds since 1970 */
  add(snapshot: MetricsSnapshot, time: number): void {
    this.#samples.push(sampleOf(snapshot, time));
    // One that is older than the longest window is its beginning.
    while (this.#samples.length > 2 && this.#samples[1]!.time <= time - LONGEST) this.#samples.shift();
  }

  /** Figures by name of the window; none before the second sample. */
  read(): Partial<Record<keyof typeof WINDOWS, WindowFigures>> {
    const last = this.#samples.at(-1);
    if (last === undefined || this.#samples.length < 2) return {};
    return Object.fromEntries(
      Object.entries(WINDOWS).map(([name, length]) => [name, between(this.#at(last.time - length), last)]),
    );
  }

  /** The last sample up to a time, or the first of all. */
  #at(time: number): Sample {
    return this.#samples.findLast(sample => sample.time <= time) ?? this.#samples[0]!;
  }
}

function sampleOf(snapshot: MetricsSnapshot, time: number): Sample {
  const values = (name: MetricName) => snapshot.find(metric => metric.name === name)?.values ?? [];
  const sum = (name: MetricName, fits: (labels: Labels) => boolean = () => true) =>
    values(name).reduce((total, { labels, value }) => total + (fits(labels as Labels) ? value : 0), 0);
  return {
    time,
    requests: sum('moovedge_http_requests_total'),
    errors: sum('moovedge_http_requests_total', ({ status }) => String(status).startsWith('5')),
    bytes: sum('moovedge_http_response_bytes_total'),
    lookups: sum('moovedge_block_lookups_total'),
    fetched: sum('moovedge_block_lookups_total', ({ tier }) => tier === 'origin'),
    histograms: {
      ttfb: bucketsOf(values(HISTOGRAMS.ttfb)),
      originTtfb: bucketsOf(values(HISTOGRAMS.originTtfb)),
      seekPlan: bucketsOf(values(HISTOGRAMS.seekPlan)),
    },
  };
}

type Labels = Readonly<Record<string, string | number | undefined>>;

function between(first: Sample, last: Sample): WindowFigures {
  const lookups = last.lookups - first.lookups;
  const quantiles = (name: keyof typeof HISTOGRAMS): Quantiles => {
    const buckets = bucketsSince(first.histograms[name], last.histograms[name]);
    return { p50: quantile(buckets, 0.5), p90: quantile(buckets, 0.9), p99: quantile(buckets, 0.99) };
  };
  return {
    seconds: (last.time - first.time) / 1000,
    requests: last.requests - first.requests,
    errors: last.errors - first.errors,
    bytes: last.bytes - first.bytes,
    hitRatio: lookups === 0 ? undefined : 1 - (last.fetched - first.fetched) / lookups,
    ttfb: quantiles('ttfb'),
    originTtfb: quantiles('originTtfb'),
    seekPlan: quantiles('seekPlan'),
  };
}
