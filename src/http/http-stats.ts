import type { CacheOutcome } from '../base/cache-outcome.js';
import type { DeliveryStats } from '../delivery/delivery.js';
import type { RouteCounts } from './route-counts.js';

/** Outcome of an answer, `none` when no object came into it. */
export type AnswerOutcome = CacheOutcome | 'none';

/** Counters of the HTTP port. Answers are counted when they end. */
export interface HttpStats extends DeliveryStats {
  /** Answers by outcome and status; 499 is a player that left before its answer began. */
  readonly requests: Readonly<Record<AnswerOutcome, Record<number, number>>>;
  /** Answers by the first route that fits, and of those that none does. */
  readonly routes: RouteCounts[];
  /** Answers that the gate gave by itself. */
  readyAnswers: number;
  /** Answers under way. */
  openResponses: number;
  /** Connections, idle ones among them. */
  openConnections: number;
  /** Answers that wait for their pace. */
  pacedResponses: number;
  /** Answers that a player left before their end. */
  abortedResponses: number;
  /** Answers that the edge cut because their end would not have been right. */
  cutResponses: number;
}

/** Counters at zero. */
export function httpStats(): HttpStats {
  return {
    requests: {
      memory: {},
      disk: {},
      miss: {},
      collapsed: {},
      stale: {},
      revalidated: {},
      bypass: {},
      peer: {},
      none: {},
    },
    routes: [],
    responseBytes: 0,
    stallTimeouts: 0,
    readyAnswers: 0,
    openResponses: 0,
    openConnections: 0,
    pacedResponses: 0,
    abortedResponses: 0,
    cutResponses: 0,
  };
}
