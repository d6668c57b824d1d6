import type { ConfigSources } from '../../config/load.js';
import { type RoleParts, type RunningRole, runRole } from '../role/run-role.js';
import { FilmMaker } from './film-maker.js';
import { TranscodeWorker } from './transcode-worker.js';

/** Makes films of uploads until a signal ends it. @throws EdgeError when it can't start */
export function transcode(sources: ConfigSources): Promise<void> {
  return runRole('transcode', sources, startTranscoding);
}

async function startTranscoding({ config, storage, queue, log }: RoleParts): Promise<RunningRole> {
  const worker = new TranscodeWorker(config, queue, new FilmMaker(storage, config.transcode), log);
  worker.start();
  return {
    role: 'transcode',
    isReady: () => worker.isWell && queue.redis.status === 'ready',
    figures: () => ({ busy: worker.busy, workers: config.transcode.workers, well: worker.isWell }),
    close: () => worker.close(),
  };
}
