import { asEdgeError } from '../../base/errors.js';
import { Gateway } from '../../cluster/etcd/gateway.js';
import type { ConfigSources } from '../../config/load.js';
import { rebuildJobs } from '../jobs/rebuild.js';
import { type RoleParts, type RunningRole, runRole } from '../role/run-role.js';
import { ClusterLocker } from './cluster-locker.js';
import { PieceStore } from './piece-store.js';
import { ProcessLocker } from './process-locker.js';
import type { Locker } from './tus.js';
import { UploadServer } from './upload-server.js';

/** Milliseconds between two looks for uploads without a job. */
const RECONCILE_INTERVAL = 15_000;
/** Milliseconds between two looks for expired uploads. */
const SWEEP_INTERVAL = 10 * 60_000;

/** Takes uploads until a signal ends it. @throws EdgeError when it can't start */
export function upload(sources: ConfigSources): Promise<void> {
  return runRole('upload', sources, startUploads);
}

async function startUploads({ config, storage, queue, log }: RoleParts): Promise<RunningRole> {
  const store = new PieceStore({
    storage,
    expire: config.upload.expire,
    log,
    finished: async id => {
      // A job that can't be made now is made by a later look: the upload is whole and durable.
      await queue.add(id).catch(error => log.warn({ upload: id, error: asEdgeError(error) }, 'a job has to wait'));
    },
    removed: async id => {
      // Without one, or with Redis away, the worker finds no upload.
      await queue.cancel(id).catch(() => {});
    },
  });
  const server = new UploadServer({
    settings: config.upload,
    prefix: config.jobs.prefix,
    store,
    locker: lockerOf(config.cluster, log),
    queue,
    log,
  });
  await server.listen();
  const regularly = (milliseconds: number, text: string, work: () => Promise<number>) => {
    let isBusy = false;
    return setInterval(async () => {
      if (isBusy) return;
      isBusy = true;
      try {
        const count = await work();
        if (count > 0) log.info({ count }, text);
      } catch (error) {
        log.debug({ error }, 'work that is done regularly failed');
      } finally {
        isBusy = false;
      }
    }, milliseconds);
  };
  const timers = [
    regularly(RECONCILE_INTERVAL, 'uploads without a job got one', () => rebuildJobs(storage, queue)),
    regularly(SWEEP_INTERVAL, 'expired uploads were removed', () => store.deleteExpired()),
  ];
  return {
    role: 'upload',
    isReady: () => true,
    figures: () => ({ port: config.upload.port }),
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      await server.close();
    },
  };
}

function lockerOf(cluster: RoleParts['config']['cluster'], log: RoleParts['log']): Locker {
  if (cluster === undefined) return new ProcessLocker();
  const { endpoints, username, password, prefix, tls } = cluster.etcd;
  return new ClusterLocker(new Gateway({ endpoints, username, password, tls }), prefix, log);
}
