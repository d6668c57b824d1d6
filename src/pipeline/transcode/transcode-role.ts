import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigSources } from '../../config/load.js';
import { type RoleParts, type RunningRole, runRole } from '../role/run-role.js';
import { FilmMaker } from './film-maker.js';
import { Scratch } from './scratch.js';
import { TranscodeWorker } from './transcode-worker.js';

/** Makes films of uploads until a signal ends it. @throws EdgeError when it can't start */
export function transcode(sources: ConfigSources): Promise<void> {
  return runRole('transcode', sources, startTranscoding);
}

async function startTranscoding({ config, storage, queue, log }: RoleParts): Promise<RunningRole> {
  const root = config.transcode.scratch ?? join(tmpdir(), `moovedge-transcode-${process.getuid?.() ?? 0}`);
  const scratch = await Scratch.open(root);
  const worker = new TranscodeWorker(config, queue, new FilmMaker(storage, config.transcode, scratch.folder), log);
  worker.start();
  return {
    role: 'transcode',
    isReady: () => worker.isWell && queue.redis.status === 'ready',
    figures: () => ({ busy: worker.busy, workers: config.transcode.workers, well: worker.isWell, films: worker.films }),
    describe: metrics => {
      metrics.gauge('moovedge_films_running', () => worker.busy);
      metrics.gauge('moovedge_transcode_well', () => (worker.isWell ? 1 : 0));
      metrics.counter('moovedge_films_total', () => Object.entries(worker.films).map(([result, n]) => [{ result }, n]));
    },
    close: async () => {
      await worker.close();
      await scratch.close();
    },
  };
}
