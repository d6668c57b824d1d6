import { once } from 'node:events';
import { AdminServer } from '../../admin/admin-server.js';
import { EXIT } from '../../app/exit-code.js';
import { type ConfigSources, loadConfig } from '../../config/load.js';
import type { Config } from '../../config/schema.js';
import { createLog, type ProcessLog } from '../../observe/log.js';
import { JobQueue } from '../jobs/job-queue.js';
import { withConditions } from '../storage/conditional-check.js';
import type { ObjectStorage } from '../storage/object-storage.js';
import { openStorage } from '../storage/open-storage.js';
import { jobRoutes, type RoleState } from './job-routes.js';

/** What a role works with. */
export interface RoleParts {
  readonly config: Config;
  readonly storage: ObjectStorage;
  readonly queue: JobQueue;
  readonly log: ProcessLog;
}

/** A role that runs. */
export interface RunningRole extends RoleState {
  close(): Promise<void>;
}

/**
 * Runs a role until a signal ends it: opens storage and queue, starts it, answers on the admin port.
 * @throws EdgeError that people should read, when it can't start
 */
export async function runRole(
  name: RoleState['role'],
  sources: ConfigSources,
  start: (parts: RoleParts) => Promise<RunningRole>,
): Promise<void> {
  const config = loadConfig(sources);
  const log = createLog({ level: config.log.level, format: config.log.format, process: name });
  const storage = await withConditions(await openStorage(config), config);
  const queue = new JobQueue(config, log);
  const role = await start({ config, storage, queue, log });
  const { host, port, token } = config.admin;
  const admin = new AdminServer({ host, port, token, routes: jobRoutes(queue, storage, role), log });
  await admin.listen();
  log.info({ storage: storage.place, admin: port }, 'started');
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  log.info({}, 'stopping');
  await role.close();
  await admin.close();
  await queue.close();
  storage.close();
  log.flush();
  // Connections to Redis that are being made would keep the process.
  process.exit(EXIT.ok);
}
