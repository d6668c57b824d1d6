import { native } from '../base/native.js';
import type { Config } from '../config/schema.js';
import type { LivePort } from '../http/live-port.js';
import { LiveViewing } from '../live/delivery/live-viewing.js';
import { WantedStreams } from '../live/delivery/wanted-streams.js';
import { HlsFiles } from '../live/hls/hls-files.js';
import { HlsStreams } from '../live/hls/hls-streams.js';
import { HlsViewers } from '../live/hls/hls-viewers.js';
import { HlsViews } from '../live/hls/hls-views.js';
import { HlsWaits } from '../live/hls/hls-waits.js';
import type { StreamPlace } from '../live/ring/stream-place.js';
import type { Metrics } from '../observe/metrics.js';
import type { WorkerLink } from '../supervisor/worker-link.js';
import type { ViewKind } from '../view/view.js';
import type { EdgeEvents } from './services/edge-events.js';
import { WorkerLinks } from './worker-links.js';

/** Most requests of a worker that wait for parts and playlists at once. */
const HLS_WAITING = 20_000;
/** Bytes of a worker for what parts are made of: boxes, and where frames lie. */
const HLS_MEMORY = 16 * 1024 * 1024;

/** Milliseconds from one word about viewers to the next. */
const AUDIENCE_INTERVAL = 1000;
/** Milliseconds that viewers wait for a stream to be brought. */
const PATIENCE = 5000;

/** HLS in a worker. */
interface WorkerHls {
  /** What may be asked for. */
  readonly kinds: readonly ViewKind[];
  /** Players, about. */
  readonly viewers: number;
  update(streams: readonly StreamPlace[]): void;
  /** Nothing is waited for any more. */
  drain(): void;
}

/** A worker's part in live streams: the viewers of those that it is told of. Loaded only where there may be some. */
export function workerLive(
  config: Config,
  { on, emit, log }: Pick<WorkerLink<EdgeEvents>, 'on' | 'emit' | 'log'>,
  metrics: Metrics,
): LivePort & { readonly hls: WorkerHls | undefined; readonly stats: object } {
  const { live } = config;
  const viewing = new LiveViewing({
    limits: { batch: live.batch, slow: live.slow.limit, disconnect: live.slow.disconnect, grace: live.grace },
    sendToAll: native.sendToAll,
    observeLatency: metrics.histogram('moovedge_live_latency_seconds'),
    log,
  });
  const wanted =
    live.pull.length === 0 && config.cluster === undefined
      ? undefined
      : new WantedStreams({ viewing, want: streams => emit('liveWanted', streams), patience: PATIENCE });
  const hls = live.hls.window === 0 ? undefined : workerHls(config, wanted, log);
  const { stats } = viewing;
  const viewers = () => ({ ...stats.viewers, ...(hls && { hls: hls.viewers }) });
  metrics.gauge('moovedge_live_viewers', () =>
    Object.entries(viewers()).map(([protocol, count]) => [{ protocol }, count] as const),
  );
  metrics.counter('moovedge_live_dropped_frames_total', () => stats.droppedFrames);
  metrics.counter('moovedge_live_disconnects_total', () =>
    Object.entries(stats.disconnects).map(([reason, count]) => [{ reason }, count] as const),
  );
  on('liveStreams', ({ streams, self }) => {
    viewing.update(streams);
    hls?.update(streams);
    if (wanted === undefined) return;
    wanted.self = self;
    wanted.update();
  });
  setInterval(() => {
    const streams = [...viewing.streams];
    if (streams.length === 0) return;
    emit('liveAudiences', process.pid, Object.fromEntries(streams.map(({ name, audience }) => [name, audience])));
  }, AUDIENCE_INTERVAL).unref();
  on('liveMissing', name => wanted?.missing(name));
  return {
    path: live.path,
    viewing,
    wanted,
    links: config.cluster && new WorkerLinks({ on, emit }),
    hls,
    get stats() {
      return { ...stats, viewers: viewers() };
    },
    sendToAll: native.sendToAll,
    limitUnsent: native.limitUnsent,
  };
}

function workerHls({ live }: Config, wanted: WantedStreams | undefined, log: WorkerLink<EdgeEvents>['log']): WorkerHls {
  const streams = new HlsStreams(live.hls, log);
  const waits = new HlsWaits(HLS_WAITING);
  const viewers = new HlsViewers();
  const files = new HlsFiles({ waits, viewers, memory: HLS_MEMORY });
  return {
    kinds: [new HlsViews(live.path, streams, files, wanted && (name => wanted.find(name, '')))],
    get viewers() {
      return viewers.count;
    },
    update: places => streams.update(places),
    drain: () => waits.end(),
  };
}
