import type { ErrorCode } from '../base/errors.js';
import type { MetricsSnapshot } from '../observe/metrics.js';
import type { SupervisedConfig } from './supervised-config.js';

/** A worker as it stands. */
export interface WorkerReport {
  readonly metrics: MetricsSnapshot;
  /** Counters of its modules, for people; plain data. */
  readonly stats: object;
}

/** An error on its way between processes. */
export interface ErrorMessage {
  readonly code: ErrorCode;
  readonly message: string;
}

/** From the supervisor to a worker, over the channel of `child_process.fork`. */
export type ToWorker =
  /** The first message: become this worker. */
  | {
      readonly type: 'start';
      readonly config: SupervisedConfig;
      readonly index: number;
      readonly workers: number;
      readonly generation: number;
      /** Descriptors that the services have handed down. */
      readonly inherited: readonly number[];
    }
  /**
   * Stop accepting, finish what runs within `deadline` milliseconds, exit with 0. A later one may only shorten the
   * deadline.
   */
  | { readonly type: 'drain'; readonly deadline: number }
  /** Open log files again by their names. */
  | { readonly type: 'reopenLogs' }
  /** Something that a service tells all workers, by its name. */
  | { readonly type: 'event'; readonly name: string; readonly args: readonly unknown[] }
  /** Asks for a report; also how the supervisor sees that a worker's event loop turns. */
  | { readonly type: 'ask'; readonly id: number };

/** From a worker to its supervisor. */
export type ToSupervisor =
  /** Players are being served. */
  | { readonly type: 'ready' }
  /** The start failed for a reason that people should read; the worker exits. */
  | { readonly type: 'failed'; readonly error: ErrorMessage }
  /** Something that services of the edge listen to, by its name. */
  | { readonly type: 'event'; readonly name: string; readonly args: readonly unknown[] }
  | { readonly type: 'answer'; readonly id: number; readonly report: WorkerReport }
  /** The last word of a worker that has drained, so that nothing it counted is lost. */
  | { readonly type: 'farewell'; readonly report: WorkerReport };
