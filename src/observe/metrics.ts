import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  type Metric,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import { FixedHistogram } from './histogram.js';
import { METRICS, type MetricDefinition, type MetricName, type MetricOfType } from './metric-table.js';

/** Most label sets of one metric; what comes after is counted under the label value `other`. */
const SERIES_MAX = 400;

/** Gauges of prom-client with names of counters: deprecated, or the sum of `nodejs_active_resources`. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** A value, or a value for each label set. */
export type MetricReading =
  | number
  | Iterable<readonly [labels: Readonly<Record<string, string | number>>, value: number]>;

/** The metrics of one process as plain data that survives IPC. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/**
 * Metrics of one process. Modules count into plain fields; these are read when somebody scrapes, so counting costs an
 * addition.
 */
export class Metrics {
  readonly #registry = new Registry();

  /** @param options `process`: whether CPU, memory, event-loop lag and garbage collection are told too */
  constructor({ process = false }: { process?: boolean } = {}) {
    if (!process) return;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** A counter that is read when scraped; the values read must never go back. */
  counter(name: MetricOfType<'counter'>, read: () => MetricReading): void {
    this.#define(name, METRICS[name], read);
  }

  /** A gauge that is read when scraped. */
  gauge(name: MetricOfType<'gauge'>, read: () => MetricReading): void {
    this.#define(name, METRICS[name], read);
  }

  /** A histogram. @returns the function that takes an observation in the metric's unit (seconds), or so many */
  histogram(name: MetricOfType<'histogram'>): (value: number, count?: number) => void {
    const { help, buckets } = METRICS[name];
    const histogram = new FixedHistogram(buckets);
    const get = async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: histogram.values(name) });
    // What the registry wants of a metric when it is read.
    this.#registry.registerMetric({ name, get } as unknown as Metric);
    return (value, count) => histogram.observe(value, count);
  }

  /**
   * Tells the numeric fields of a module's counters: `readAheads` of `stats('fill', counters)` becomes
   * `moovedge_fill_read_aheads_total`.
   * @param part name of the module in metric names
   * @param counters read at each scrape; fields that are no numbers are left out
   * @param options `gauges`: fields that go up and down, which get no `_total`; `merge`: `max` for what all processes
   *   see alike
   */
  stats<S extends object>(
    part: string,
    counters: S,
    { gauges = [], merge = 'sum' }: { gauges?: readonly (keyof S & string)[]; merge?: 'sum' | 'max' } = {},
  ): void {
    for (const [field, value] of Object.entries(counters)) {
      if (typeof value !== 'number') continue;
      const isGauge = (gauges as readonly string[]).includes(field);
      const name = `moovedge_${part}_${toSnakeCase(field)}${isGauge ? '' : '_total'}`;
      const help = `${toSnakeCase(field).replaceAll('_', ' ')} of the ${part} stage.`;
      this.#define(
        name,
        { type: isGauge ? 'gauge' : 'counter', help, merge },
        () => (counters as Record<string, number>)[field] ?? 0,
      );
    }
  }

  /** All metrics as they stand. */
  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON();
  }

  #define(name: MetricName | string, definition: MetricDefinition, read: () => MetricReading): void {
    const { type, help, labels = [], merge = 'sum' } = definition;
    const shared = { name, help, labelNames: [...labels], aggregator: merge, registers: [this.#registry] };
    const collect = function (this: Counter | Gauge) {
      fill(this, labels, read());
    };
    if (type === 'gauge') new Gauge({ ...shared, collect });
    else new Counter({ ...shared, collect });
  }
}

function fill(metric: Counter | Gauge, labels: readonly string[], reading: MetricReading): void {
  metric.reset();
  if (typeof reading === 'number') {
    metric.inc(reading);
    return;
  }
  let series = 0;
  for (const [values, value] of reading) {
    const fits = ++series <= SERIES_MAX;
    metric.inc(fits ? values : Object.fromEntries(labels.map(label => [label, 'other'])), value);
  }
}

/** Adds the metrics of several processes up. */
export async function mergeSnapshots(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ text: string; snapshot: MetricsSnapshot }> {
  const registry = AggregatorRegistry.aggregate([...snapshots]);
  return { text: await registry.metrics(), snapshot: await registry.getMetricsAsJSON() };
}

/** Media type of `text` of `mergeSnapshots`. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}
