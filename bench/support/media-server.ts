import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../test/support/ports.js';
import { Server } from './server.js';

const PACKAGE = 'node-media-server';
const VERSION = '4.4.3';

/** node-media-server, and where it takes streams. */
export interface MediaServer {
  readonly server: Server;
  readonly rtmpPort: number;
}

/**
 * Starts node-media-server with RTMP and HTTP-FLV, on one core. npm installs it into a temporary folder at its first
 * use, since it is none of this package's dependencies. It binds all addresses: viewers come to several of loopback.
 * @param folder where it keeps its files
 */
export async function startMediaServer(folder: string): Promise<MediaServer> {
  const place = join(tmpdir(), `moovedge-bench-${PACKAGE}-${VERSION}`);
  const main = join(place, 'node_modules', PACKAGE, 'bin', 'app.js');
  if (!existsSync(main)) {
    mkdirSync(place, { recursive: true });
    const quiet = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--loglevel=error'];
    execFileSync('npm', ['install', ...quiet, '--prefix', place, `${PACKAGE}@${VERSION}`], { stdio: 'inherit' });
  }
  const [port, rtmpPort] = (await freePorts(2)) as [number, number];
  const config = join(folder, 'media-server.json');
  const auth = { play: false, publish: false, secret: '', jwt: { secret: 'bench', users: [] } };
  const ports = { rtmp: { port: rtmpPort }, http: { port }, webadmin: { enable: false } };
  const rest = {
    notify: { url: '' },
    store: { path: './data', maxHistory: 1 },
    record: { auto: false, path: './record' },
  };
  writeFileSync(config, JSON.stringify({ bind: '0.0.0.0', auth, ...ports, ...rest }));
  const server = await Server.start({ name: PACKAGE, command: process.execPath, args: [main, '-c', config], port });
  return { server, rtmpPort };
}
