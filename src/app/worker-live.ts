import { native } from '../base/native.js';
import type { Config } from '../config/schema.js';
import type { LivePort } from '../http/live-port.js';
import { LiveViewing } from '../live/delivery/live-viewing.js';
import type { Metrics } from '../observe/metrics.js';
import type { WorkerLink } from '../supervisor/worker-link.js';
import type { EdgeEvents } from './services/edge-events.js';

/** A worker's part in live streams: the viewers of those that it is told of. Loaded only where there may be some. */
export function workerLive(
  { live }: Config,
  { on, log }: Pick<WorkerLink<EdgeEvents>, 'on' | 'log'>,
  metrics: Metrics,
): LivePort {
  const viewing = new LiveViewing({
    limits: { batch: live.batch, slow: live.slow.limit, disconnect: live.slow.disconnect, grace: live.grace },
    sendToAll: native.sendToAll,
    observeLatency: metrics.histogram('moovedge_live_latency_seconds'),
    log,
  });
  const { stats } = viewing;
  metrics.gauge('moovedge_live_viewers', () =>
    Object.entries(stats.viewers).map(([protocol, count]) => [{ protocol }, count] as const),
  );
  metrics.counter('moovedge_live_dropped_frames_total', () => stats.droppedFrames);
  metrics.counter('moovedge_live_disconnects_total', () =>
    Object.entries(stats.disconnects).map(([reason, count]) => [{ reason }, count] as const),
  );
  on('liveStreams', ({ streams }) => viewing.update(streams));
  return { path: live.path, viewing, sendToAll: native.sendToAll, limitUnsent: native.limitUnsent };
}
