import { join } from 'node:path';
import { type Contestant, EDGE } from './contest.js';
import { startEdge } from './edge.js';
import { runFolder } from './folder.js';
import { startNginx } from './nginx.js';
import type { TlsFiles } from './tls-files.js';
import { startTrafficServer } from './traffic-server.js';
import { startVarnish } from './varnish.js';

const MEBIBYTE = 2 ** 20;

/** What all caches are given alike. */
export interface CacheOptions {
  /** URL of the origin. */
  readonly origin: string;
  /** Where they keep their files. */
  readonly folder: string;
  /** Bytes of memory. */
  readonly memory: number;
  /** Bytes of disk below `folder`; without it, the memory is all that they have, and `folder` lies in memory. */
  readonly disk?: number;
  /** Bytes of nginx's slices; the edge's block by default. */
  readonly sliceSize?: number;
  /** Has them speak TLS. */
  readonly tls?: TlsFiles;
  /** True when players ask for ranges of files that are not there yet. */
  readonly cold?: boolean;
}

/**
 * The edge and those that can take its place as a cache, each as large as the others. nginx has no memory of its own:
 * its files lie in the page cache, and it runs with and without sendfile, since neither is best for all sizes.
 */
export function caches(options: CacheOptions): Contestant[] {
  const { origin, folder, memory, disk, sliceSize = 256 * 1024, tls, cold } = options;
  const cacheSize = disk ?? memory;
  const secure = tls === undefined ? {} : { tls };
  const slice = (name: string, sendfile: boolean): Contestant => ({
    name,
    start: () => {
      const place = join(folder, name.replaceAll(' ', '-'));
      const role = { kind: 'slice', origin, folder: join(place, 'slices'), sliceSize, cacheSize } as const;
      return startNginx(name, place, role, { sendfile, ...secure });
    },
  });
  const varnish = () =>
    startVarnish(join(folder, 'varnish'), origin, cacheSize, disk === undefined ? 'malloc' : 'file');
  return [
    {
      name: EDGE,
      isPeer: false,
      start: build =>
        startEdge({
          ...build,
          origin,
          folder,
          memory: `${memory / MEBIBYTE}MiB`,
          // Its memory tier lies in memory, as by default, wherever the disk's blocks do.
          ...(disk !== undefined && {
            disk: `${disk / MEBIBYTE}MiB`,
            memoryFile: join(runFolder(memory), 'memory'),
          }),
          ...secure,
        }),
    },
    slice('nginx slice', false),
    // It encrypts in user space, so a file can't go to the socket by itself.
    ...(tls === undefined ? [slice('nginx slice sendfile', true)] : []),
    { name: 'varnish', start: tls === undefined ? varnish : () => Promise.reject(new Error('it speaks no TLS')) },
    {
      name: 'trafficserver',
      start: () => startTrafficServer(join(folder, 'ats'), origin, { cacheSize, memory, fetchesWhole: cold, tls }),
    },
  ];
}

/** nginx as the server of a folder, without a cache, with and without sendfile. */
export function nginxStatic(folder: string, root: string): Contestant[] {
  return [false, true].map(sendfile => {
    const name = sendfile ? 'nginx static sendfile' : 'nginx static';
    const place = join(folder, name.replaceAll(' ', '-'));
    return { name, start: () => startNginx(name, place, { kind: 'static', root }, { sendfile }) };
  });
}
