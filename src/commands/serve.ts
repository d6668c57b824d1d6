import { Edge } from '../app/edge.js';
import { playersRole, type Role } from '../app/roles.js';
import type { ConfigSources } from '../config/load.js';
import { PROCESS_TITLE } from '../supervisor/port.js';
import { greeting } from './greeting.js';
import { samplesOrigin } from './serve-flags.js';

/** What `serve` needs to know. */
export interface ServeOptions {
  readonly sources: ConfigSources;
  /** True to take the port and the cache over from an edge that runs. */
  readonly takeOver: boolean;
  /** What the processes are for; to serve films unless a test says otherwise. */
  readonly role?: Role;
}

/**
 * Serves until a signal ends it.
 * @returns when players are served
 * @throws EdgeError that people should read, when it can't start
 */
export async function serve({ sources, takeOver, role = playersRole }: ServeOptions): Promise<void> {
  process.title = PROCESS_TITLE;
  const edge = new Edge({
    sources,
    samples: samplesOrigin(),
    takeOver,
    role,
    // Standard output is the access log's, when it goes there.
    serving: config => {
      if (config.log.access !== 'stdout') process.stdout.write(greeting(config));
    },
  });
  await edge.run();
}
