import type { SendToAll } from './fan.js';
import type { LiveStats } from './live-stats.js';

/** Bounds of the delivery; times in milliseconds. */
export interface LiveLimits {
  /** From one batch to the next. */
  readonly batch: number;
  /** How far a viewer may be behind before it loses what lies between. */
  readonly slow: number;
  /** Time without a byte taken after which a viewer is disconnected. */
  readonly disconnect: number;
  /** How long viewers wait for a publisher that went. */
  readonly grace: number;
}

/** What all streams of a process share. */
export interface LiveContext {
  readonly limits: LiveLimits;
  readonly stats: LiveStats;
  /** Takes the seconds from a tag's coming to its hand-over. */
  readonly observeLatency?: (seconds: number) => void;
  readonly sendToAll: SendToAll;
}
