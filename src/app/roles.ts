import type { Config } from '../config/schema.js';
import type { ServiceContext } from '../supervisor/service.js';
import { workerEntry } from './package-files.js';
import type { EdgeEvents } from './services/edge-events.js';
import { type EdgeServices, edgeServices } from './services/edge-services.js';

/** What the processes of an edge are for. */
export interface Role {
  /** Module that workers run. */
  readonly workerEntry: string;
  /** Makes the services around them. */
  services(context: ServiceContext<Config, EdgeEvents>): Promise<EdgeServices>;
}

/** Serves films to players. */
export const playersRole: Role = { workerEntry: workerEntry(), services: edgeServices };
