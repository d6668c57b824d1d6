import type { Followed } from '../base/cause.js';
import type { AccessEntry } from './access-entry.js';

/** A request that is followed, in words of traces. */
export interface RequestSpan {
  /** What tells the next hop which trace it is part of (W3C Trace Context, section 3.2). */
  readonly traceparent: string;
  /** Follows a request that is made for it; as `Cause.follow`. */
  follow(to: string, url: string): Followed;
  end(answer: AccessEntry): void;
}

/** Follows a share of all requests. */
export interface Tracing {
  /**
   * @param parent traceparent of a hop before that is trusted, which has decided whether this one is followed; '' where
   *   there is none
   * @returns undefined for a request that is not followed
   */
  begin(method: string, parent: string): RequestSpan | undefined;
}
