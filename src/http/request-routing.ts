import type { OpenObject, OpenStream } from '../catalog/content.js';

/** A player's request before it is known which edge answers it. */
export interface UnroutedRequest {
  /** Path as it was checked, and path and query for whoever answers. */
  readonly path: string;
  readonly url: string;
  /** It reads the beginning of the film, as far as its range tells. */
  readonly fromStart: boolean;
  /** A field of the request by name in lower case, '' when there is none. */
  field(name: string): string;
  /** Address of the client; valid within the handler of the request. */
  client(): string;
}

/** What is asked of another edge. */
export interface HopRequest {
  readonly host: string;
  readonly path: string;
  /** With the parameters of views. */
  readonly query: string;
  /** Bytes that the player is about to read. */
  readonly hint: { readonly start: number; readonly end: number };
  /** Fields of the player's request that may go on, names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Other edges that should answer a request. */
export interface Elsewhere {
  /**
   * Opens what they answer with; undefined when none of them can, so that this edge must answer.
   * @throws EdgeError (rejects with one): they refuse the request as this edge would
   */
  open(request: HopRequest): Promise<OpenObject | OpenStream | undefined>;
}

/** Knows which edge of a cluster answers which request. */
export interface RequestRouting {
  /**
   * Who answers; undefined for this edge.
   * @throws EdgeError `redirected` when the player is to go there itself, `loop_detected`
   */
  find(request: UnroutedRequest): Elsewhere | undefined;
}
