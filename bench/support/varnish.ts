import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import { Server } from './server.js';

/**
 * What Varnish says of every request in its log in shared memory; masked, since the others write no log of requests
 * either.
 */
const LOGGED =
  'Begin End Link Timestamp SessOpen SessClose ReqAcct ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset ' +
  'VCL_call VCL_return VCL_use Hit Length RespProtocol RespStatus RespReason RespHeader RespUnset';

/**
 * Starts Varnish of Debian's package `varnish` as a cache of what `origin` serves: one pool of threads, since it has
 * one core, no gzip and no log of requests; otherwise the defaults.
 * @param folder where it keeps its files
 * @param cacheSize bytes of memory; or of a file in `folder`, when `storage` is `file`
 */
export async function startVarnish(
  folder: string,
  origin: string,
  cacheSize: number,
  storage: 'malloc' | 'file' = 'malloc',
): Promise<Server> {
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
  const mask = LOGGED.split(' ').map(tag => `-${tag}`);
  const settings = ['thread_pools=1', 'http_gzip_support=off', 'timeout_idle=3600', `vsl_mask=${mask.join(',')}`];
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
      storage === 'malloc' ? `malloc,${cacheSize}` : `file,${join(folder, 'storage')},${cacheSize}`,
      ...settings.flatMap(value => ['-p', value]),
    ],
    port,
  });
}
