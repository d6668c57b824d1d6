import { type AdminRoutes, sendJson } from './admin-server.js';
import { fieldsOf } from './purge-request.js';

/** What a reload has come to. */
export interface ReloadResult {
  /** What is wrong with the configuration, or has gone wrong with it, a line each; nothing has changed then. */
  readonly mistakes: readonly string[];
}

/** Times in which a stop is over. In milliseconds. */
export interface StopTimes {
  /** For how long it serves on. */
  readonly delay: number;
  /** For how long answers are finished then. */
  readonly grace: number;
}

/** A copy of the memory tier. */
export interface SnapshotResult {
  readonly file: string;
  /** Bytes that were written. */
  readonly bytes: number;
  readonly seconds: number;
}

/** What an edge can be told to do with itself. */
export interface EdgeControl {
  reload(): Promise<ReloadResult>;
  /** Begins to stop, as SIGTERM does. */
  stop(): StopTimes;
  /** Whether the edge is to be not ready, though it serves. */
  drain(isDrained: boolean): void;
  /**
   * Starts the program as it is installed now, which takes over.
   * @returns its process id when it serves
   * @throws EdgeError `system` when it does not come to that
   */
  upgrade(): Promise<number>;
  /**
   * Copies the memory tier to the file that is configured for that.
   * @throws EdgeError `bad_request` where there is none, `system`
   */
  snapshot(): Promise<SnapshotResult>;
}

/** Routes of the admin port that control the process. */
export function controlRoutes(control: EdgeControl): AdminRoutes {
  return {
    'POST /reload': { answer: async ({ response }) => sendJson(response, await control.reload()) },
    'POST /stop': { answer: ({ response }) => sendJson(response, control.stop()) },
    'POST /drain': {
      answer: async ({ json, response }) => {
        const isDrained = fieldsOf(await json(), ['undo']).undo !== true;
        control.drain(isDrained);
        sendJson(response, { drained: isDrained });
      },
    },
    'POST /snapshot': { answer: async ({ response }) => sendJson(response, await control.snapshot()) },
    'POST /upgrade': { answer: async ({ response }) => sendJson(response, { pid: await control.upgrade() }) },
  };
}
