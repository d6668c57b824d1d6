import type { Cause } from './cause.js';

/** Somebody for whom an origin may be asked. */
export interface Asker {
  /** Address of a client, as text; '' for the edge itself. */
  readonly client: string;
  /** The request of a player that it is asked for, where there is one. */
  readonly cause?: Cause | undefined;
}

/** For what the edge does on its own account. */
export const EDGE_ITSELF: Asker = { client: '' };
