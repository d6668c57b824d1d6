import type { DiskReader } from '../cache/disk/disk-reader.js';
import type { BlockLoader } from '../cache/fetch/block-loader.js';
import type { ObjectCatalog } from '../catalog/object-catalog.js';
import type { RouteCounts } from '../http/route-counts.js';
import type { HttpServer } from '../http/server.js';
import type { AccessLog } from '../observe/access-log.js';
import type { Metrics } from '../observe/metrics.js';
import type { Origins } from './origins/origins.js';

/** What of a worker has counters. */
export interface Counted {
  readonly server: HttpServer;
  readonly loader: BlockLoader;
  readonly catalog: ObjectCatalog;
  readonly origins: Origins;
  readonly disk: DiskReader | undefined;
  readonly accessLog: AccessLog | undefined;
}

/** What operators watch of a worker; the names are in observe/metric-table.ts. */
export function describeWorker(metrics: Metrics, { server, loader, catalog, origins, disk, accessLog }: Counted): void {
  const http = server.stats;
  const { stats } = loader;
  metrics.counter('moovedge_http_requests_total', () =>
    // This look counts all that has been answered so far.
    Object.entries(server.stats.requests).flatMap(([outcome, byStatus]) =>
      Object.entries(byStatus).map(([status, count]) => [{ status, outcome }, count] as const),
    ),
  );
  metrics.counter('moovedge_route_requests_total', () =>
    http.routes.flatMap(counts =>
      counts.requests.map((count, digit) => [{ ...labelsOf(counts), status: `${digit}xx` }, count] as const),
    ),
  );
  metrics.counter('moovedge_route_response_bytes_total', () =>
    http.routes.map(counts => [labelsOf(counts), counts.bytes] as const),
  );
  metrics.counter('moovedge_http_response_bytes_total', () => http.responseBytes);
  metrics.gauge('moovedge_http_open_responses', () => http.openResponses);
  metrics.gauge('moovedge_http_paced_responses', () => server.stats.pacedResponses);
  metrics.gauge('moovedge_http_open_connections', () => http.openConnections);
  metrics.counter('moovedge_block_lookups_total', () => [
    [{ tier: 'memory' }, stats.memoryLookups],
    [{ tier: 'disk' }, stats.diskLookups],
    [{ tier: 'origin' }, stats.originLookups],
  ]);
  metrics.counter('moovedge_origin_requests_total', () =>
    origins.all.flatMap(({ name, stats }) =>
      Object.entries(stats.requests).map(([status, count]) => [{ origin: name, status }, count] as const),
    ),
  );
  metrics.counter('moovedge_origin_response_bytes_total', () =>
    origins.all.map(({ name, stats }) => [{ origin: name }, stats.responseBytes] as const),
  );
  metrics.gauge('moovedge_origin_up', () =>
    origins.all.flatMap(({ name, stats }) =>
      stats.replicas.map(({ url, state, health }) => {
        const isUp = state !== 'open' && health?.state !== 'down';
        return [{ origin: name, server: url }, Number(isUp)] as const;
      }),
    ),
  );
  metrics.counter('moovedge_log_lines_dropped_total', () => accessLog?.dropped ?? 0);
  metrics.stats('catalog', catalog.stats);
  metrics.stats('supply', stats);
  if (disk !== undefined) metrics.stats('disk_reads', disk.stats);
}

function labelsOf({ host, path }: RouteCounts): { host: string; route: string } {
  return { host, route: path || 'none' };
}
