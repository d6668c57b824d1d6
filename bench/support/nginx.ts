import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, SERVER_CORE, Server } from './server.js';

/** What an nginx does. */
export type NginxRole =
  /** Serves the files of a folder. */
  | { kind: 'static'; root: string }
  /** Serves the files of a folder, and cuts MP4 at `?start=`. */
  | { kind: 'mp4'; root: string; bufferSize: number }
  /** Caches what `origin` serves, in slices. */
  | { kind: 'slice'; origin: string; folder: string; sliceSize: number; cacheSize: number };

/** How an nginx is started. */
export interface NginxOptions {
  /** The core that it is bound to. */
  core?: number;
  /**
   * Whether the kernel copies from files to sockets. Off, which is the default here, costs less CPU for files in memory; but then the slice cache
   * holds the rest of the file in memory for every player that is slower than it.
   */
  sendfile?: boolean;
}

/**
 * Starts nginx of Debian's package `nginx` with one worker, no log of requests, and connections that are never closed; otherwise Debian's
 * defaults. `slice`: when the cache is too large, it is cut to its size at once and not by a hundred files. `mp4`: the buffers hold the whole index of the film, as they must.
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
  writeFileSync(config, nginxConfig(port, folder, role, options.sendfile ?? false));
  return Server.start({
    name,
    command: 'nginx',
    args: ['-p', folder, '-c', config, '-e', 'stderr'],
    port,
    core: options.core ?? SERVER_CORE,
  });
}

function nginxConfig(port: number, folder: string, role: NginxRole, sendfile: boolean): string {
  return `
daemon off;
user root;
worker_processes 1;
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
  open_file_cache max=10000 inactive=3600s;
  open_file_cache_valid 3600s;
  ${before(role)}
  server {
    listen 127.0.0.1:${port} reuseport backlog=4096;
    location / {
      ${within(role)}
    }
  }
}
`;
}

function before(role: NginxRole): string {
  if (role.kind !== 'slice') return '';
  return `proxy_cache_path ${role.folder} levels=1:2 keys_zone=slices:64m max_size=${role.cacheSize} inactive=1d use_temp_path=off
    manager_files=10000 manager_threshold=1s;
  upstream origin { server ${role.origin.replace('http://', '')}; keepalive 64; }`;
}

function within(role: NginxRole): string {
  switch (role.kind) {
    case 'static':
      return `root ${role.root};`;
    case 'mp4':
      return `root ${role.root}; mp4; mp4_buffer_size ${role.bufferSize}; mp4_max_buffer_size ${role.bufferSize};`;
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
      add_header X-Cache $upstream_cache_status;
      proxy_pass http://origin;`;
  }
}
