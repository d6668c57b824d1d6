import type { ErrorCode } from '../base/errors.js';

/** Exit codes of `moovedge`, as sysexits.h has them, so that service managers tell what a new start can mend. */
export const EXIT = {
  ok: 0,
  /** The command line is wrong. */
  usage: 64,
  /** What was given to be read is not what it should be. */
  data: 65,
  /** What was to be read is not there. */
  noInput: 66,
  /** Somebody who is needed does not answer: the edge, an origin. */
  unavailable: 69,
  /** A defect of ours. */
  defect: 70,
  /** The system has no room for another process. */
  system: 71,
  /** A file or folder that the edge needs can't be made or used. */
  cantCreate: 73,
  /** A disk can't be read or written. */
  io: 74,
  /** Try again: the edge can't go on, or is busy; another program has the port. */
  tryAgain: 75,
  /** Somebody refuses: the admin port, an origin, the file system. */
  noPermission: 77,
  /** The configuration is wrong. A new start mends nothing. */
  config: 78,
} as const;

/** An exit code. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const OF_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  usage: EXIT.usage,
  bad_config: EXIT.config,
  port: EXIT.tryAgain,
  cache_file: EXIT.cantCreate,
  store: EXIT.io,
  system: EXIT.system,
  internal: EXIT.defect,
  bad_request: EXIT.data,
  uri_too_long: EXIT.data,
  range_not_satisfiable: EXIT.data,
  unplayable: EXIT.data,
  media_too_large: EXIT.data,
  object_changed: EXIT.data,
  not_found: EXIT.noInput,
  gone: EXIT.noInput,
  only_if_cached: EXIT.noInput,
  unauthorized: EXIT.noPermission,
  forbidden: EXIT.noPermission,
  redirected: EXIT.noInput,
  origin_protocol: EXIT.unavailable,
  origin_unavailable: EXIT.unavailable,
  origin_timeout: EXIT.unavailable,
  overloaded: EXIT.tryAgain,
  loop_detected: EXIT.unavailable,
  too_many_requests: EXIT.unavailable,
};

/** Code of a process that ends by an error. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return OF_ERROR[code];
}
