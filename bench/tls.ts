import { caches } from './support/caches.js';
import { runFolder } from './support/folder.js';
import { hotContest, rangesOf } from './support/hot.js';
import { benchOptions } from './support/options.js';
import type { Report } from './support/report.js';
import { makeTlsFiles, TLS_CIPHER } from './support/tls-files.js';

const FILE = '/film.mp4';
const FILE_SIZE = 64 * 1024 * 1024;
const CACHE_SIZE = 512 * 1024 * 1024;

/** Hot ranges of 4 KB and 256 KB over TLS 1.3, on connections that are kept. `--connections N` */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '64' });
  const connections = Number(options.rest.connections);
  const folder = runFolder(4 * CACHE_SIZE);
  const tls = makeTlsFiles(folder);
  const { tables, notes } = await hotContest(
    {
      folder,
      files: [[FILE, FILE_SIZE]],
      contestants: origin => caches({ origin, folder, memory: CACHE_SIZE, tls }),
      works: [4, 256].map(kibibytes => ({
        title: `ranges of ${kibibytes} KiB over TLS`,
        requests: rangesOf(FILE, FILE_SIZE, kibibytes * 1024),
        connections,
      })),
    },
    options,
  );
  return { title: 'hot ranges over TLS', tables, notes: [`TLS 1.3 with ${TLS_CIPHER}`, ...notes] };
}
