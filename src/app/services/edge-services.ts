import type { ClusterAdmin } from '../../admin/cluster-routes.js';
import type { SnapshotResult } from '../../admin/control-routes.js';
import type { Explanation } from '../../admin/explanation.js';
import type { CachedObjects, ListRequest } from '../../admin/object-list.js';
import type { EdgeUrl, PurgeRequest, PurgeResult } from '../../admin/purge-request.js';
import { Purger } from '../../catalog/purge.js';
import type { Config } from '../../config/schema.js';
import type { History } from '../../observe/history.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import { AccessLogService } from './access-log-service.js';
import { CatalogService } from './catalog-service.js';
import { CertificatesService } from './certificates-service.js';
import { DiskService } from './disk-service.js';
import type { EdgeEvents } from './edge-events.js';
import { ErrorsService } from './errors-service.js';
import { ExplainService } from './explain-service.js';
import { HistoryService } from './history-service.js';
import { ListService } from './list-service.js';
import { LiveService } from './live-service.js';
import { MemoryService } from './memory-service.js';
import { OWN_KEY } from './player-address.js';
import { PurgeService } from './purge-service.js';
import { QuotaService } from './quota-service.js';
import { refuseChange } from './refuse-change.js';
import { describeTiers } from './tier-metrics.js';
import { UnixSocketsService } from './unix-sockets-service.js';
import { WarmService } from './warm-service.js';

/** What surrounds the workers of an edge. */
export interface EdgeServices {
  /** In the order in which they start. */
  readonly all: readonly Service<Config>[];
  readonly history: History;
  /** Undefined for an edge on its own. */
  readonly cluster: ClusterAdmin | undefined;
  /** @throws EdgeError */
  purge(request: PurgeRequest): Promise<PurgeResult>;
  /** @throws EdgeError `bad_request` */
  explain(url: EdgeUrl): Explanation;
  list(request: ListRequest): Promise<CachedObjects>;
  /** Copies the memory tier. @throws EdgeError (rejects with) `bad_request`, `system` */
  snapshot(): Promise<SnapshotResult>;
}

/** Makes the services of an edge. */
export async function edgeServices(context: ServiceContext<Config, EdgeEvents>): Promise<EdgeServices> {
  // First, since a second edge on the same files is refused here, before the catalog is touched.
  const memory = await MemoryService.open(context);
  context.tell('ownKey', OWN_KEY);
  const unixSockets = await UnixSocketsService.open(context);
  const catalog = await CatalogService.open(context, memory.tier.secret);
  const disk = new DiskService(context, memory);
  const purges = new PurgeService(context.config, new Purger(catalog.store, memory.tier), context.log);
  const explanations = new ExplainService(context.config, catalog.store, memory.tier, context.log);
  describeTiers(context.metrics, memory, disk);
  // An edge on its own loads nothing of it.
  const cluster =
    context.config.cluster &&
    new (await import('./cluster-service.js')).ClusterService(context, memory.tier.secret, purges);
  const accessLog = new AccessLogService(context);
  const lists = new ListService(context.config, catalog.store, memory.tier, context.log);
  const history = new HistoryService();
  const seen = [lists, history, accessLog, new ErrorsService(context), new CertificatesService(context)];
  const live = new LiveService(context, memory.tier.secret, cluster);
  const warm = new WarmService(context);
  const quotas = new QuotaService(context, catalog.store, memory.tier, disk);
  const all = [
    memory,
    unixSockets,
    catalog,
    disk,
    purges,
    explanations,
    ...seen,
    cluster ?? noCluster,
    live,
    warm,
    quotas,
  ];
  return {
    all,
    history: history.past,
    cluster,
    purge: request => (cluster ?? purges).purge(request),
    explain: url => explanations.explain(url),
    list: request => lists.list(request),
    snapshot: () => memory.save(),
  };
}

/** In the place of a cluster: an edge on its own joins one by a start. */
const noCluster: Service<Config> = {
  name: 'cluster',
  accepts({ cluster }) {
    if (cluster !== undefined) refuseChange('cluster');
  },
  stop() {},
};
