import type { Asker } from '../base/asker.js';
import type { EdgeError } from '../base/errors.js';
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
  /** Address of the client. */
  client(): string;
}

/** What is asked of another edge. */
export interface HopRequest {
  readonly method: 'GET' | 'HEAD';
  readonly host: string;
  readonly path: string;
  /** With the parameters of views. */
  readonly query: string;
  /** Bytes that the player is about to read. */
  readonly hint: { readonly start: number; readonly end: number };
  /** For whom an origin is asked. */
  readonly asker: Asker;
  /** Fields of the player's request that may go on, names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  /** Its range and its conditions, names in lower case. */
  readonly selection: Readonly<Record<string, string>>;
}

/** Head of another edge's answer. */
export interface RelayedHead {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: Readonly<Record<string, string | readonly string[]>>;
  /** A body follows. */
  readonly hasBody: boolean;
  /** Bytes of the body, or of what it would be; undefined when they are not known before its end. */
  readonly length: number | undefined;
}

/** Takes another edge's answer as it comes: its head, then its bytes and its end; or that it failed, at any point. */
export interface RelaySink {
  answered(head: RelayedHead): void;
  /** @param chunk valid until it returns, or while the relay is paused */
  bytes(chunk: Uint8Array): void;
  /** It has been given whole. */
  ended(): void;
  /** @param error why the answer can't go on; undefined before the head, when the request must be opened */
  failed(error: EdgeError | undefined): void;
}

/** Bytes on their way from another edge to a player, past the sink. */
export interface Carriage {
  /** Bytes that the player's socket has taken. */
  readonly bytes: number;
  /** It takes no more for now. */
  readonly isHeld: boolean;
}

/** An answer of another edge under way. */
export interface RelayHandle {
  pause(): void;
  /** Lets bytes flow again; they come later, not from within this call. */
  resume(): void;
  /**
   * Has the rest of the body go to the player's socket, past the sink and past the front end.
   * @param socket the gate's number of it; it owes nothing
   * @param carried told, maybe from within this call, how many bytes that socket has taken, and whether it takes
   * nothing any more; what is missing then comes to the sink, or the failure
   * @returns false when that can't be done
   */
  carry(socket: number, carried: (bytes: number, isLost: boolean) => void): boolean;
  /** How far that has come. */
  carriage(): Carriage;
  /** The sink hears nothing more. */
  cancel(): void;
}

/** Other edges that should answer a request. */
export interface Elsewhere {
  /**
   * Has the first of them answer, whose answer goes on as it is. The sink is not called from within.
   * @returns undefined when the request must be opened
   */
  relay(request: HopRequest, sink: RelaySink): RelayHandle | undefined;
  /**
   * Opens what they answer with, but for one that has failed; undefined when none of them can, so that this edge must
   * answer.
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
