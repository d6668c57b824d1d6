import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, Server } from './server.js';

/**
 * Starts Varnish of Debian's package `varnish` as a cache in memory of what `origin` serves: one pool of threads, since it has one core, and
 * no gzip; otherwise the defaults.
 * @param cacheSize bytes of memory
 */
export async function startVarnish(folder: string, origin: string, cacheSize: number): Promise<Server> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const { hostname, port: originPort } = new URL(origin);
  const vcl = join(folder, 'default.vcl');
  writeFileSync(
    vcl,
    `vcl 4.1;
backend origin { .host = "${hostname}"; .port = "${originPort}"; }
sub vcl_backend_response { set beresp.ttl = 1d; }
`,
  );
  const parameters = ['thread_pools=1', 'http_gzip_support=off', 'timeout_idle=3600'].flatMap(value => ['-p', value]);
  return Server.start({
    name: 'varnish',
    command: 'varnishd',
    args: [
      '-F',
      '-j',
      'none',
      '-n',
      folder,
      '-a',
      `127.0.0.1:${port}`,
      '-T',
      'none',
      '-f',
      vcl,
      '-s',
      `malloc,${cacheSize}`,
      ...parameters,
    ],
    port,
  });
}
