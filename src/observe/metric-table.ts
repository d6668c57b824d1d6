/** What a metric is; operators have alerts on the names, so they don't change. */
export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram's buckets, in the metric's unit. */
  readonly buckets?: readonly number[];
  /**
   * How the values of several processes become one: `max` where all see the same thing (a shared file), `min` where one
   * that sees less is to be told of; `sum` when left out.
   */
  readonly merge?: 'sum' | 'max' | 'min';
}

const FIRST_BYTE = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const PLAN = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];
const BATCHES = [0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 1, 3];

/** Every metric that has a fixed name. */
export const METRICS = {
  moovedge_http_requests_total: {
    type: 'counter',
    labels: ['status', 'outcome'],
    help: 'Answers, by status and by the tier that the first block came from.',
  },
  moovedge_route_requests_total: {
    type: 'counter',
    labels: ['host', 'route', 'status'],
    help: 'Answers by the first route that fits (none: no route does) and the class of their status.',
  },
  moovedge_route_response_bytes_total: {
    type: 'counter',
    labels: ['host', 'route'],
    help: 'Bytes of bodies sent to players, by the first route that fits.',
  },
  moovedge_http_response_bytes_total: { type: 'counter', help: 'Bytes of bodies sent to players.' },
  moovedge_http_open_responses: { type: 'gauge', help: 'Answers under way.' },
  moovedge_http_paced_responses: { type: 'gauge', help: 'Answers that wait for their pace.' },
  moovedge_http_open_connections: { type: 'gauge', help: 'Connections of players.' },
  moovedge_http_ttfb_seconds: {
    type: 'histogram',
    buckets: FIRST_BYTE,
    help: 'Time from a request to the first byte of its answer.',
  },
  moovedge_quota_bytes: { type: 'gauge', labels: ['origin'], help: 'Most bytes of an origin that are cached.' },
  moovedge_quota_used_bytes: {
    type: 'gauge',
    labels: ['origin'],
    help: 'Bytes of an origin that were cached when they were counted last.',
  },
  moovedge_quota_dropped_bytes_total: {
    type: 'counter',
    labels: ['origin'],
    help: 'Bytes that left the cache since their origin was beyond its quota.',
  },
  moovedge_warm_urls_total: {
    type: 'counter',
    labels: ['result'],
    help: 'URLs of warm lists that were fetched (ok) or could not be (failed).',
  },
  moovedge_warm_last_run_timestamp_seconds: {
    type: 'gauge',
    labels: ['list'],
    help: 'When a warm list was fetched last.',
  },
  moovedge_block_lookups_total: {
    type: 'counter',
    labels: ['tier'],
    help: 'Blocks that players needed, by where they were found.',
  },
  moovedge_blocks_evicted_total: {
    type: 'counter',
    labels: ['to'],
    merge: 'max',
    help: 'Blocks that left the memory tier.',
  },
  moovedge_cache_bytes: { type: 'gauge', labels: ['tier'], merge: 'max', help: 'Bytes that a tier holds.' },
  moovedge_cache_capacity_bytes: { type: 'gauge', labels: ['tier'], merge: 'max', help: 'Bytes that a tier can hold.' },
  moovedge_checksum_failures_total: {
    type: 'counter',
    labels: ['tier'],
    merge: 'max',
    help: 'Blocks dropped because their checksum was wrong.',
  },
  moovedge_memory_blocks: {
    type: 'gauge',
    labels: ['state'],
    merge: 'max',
    help: 'Blocks of the memory tier: used, of which some are filling, and pinned at this moment.',
  },
  moovedge_memory_lookups_total: {
    type: 'counter',
    labels: ['result'],
    merge: 'max',
    help: 'Lookups in the memory tier since its file was made.',
  },
  moovedge_memory_oldest_block_seconds: {
    type: 'gauge',
    merge: 'max',
    help: 'Time since the last use of the block that has been unused for longest.',
  },
  moovedge_disk_blocks_total: {
    type: 'counter',
    labels: ['event'],
    merge: 'max',
    help: 'Blocks written to disk (those among them that would have left are renewed, too), taken out to make room, and dropped because the disk failed or was full.',
  },
  moovedge_block_residency_seconds: {
    type: 'gauge',
    labels: ['tier'],
    merge: 'max',
    help: 'Time for which a block stays at the pace at which blocks make room for others.',
  },
  moovedge_parted_block_wait_seconds: {
    type: 'gauge',
    merge: 'max',
    help: 'Time until the next use that is expected of blocks chosen to leave memory (cache.memory.policy: demand).',
  },
  moovedge_disk_min_uses: {
    type: 'gauge',
    merge: 'max',
    help: 'Uses that a block must expect while it is on disk to be written (cache.disk.admit: demand).',
  },
  moovedge_disk_budget_bytes: {
    type: 'gauge',
    merge: 'max',
    help: 'Bytes that may be written to the disk tier at once (cache.disk.writeBudget).',
  },
  moovedge_disk_failed_commits_total: { type: 'counter', merge: 'max', help: 'Commits of the disk tier that failed.' },
  moovedge_disk_read_seconds: {
    type: 'histogram',
    buckets: FIRST_BYTE,
    help: 'Time to bring a block that had to be waited for from disk, and to verify it.',
  },
  moovedge_origin_requests_total: {
    type: 'counter',
    labels: ['origin', 'status'],
    help: 'Requests to origins, by status or failure.',
  },
  moovedge_origin_response_bytes_total: {
    type: 'counter',
    labels: ['origin'],
    help: 'Bytes of bodies that came from origins.',
  },
  moovedge_origin_up: {
    type: 'gauge',
    labels: ['origin', 'server'],
    merge: 'min',
    help: '1 while a server of an origin is asked: it is not given a rest, nor found down by a check.',
  },
  moovedge_origin_ttfb_seconds: {
    type: 'histogram',
    buckets: FIRST_BYTE,
    help: 'Time from a request to an origin to the head of its answer.',
  },
  moovedge_seek_plan_seconds: { type: 'histogram', buckets: PLAN, help: 'Time to plan the answer to a seek.' },
  moovedge_worker_restarts_total: { type: 'counter', help: 'Workers replaced because they died.' },
  moovedge_workers: { type: 'gauge', labels: ['state'], help: 'Worker processes.' },
  moovedge_peer_requests_total: {
    type: 'counter',
    labels: ['peer', 'outcome'],
    help: 'Requests to other edges of the cluster: answered, refused (there is no peer that can be worked with), failed.',
  },
  moovedge_peer_response_bytes_total: {
    type: 'counter',
    labels: ['peer', 'direction'],
    help: 'Bytes of bodies that other edges have sent to this one, and this one to them.',
  },
  moovedge_peer_refused_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Requests to the port for peers that were refused.',
  },
  moovedge_cluster_warmup_requests_total: {
    type: 'counter',
    help: 'Requests that went to a replica to keep it warm.',
  },
  moovedge_cluster_overflow_total: {
    type: 'counter',
    help: 'Requests that went to another node because the owner of the film had too much.',
  },
  moovedge_cluster_nodes: { type: 'gauge', labels: ['state'], help: 'Nodes of the cluster, as this edge sees them.' },
  moovedge_cluster_partitions: {
    type: 'gauge',
    labels: ['role'],
    help: 'Partitions that this edge owns, and those that it is a replica of.',
  },
  moovedge_cluster_map_epoch: { type: 'gauge', help: 'Revision of the map in force; 0 for an edge that has none.' },
  moovedge_cluster_etcd_reachable: { type: 'gauge', help: '1 while etcd answers this edge.' },
  moovedge_live_streams: { type: 'gauge', help: 'Live streams that are published.' },
  moovedge_live_publishers_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Publishers that were let in (accepted), and connections that have ended, by why.',
  },
  moovedge_live_ingest_bytes_total: { type: 'counter', help: 'Bytes that publishers have sent.' },
  moovedge_live_pulled_streams: {
    type: 'gauge',
    labels: ['level'],
    help: 'Live streams that come from another server, by the number of links from where they are published.',
  },
  moovedge_live_links: { type: 'gauge', help: 'Links by which other edges of the cluster get live streams from here.' },
  moovedge_live_link_requests_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Live streams that other edges of the cluster have asked for, by what came of it.',
  },
  moovedge_live_viewers: { type: 'gauge', labels: ['protocol'], help: 'Viewers of live streams.' },
  moovedge_live_dropped_frames_total: {
    type: 'counter',
    help: 'Tags that viewers of live streams did not get because they were too slow.',
  },
  moovedge_live_latency_seconds: {
    type: 'histogram',
    buckets: BATCHES,
    help: 'Time from a tag of a live stream to its hand-over to sockets.',
  },
  moovedge_live_disconnects_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Viewers of live streams that the edge has parted with.',
  },
  moovedge_jobs: { type: 'gauge', labels: ['state'], help: 'Films that are queued, being made, made and failed.' },
  moovedge_uploads_total: { type: 'counter', labels: ['event'], help: 'Uploads begun, whole and taken back.' },
  moovedge_upload_bytes_total: { type: 'counter', help: 'Bytes of uploads that have been stored.' },
  moovedge_films_total: { type: 'counter', labels: ['result'], help: 'Films that this worker was done with, by how.' },
  moovedge_films_running: { type: 'gauge', help: 'Films that this worker is making.' },
  moovedge_transcode_well: { type: 'gauge', help: '0 while ffmpeg fails at everything on this machine.' },
  moovedge_log_lines_dropped_total: {
    type: 'counter',
    help: 'Lines of the access log lost because its target failed or was slow.',
  },
  moovedge_config_last_reload_successful: {
    type: 'gauge',
    help: '1 when the last reload, or the start, took its configuration.',
  },
  moovedge_config_last_reload_success_timestamp_seconds: {
    type: 'gauge',
    help: 'Time at which a configuration was taken last, in seconds since 1970.',
  },
  moovedge_certificate_expiry_timestamp_seconds: {
    type: 'gauge',
    labels: ['file'],
    help: 'Time at which a certificate ends, in seconds since 1970.',
  },
  moovedge_build_info: { type: 'gauge', labels: ['version', 'node'], merge: 'max', help: 'Always 1.' },
} as const satisfies Record<string, MetricDefinition>;

/** Names of the table. */
export type MetricName = keyof typeof METRICS;
/** Names of the table that are of one type. */
export type MetricOfType<T extends MetricDefinition['type']> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];
