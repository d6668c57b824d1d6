import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, Server } from './server.js';

const run = promisify(execFile);
/** The user that Debian's package makes. */
const USER = 'trafficserver';

/**
 * Starts Apache Traffic Server of Debian's package `trafficserver` as a cache of what `origin` serves, with one thread for connections and
 * a cache in memory as large as its file; otherwise the defaults.
 * @param cacheSize bytes of the cache's file
 */
export async function startTrafficServer(folder: string, origin: string, cacheSize: number): Promise<Server> {
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
  write('remap.config', `map http://127.0.0.1:${port}/ ${origin}/\n`);
  write('storage.config', `${folder} ${cacheSize}\n`);
  write('ip_allow.yaml', 'ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n');
  write('cache.config', 'url_regex=.* ttl-in-cache=1d\n');
  write(
    'records.config',
    `CONFIG proxy.config.http.server_ports STRING ${port}:ip-in=127.0.0.1
CONFIG proxy.config.exec_thread.autoconfig.enabled INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.cache.ram_cache.size INT ${cacheSize}
CONFIG proxy.config.cache.ram_cache_cutoff INT ${cacheSize}
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
    env: { TS_RUNROOT: root },
  });
}
