import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../test/support/ports.js';
import { Server } from './server.js';
import { TLS_CIPHER, type TlsFiles } from './tls-files.js';

const run = promisify(execFile);
/** The user that Debian's package makes. */
const USER = 'trafficserver';

/** How it is started. */
export interface TrafficServerOptions {
  /** Bytes of the cache's file. */
  cacheSize: number;
  /** Bytes of the cache in memory; as many as of the file by default. */
  memory?: number;
  /**
   * Has a file fetched whole, in the background, whose range is asked for; otherwise only whole files are kept.
   * Debian's package has no plugin that slices.
   */
  fetchesWhole?: boolean | undefined;
  /** Has the port speak TLS 1.3. */
  tls?: TlsFiles | undefined;
}

/**
 * Starts Apache Traffic Server of Debian's package `trafficserver` as a cache of what `origin` serves, with one thread
 * for connections and a cache in memory that takes objects of any size; otherwise the defaults.
 * @param folder where it keeps its files
 */
export async function startTrafficServer(
  folder: string,
  origin: string,
  { cacheSize, memory = cacheSize, fetchesWhole = false, tls }: TrafficServerOptions,
): Promise<Server> {
  const scheme = tls === undefined ? 'http' : 'https';
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'config');
  const root = join(folder, 'runroot.yaml');
  writeFileSync(
    root,
    `prefix: /usr
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
libdir: /usr/lib
libexecdir: /usr/lib/trafficserver/modules
datadir: /usr/share/trafficserver
sysconfdir: ${config}
localstatedir: ${folder}
runtimedir: ${folder}
logdir: ${folder}
cachedir: ${folder}
`,
  );
  mkdirSync(config, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(config, name), text);
  write('remap.config', `map ${scheme}://127.0.0.1:${port}/ ${origin}/\n`);
  write('storage.config', `${folder} ${cacheSize}\n`);
  write('ip_allow.yaml', 'ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n');
  write('plugin.config', fetchesWhole ? 'background_fetch.so\n' : '');
  write('cache.config', 'url_regex=.* ttl-in-cache=1d\n');
  if (tls !== undefined) {
    copyFileSync(tls.cert, join(config, 'cert.pem'));
    copyFileSync(tls.key, join(config, 'key.pem'));
    write('ssl_multicert.config', 'dest_ip=* ssl_cert_name=cert.pem ssl_key_name=key.pem\n');
  }
  write(
    'records.config',
    `CONFIG proxy.config.http.server_ports STRING ${port}:${tls === undefined ? '' : 'ssl:'}ip-in=127.0.0.1
CONFIG proxy.config.ssl.server.cert.path STRING ${config}
CONFIG proxy.config.ssl.server.private_key.path STRING ${config}
CONFIG proxy.config.ssl.server.TLSv1_3.cipher_suites STRING ${TLS_CIPHER}
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.cache.ram_cache.size INT ${memory}
CONFIG proxy.config.cache.ram_cache_cutoff INT ${memory}
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 3600
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.admin.user_id STRING ${USER}
CONFIG proxy.config.crash_log_helper STRING NULL
CONFIG proxy.config.url_remap.pristine_host_hdr INT 0
`,
  );
  // It refuses to serve as root, and becomes a user that must reach its files.
  if (process.getuid?.() === 0) {
    chmodSync(dirname(folder), 0o755);
    await run('chown', ['-R', USER, folder]);
  }
  return Server.start({
    name: 'trafficserver',
    command: 'traffic_server',
    args: [],
    port,
    scheme,
    env: { TS_RUNROOT: root },
  });
}
