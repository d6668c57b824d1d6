/** Bounds on connections of Node. */
export interface NodeLimits {
  /** Milliseconds in which the head of a request must have come. */
  readonly head: number;
  /** Milliseconds that a connection may be idle. */
  readonly idle: number;
  /** Most requests under way on a connection of HTTP/2. */
  readonly streams: number;
}
