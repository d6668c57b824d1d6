/**
 * Every error that leaves a module has a code from this table. The code decides the HTTP status; nobody matches on
 * messages. A message says what was expected, what was found, and what to do.
 */
const STATUS = {
  /** The request can't be understood: bad encoding, traversal, NUL. */
  bad_request: 400,
  /** The URL is longer than is allowed. */
  uri_too_long: 414,
  /** The origin has no such object, or the path leads outside the origin. */
  not_found: 404,
  /** The origin says that the object is gone for good. */
  gone: 410,
  /** The origin wants credentials, or other ones. */
  unauthorized: 401,
  /** The origin forbids the object. */
  forbidden: 403,
  /** A client asks more often than it may. */
  too_many_requests: 429,
  /** A range, or a start, that lies past the end. */
  range_not_satisfiable: 416,
  /** A seek into a file whose index is broken or that can't be cut. */
  unplayable: 422,
  /** A seek into a file that is larger than a limit of the configuration. */
  media_too_large: 422,
  /** The origin has the object elsewhere, and players are to go there themselves. */
  redirected: 302,
  /** The origin answered with something that is not what was asked for. */
  origin_protocol: 502,
  /** The origin can't be reached, reset the connection, or answered 5xx. */
  origin_unavailable: 502,
  /** The origin did not answer in time. */
  origin_timeout: 504,
  /** The object changed at the origin while it was being read. */
  object_changed: 502,
  /** A queue or a share is full: come back later. */
  overloaded: 503,
  /** Only a cached answer was wanted and there is none (RFC 9111 5.2.1.7). */
  only_if_cached: 504,
  /** The request has come through this edge before (RFC 8586). */
  loop_detected: 508,
  /** The command line is wrong. Never sent to a player. */
  usage: 500,
  /** The configuration is wrong, wherever it stands. Never sent to a player. */
  bad_config: 500,
  /** A port can't be listened on. Never sent to a player. */
  port: 500,
  /** The system has no room for another process. Never sent to a player. */
  system: 500,
  /** The memory tier's file can't be used. Never sent to a player. */
  cache_file: 500,
  /** The disk tier or catalog can't be used. Never sent to a player. */
  store: 500,
  /** A defect of ours. */
  internal: 500,
} as const;

/** The closed set of error codes. */
export type ErrorCode = keyof typeof STATUS;

/** True for a code of the table, for codes that come from outside the process. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(STATUS, code);
}

/** The origin's part in an error, for the log: players don't see it. */
export interface OriginTrouble {
  /** Name of the origin in the configuration. */
  readonly origin: string;
  /** What was asked for, without credentials of the origin. */
  readonly url: string;
  readonly expected: string;
  readonly found: string;
}

/** An answer of the origin that players get as it is, but for fields that concern the origin or one connection. */
export interface PassedAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  /** Undefined when it did not come whole or is not to be shown: the error's message stands for it. */
  readonly body: Uint8Array | undefined;
  /** Milliseconds since 1970 at which the origin vouched for it; undefined unless it was remembered. */
  readonly vouched?: number;
}

/** What an error holds beside its code and message. */
export interface ErrorOptions {
  /** Kept for the log. */
  readonly cause?: unknown;
  /** Seconds, sent as Retry-After. */
  readonly retryAfter?: number;
  /** Go into the answer, such as Content-Range on 416. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly trouble?: OriginTrouble;
  /** Why, for the access log alone. */
  readonly reason?: string;
  /** Goes to the player in place of the code's status and the message. */
  readonly answer?: PassedAnswer;
}

/**
 * An error with a code; `message` is fit to be shown to the user who caused it and holds no stack, path of the machine
 * or secret.
 */
export class EdgeError extends Error {
  override readonly name = 'EdgeError';

  /**
   * @param code what kind of error this is
   * @param message what was expected, what was found, what to do; one line
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly options: ErrorOptions = {},
  ) {
    // What was expected and found is in the message; a stack would cost more than the answer to a wrong request.
    const { stackTraceLimit } = Error;
    if (code !== 'internal') Error.stackTraceLimit = 0;
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
  }

  /** The same error, with more that is known of it. */
  with(more: ErrorOptions): EdgeError {
    return new EdgeError(this.code, this.message, { ...this.options, ...more });
  }

  /** HTTP status of the answer that this error becomes when it is met before the first byte. */
  get status(): number {
    return STATUS[this.code];
  }
}

/** `error` itself when it has a code, otherwise an `internal` error caused by it. */
export function asEdgeError(error: unknown): EdgeError {
  if (error instanceof EdgeError) return error;
  return new EdgeError('internal', 'the edge failed; its log says why', { cause: error });
}
