import { asEdgeError } from '../../base/errors.js';
import type { ConfigSources } from '../../config/load.js';
import { removeFailed } from '../jobs/cancel.js';
import { rebuildJobs } from '../jobs/rebuild.js';
import { type RoleParts, type RunningRole, runRole } from '../role/run-role.js';
import { etcdOf } from '../storage/etcd.js';
import { ClusterLocker } from './cluster-locker.js';
import { PieceStore } from './piece-store.js';
import { ProcessLocker } from './process-locker.js';
import type { Locker } from './tus.js';
import { UploadServer } from './upload-server.js';

/** Milliseconds between two looks whether the storage answers, and the key of nothing that is looked for. */
const LOOK_INTERVAL = 5_000;
const LOOKED_FOR = 'checks/there';
/** Milliseconds between two looks for uploads without a job. */
const RECONCILE_INTERVAL = 15_000;
/** Milliseconds between two looks for what is to be removed: old uploads, and what dead writers have left. */
const SWEEP_INTERVAL = 10 * 60_000;
/** Milliseconds without a byte after which a writer counts as dead. */
const WRITER_PATIENCE = 24 * 3600_000;

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
    locker: lockerOf(config, log),
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
  let isReached = true;
  const timers = [
    regularly(LOOK_INTERVAL, 'the storage was looked at', async () => {
      isReached = await storage.head(LOOKED_FOR).then(
        () => true,
        () => false,
      );
      return 0;
    }),
    regularly(RECONCILE_INTERVAL, 'uploads without a job got one', () => rebuildJobs(storage, queue)),
    regularly(SWEEP_INTERVAL, 'unfinished objects were removed', () => storage.sweep(WRITER_PATIENCE).then(() => 0)),
    regularly(SWEEP_INTERVAL, 'uploads that no film could be made of were removed', () =>
      removeFailed(storage, queue, Date.now() - config.jobs.keepFailed),
    ),
    regularly(SWEEP_INTERVAL, 'expired uploads were removed', () => store.deleteExpired()),
  ];
  return {
    role: 'upload',
    isReady: () => isReached,
    figures: () => ({ port: config.upload.port, uploads: store.counts }),
    describe: metrics => {
      const { counts } = store;
      metrics.counter('moovedge_upload_bytes_total', () => counts.bytes);
      metrics.counter('moovedge_uploads_total', () =>
        (['begun', 'whole', 'removed'] as const).map(event => [{ event }, counts[event]]),
      );
    },
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      await server.close();
    },
  };
}

function lockerOf(config: RoleParts['config'], log: RoleParts['log']): Locker {
  const etcd = etcdOf(config);
  return etcd === undefined ? new ProcessLocker() : new ClusterLocker(etcd.gateway, etcd.prefix, log);
}
