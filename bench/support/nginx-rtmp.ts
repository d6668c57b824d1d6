import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../test/support/ports.js';
import type { MediaServer } from './media-server.js';
import { Server } from './server.js';

/** Where Debian's package puts nginx-rtmp. */
const NGINX_RTMP = '/usr/lib/nginx/modules/ngx_rtmp_module.so';

/**
 * Starts nginx with Debian's libnginx-mod-rtmp, on one core; it has no HTTP-FLV, viewers play by RTMP. Chunks are as
 * large as a tag, which costs it least.
 * @param folder where it keeps its files
 */
export async function startNginxRtmp(folder: string): Promise<MediaServer> {
  const [port, rtmpPort] = (await freePorts(2)) as [number, number];
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'nginx-rtmp.conf');
  writeFileSync(
    config,
    `load_module ${NGINX_RTMP};
daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx-rtmp.pid;
error_log stderr error;
events { worker_connections 16384; }
rtmp {
  access_log off;
  server {
    listen 0.0.0.0:${rtmpPort};
    chunk_size 4096;
    application live { live on; }
  }
}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port}; return 204; }
}
`,
  );
  const args = ['-p', folder, '-c', config, '-e', 'stderr'];
  return { server: await Server.start({ name: 'nginx-rtmp', command: 'nginx', args, port }), rtmpPort };
}
