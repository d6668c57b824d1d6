/** A request of a player that something is done for: origins and other edges that are asked for it are told of it. */
export interface Cause {
  /** Its id, as the access log has it; goes on as X-Request-Id. */
  readonly requestId: string;
  /**
   * Begins to follow a request that is made for it.
   * @param to name of the origin
   * @param url without credentials
   * @returns undefined where nobody follows it
   */
  follow(to: string, url: string): Followed | undefined;
}

/** A request to an origin that is followed for a player's. */
export interface Followed {
  /** What tells the origin which trace the request is part of (W3C Trace Context, section 3.2). */
  readonly traceparent: string;
  /** @param outcome status of the answer, or the code of the error that came in its place */
  answered(outcome: number | string): void;
}

/**
 * The fields by which the next hop is told of a cause.
 * @param traceparent of who follows the request
 */
export function causeFields(cause: Cause | undefined, traceparent: string | undefined): Record<string, string> {
  if (cause === undefined) return {};
  const fields: Record<string, string> = { 'x-request-id': cause.requestId };
  if (traceparent !== undefined) fields.traceparent = traceparent;
  return fields;
}
