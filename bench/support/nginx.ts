import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import { writeNoise } from './folder.js';
import { CLIENT_CORE, SERVER_CORE, Server } from './server.js';
import { TLS_CIPHER, type TlsFiles } from './tls-files.js';

/** What an nginx does. */
export type NginxRole =
  /** Serves the files of a folder. */
  | { kind: 'static'; root: string }
  /** Serves one file of a folder, whatever path is asked for. */
  | { kind: 'same'; root: string; file: string }
  /** Serves the files of a folder, and cuts MP4 at `?start=`. */
  | { kind: 'mp4'; root: string; bufferSize: string }
  /**
   * Caches what `origin` serves, in slices; with `lock`, each slice is asked for once and other players wait for it.
   * nginx looks at the size of its cache every ten seconds; `exact` bounds the number of slices instead, which is
   * looked at with each.
   */
  | {
      kind: 'slice';
      origin: string;
      folder: string;
      sliceSize: number;
      cacheSize: number;
      lock?: boolean;
      exact?: boolean;
    };

/** How an nginx is started. */
export interface NginxOptions {
  /** The core that it is bound to. */
  core?: number;
  /**
   * Whether the kernel copies from files to sockets. Off, which is the default here, costs less CPU for files in
   * memory; but then the slice cache holds the rest of the file in memory for every player that is slower than it.
   */
  sendfile?: boolean;
  /** Has the port speak TLS 1.3. */
  tls?: TlsFiles;
  /** Worker processes; one by default. */
  workers?: number;
}

/** Keys in a KiB of nginx's zone, and KiB that the zone takes for itself, on 64-bit machines. */
const KEYS_PER_KIB = 7.9;
const ZONE_HEAD_KIB = 5;

/** Starts an origin on the client's core that answers with the same `size` bytes of noise, whatever is asked for. */
export function startSameOrigin(folder: string, size: number): Promise<Server> {
  const root = join(folder, 'www');
  mkdirSync(root);
  writeNoise(join(root, 'file'), size);
  return startNginx('origin', join(folder, 'origin'), { kind: 'same', root, file: 'file' }, { core: CLIENT_CORE });
}

/**
 * Starts nginx of Debian's package `nginx` without a log of requests, and connections that are never closed; otherwise
 * Debian's defaults. `slice`: when the cache is too large, it is cut to its size at once and not by a hundred files.
 * `mp4`: the buffers hold the whole index of the film, as they must.
 * @param folder where it keeps its files
 */
export async function startNginx(
  name: string,
  folder: string,
  role: NginxRole,
  options: NginxOptions = {},
): Promise<Server> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, nginxConfig(port, folder, role, options));
  return Server.start({
    name,
    command: 'nginx',
    args: ['-p', folder, '-c', config, '-e', 'stderr'],
    port,
    scheme: options.tls === undefined ? 'http' : 'https',
    core: options.core ?? SERVER_CORE,
  });
}

function nginxConfig(port: number, folder: string, role: NginxRole, options: NginxOptions): string {
  const { sendfile = false, workers = 1, tls } = options;
  return `
daemon off;
user root;
worker_processes ${workers};
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off;
  default_type video/mp4;
  sendfile ${sendfile ? 'on' : 'off'};
  tcp_nopush on;
  keepalive_timeout 3600s;
  send_timeout 3600s;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  output_buffers 2 256k;
  ${openFiles(role)}
  ${before(role)}
  server {
    listen 127.0.0.1:${port} ${tls === undefined ? '' : 'ssl '}reuseport backlog=4096;
    ${tls === undefined ? '' : secure(tls)}
    location / {
      ${within(role)}
    }
  }
}
`;
}

function secure({ cert, key }: TlsFiles): string {
  return `ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites ${TLS_CIPHER};`;
}

function before(role: NginxRole): string {
  if (role.kind !== 'slice') return '';
  const zone = role.exact ? `${zoneFor(role.cacheSize / role.sliceSize)}k` : '64m';
  return `proxy_cache_path ${role.folder} levels=1:2 keys_zone=slices:${zone} max_size=${role.cacheSize} inactive=1d use_temp_path=off
    manager_files=10000 manager_threshold=1s;
  upstream origin { server ${role.origin.replace('http://', '')}; keepalive 64; }`;
}

/**
 * Without it where space counts: nginx goes on answering from files that it holds open after it has removed them from
 * its cache.
 */
function openFiles(role: NginxRole): string {
  if (role.kind === 'slice' && role.exact) return '';
  return 'open_file_cache max=10000 inactive=3600s; open_file_cache_valid 3600s;';
}

/** KiB of a zone that has room for so many keys. */
function zoneFor(keys: number): number {
  return Math.round(keys / KEYS_PER_KIB) + ZONE_HEAD_KIB;
}

function within(role: NginxRole): string {
  switch (role.kind) {
    case 'static':
      return `root ${role.root};`;
    case 'same':
      return `root ${role.root}; try_files /${role.file} =404;`;
    case 'mp4':
      return `root ${role.root}; mp4; mp4_buffer_size ${role.bufferSize}; mp4_max_buffer_size 64m;`;
    case 'slice':
      return `slice ${role.sliceSize};
      proxy_cache slices;
      proxy_cache_key $uri$slice_range;
      proxy_cache_valid 200 206 1d;
      proxy_set_header Range $slice_range;
      proxy_set_header Connection "";
      proxy_http_version 1.1;
      proxy_buffers 8 64k;
      proxy_buffer_size 64k;
      proxy_busy_buffers_size 128k;
      proxy_cache_lock ${role.lock ? 'on' : 'off'};
      add_header X-Cache $upstream_cache_status;
      proxy_pass http://origin;`;
  }
}
