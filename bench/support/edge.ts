import { join } from 'node:path';
import { CLI, type EdgeSetup, edgeCommand } from '../../test/support/edge-command.js';
import { freePorts } from '../../test/support/ports.js';
import { Server } from './server.js';
import type { TlsFiles } from './tls-files.js';

/** What the edge is started with. */
export interface EdgeOptions extends EdgeSetup {
  /** As it is called in tables. The default is `moovedge`. */
  name?: string;
  origin: string;
  /** Where it keeps its files, in a folder of their own. */
  folder: string;
  /** Size of its memory tier; left out, `settings` say what they want of `cache`. */
  memory?: string;
  /** Has the players' port speak TLS. */
  tls?: TlsFiles;
  /** More of `log`, as YAML flow, with `$FOLDER` for the edge's folder. */
  log?: string;
  /** Module that is run in place of the command line, such as that of another build. */
  main?: string;
}

/** Starts the edge as built (`npm run build`), with one worker and the defaults, but for its level of logs. */
export async function startEdge(options: EdgeOptions): Promise<Server & { readonly adminUrl: string }> {
  const { name = 'moovedge', tls, main = CLI, settings = '', listen, log, ...setup } = options;
  const [port = 0, adminPort = 0] = await freePorts(2);
  const [command = '', ...args] = edgeCommand(
    { folder: join(options.folder, `edge-${port}`), port, adminPort },
    {
      ...setup,
      entry: [main, 'serve', '--config'],
      listen: tls === undefined ? listen : `tls: {certificate: ${tls.cert}, key: ${tls.key}}`,
      settings: `log: {level: error${log === undefined ? '' : `, ${log}`}}\n${settings}`,
    },
  );
  const server = await Server.start({ name, command, args, port, scheme: tls === undefined ? 'http' : 'https' });
  return Object.assign(server, { adminUrl: `http://127.0.0.1:${adminPort}` });
}
