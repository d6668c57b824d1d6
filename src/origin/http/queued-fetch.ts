import type { Askers } from '../askers.js';

/** A fetch as its queue sees it. */
export interface QueuedFetch {
  /** Path of its object: those that wait for a client have their turns by object. */
  readonly object: string;
  /** Clients for whom it is made. */
  readonly askers: Askers;
  /** It has a place and may send its request. Called from `leave` of another fetch. */
  begin(): void;
  /** True when a request can go on where this fetch stands; false when giving its place up ends it. */
  readonly resumable: boolean;
  /** Others need the place and its reader takes nothing: must call `leave`. */
  giveWay(): void;
  /** It waits no longer, because others who have fewer that wait came to a full queue. */
  turnAway(): void;
}
