import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/ports.js';
import { Server } from './server.js';
import type { TlsFiles } from './tls-files.js';

/** What the edge is started with. */
export interface EdgeOptions {
  /** As it is called in tables. The default is `moovedge`. */
  name?: string;
  /** A folder or URL. */
  origin: string;
  /** Where it keeps its files. */
  folder: string;
  /** Size of its memory tier, such as `512MiB`. */
  memory: string;
  workers?: number;
  /** Sizes of its disk tier, none by default. */
  diskSize?: string;
  /** Has the players' port speak TLS. */
  tls?: TlsFiles;
  /** Module that is run in place of the command line. */
  entry?: string;
  /** More flags. */
  flags?: readonly string[];
}

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Starts the edge as built (`npm run build`), with one worker and the defaults, but for its log. */
export async function startEdge(options: EdgeOptions): Promise<Server & { readonly adminUrl: string }> {
  const { origin, folder, memory, workers = 1, diskSize, tls, entry = CLI, flags = [] } = options;
  const port = await freePort();
  const adminPort = await freePort();
  const args = [
    'serve',
    origin,
    '--host',
    '127.0.0.1',
    '--port',
    port,
    '--admin-port',
    adminPort,
    '--workers',
    workers,
  ];
  args.push('--memory', memory, '--memory-file', join(folder, `edge-${port}.cache`), '--log-level', 'error');
  if (diskSize !== undefined) args.push('--disk', join(folder, `edge-${port}.disk`), '--disk-size', diskSize);
  if (tls !== undefined) {
    const config = join(folder, `edge-${port}.yaml`);
    writeFileSync(config, JSON.stringify({ listen: { tls: { certificate: tls.cert, key: tls.key } } }));
    args.push('--config', config);
  }
  const server = await Server.start({
    name: options.name ?? 'moovedge',
    command: process.execPath,
    args: [entry, ...args.map(String), ...flags],
    port,
    scheme: tls === undefined ? 'http' : 'https',
  });
  return Object.assign(server, { adminUrl: `http://127.0.0.1:${adminPort}` });
}
