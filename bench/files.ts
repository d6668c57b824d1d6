import { caches, nginxStatic } from './support/caches.js';
import { runFolder } from './support/folder.js';
import { hotContest, type Work } from './support/hot.js';
import { benchOptions } from './support/options.js';
import type { Report } from './support/report.js';

const MEBIBYTE = 2 ** 20;
const CACHE_SIZE = 512 * MEBIBYTE;

/** Files of one size: in MiB, how many, and by how many players at once they are fetched. */
const SETS = [
  { size: 1, count: 64, connections: 64 },
  { size: 100, count: 2, connections: 8 },
];

/** Whole hot files of 1 MB and 100 MB. */
export async function run(args: readonly string[]): Promise<Report> {
  const folder = runFolder(5 * CACHE_SIZE);
  const sets = SETS.map(({ size, count, connections }) => ({
    paths: Array.from({ length: count }, (_, i) => `/${size}-${i}.mp4`),
    size,
    connections,
  }));
  const found = await hotContest(
    {
      folder,
      files: sets.flatMap(({ paths, size }) => paths.map(path => [path, size * MEBIBYTE] as const)),
      contestants: (origin, root) => [
        ...nginxStatic(folder, root),
        ...caches({ origin, folder, memory: CACHE_SIZE, sliceSize: MEBIBYTE }),
      ],
      works: sets.map(
        ({ paths, size, connections }): Work => ({
          title: `files of ${size} MiB`,
          requests: paths.map(path => ({ path })),
          connections,
        }),
      ),
    },
    benchOptions(args),
  );
  return { title: 'whole hot files', ...found };
}
