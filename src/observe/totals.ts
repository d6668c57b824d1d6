import type { MetricName } from './metric-table.js';
import type { MetricsSnapshot } from './metrics.js';
import { bucketsOf, quantile } from './quantile.js';

/** The edge in a few numbers, since its start, for the dashboard, `top` and `/stats`. Counters never go back. */
export interface Totals {
  readonly requests: number;
  /** Answers by the first digit of their status, `2xx` and so on. */
  readonly requestsByClass: Readonly<Record<string, number>>;
  readonly responseBytes: number;
  readonly openResponses: number;
  readonly openConnections: number;
  /** Seconds; undefined before the first answer. */
  readonly ttfb: { readonly p50: number | undefined; readonly p99: number | undefined };
  /** Blocks that players needed, by tier (`memory`, `disk`, `origin`). */
  readonly lookups: Readonly<Record<string, number>>;
  /** Share of those blocks that did not come from an origin, from 0 to 1; undefined before the first. */
  readonly hitRatio: number | undefined;
  /** Bytes held and bytes that can be held, by tier. */
  readonly cache: Readonly<Record<string, { readonly bytes: number; readonly capacity: number }>>;
  readonly evicted: Readonly<Record<string, number>>;
  readonly checksumFailures: Readonly<Record<string, number>>;
  readonly origins: Readonly<Record<string, OriginTotals>>;
  readonly originTtfb: { readonly p50: number | undefined; readonly p99: number | undefined };
  readonly seekPlan: { readonly p50: number | undefined; readonly p99: number | undefined };
  /** Places of the configuration that differ from others, in its order as far as something was asked for there. */
  readonly routes: readonly RouteTotals[];
  readonly workerRestarts: number;
}

/** A route in a few numbers. */
export interface RouteTotals {
  /** `*` for any. */
  readonly host: string;
  /** Beginning of paths; `none` for what no route fits. */
  readonly route: string;
  readonly requests: number;
  /** Answers of status 4xx and 5xx. */
  readonly refused: number;
  readonly failed: number;
  readonly bytes: number;
}

/** An origin in a few numbers. */
export interface OriginTotals {
  readonly requests: number;
  readonly failures: number;
  readonly bytes: number;
  /** Its servers by URL, and whether requests go to them; none for a directory. */
  readonly servers: Readonly<Record<string, boolean>>;
}

/** Reads the few numbers out of merged metrics. */
export function totalsOf(snapshot: MetricsSnapshot): Totals {
  const values = (name: MetricName) => snapshot.find(metric => metric.name === name)?.values ?? [];
  const sum = (name: MetricName) => values(name).reduce((total, { value }) => total + value, 0);
  const by = (name: MetricName, group: (labels: Labels) => string) => {
    const groups: Record<string, number> = {};
    for (const { labels, value } of values(name)) {
      const key = group(labels as Labels);
      groups[key] = (groups[key] ?? 0) + value;
    }
    return groups;
  };
  const quantiles = (name: MetricName) => {
    const buckets = bucketsOf(values(name));
    return { p50: quantile(buckets, 0.5), p99: quantile(buckets, 0.99) };
  };

  const lookups = by('moovedge_block_lookups_total', ({ tier }) => String(tier));
  const looked = Object.values(lookups).reduce((a, b) => a + b, 0);
  const bytes = by('moovedge_cache_bytes', ({ tier }) => String(tier));
  const capacity = by('moovedge_cache_capacity_bytes', ({ tier }) => String(tier));
  const asked = by('moovedge_origin_requests_total', ({ origin }) => String(origin));
  const failed = by('moovedge_origin_requests_total', ({ origin, status }) =>
    /^[1-4]\d\d$/.test(String(status)) ? '' : String(origin),
  );
  const received = by('moovedge_origin_response_bytes_total', ({ origin }) => String(origin));
  return {
    requests: sum('moovedge_http_requests_total'),
    requestsByClass: by('moovedge_http_requests_total', ({ status }) => `${String(status)[0]}xx`),
    responseBytes: sum('moovedge_http_response_bytes_total'),
    openResponses: sum('moovedge_http_open_responses'),
    openConnections: sum('moovedge_http_open_connections'),
    ttfb: quantiles('moovedge_http_ttfb_seconds'),
    lookups,
    hitRatio: looked === 0 ? undefined : 1 - (lookups.origin ?? 0) / looked,
    cache: Object.fromEntries(
      Object.keys(capacity).map(tier => [tier, { bytes: bytes[tier] ?? 0, capacity: capacity[tier] ?? 0 }]),
    ),
    evicted: by('moovedge_blocks_evicted_total', ({ to }) => String(to)),
    checksumFailures: by('moovedge_checksum_failures_total', ({ tier }) => String(tier)),
    origins: Object.fromEntries(
      Object.keys({ ...received, ...asked }).map(name => [
        name,
        {
          requests: asked[name] ?? 0,
          failures: failed[name] ?? 0,
          bytes: received[name] ?? 0,
          servers: serversOf(values('moovedge_origin_up'), name),
        },
      ]),
    ),
    originTtfb: quantiles('moovedge_origin_ttfb_seconds'),
    seekPlan: quantiles('moovedge_seek_plan_seconds'),
    routes: routesOf(values('moovedge_route_requests_total'), values('moovedge_route_response_bytes_total')),
    workerRestarts: sum('moovedge_worker_restarts_total'),
  };
}

type MetricValues = MetricsSnapshot[number]['values'];

function routesOf(requests: MetricValues, sent: MetricValues): RouteTotals[] {
  return sent.map(({ labels, value: bytes }) => {
    const { host = '', route = '' } = labels as Labels;
    const own = requests.filter(each => each.labels.host === host && each.labels.route === route);
    const count = (status?: string) =>
      own.reduce((sum, each) => sum + (status === undefined || each.labels.status === status ? each.value : 0), 0);
    const place = { host: String(host), route: String(route) };
    return { ...place, requests: count(), refused: count('4xx'), failed: count('5xx'), bytes };
  });
}

function serversOf(values: MetricValues, origin: string): Record<string, boolean> {
  const own = values.filter(({ labels }) => (labels as Labels).origin === origin);
  return Object.fromEntries(own.map(({ labels, value }) => [String((labels as Labels).server), value === 1]));
}

type Labels = Readonly<Record<string, string | number | undefined>>;
