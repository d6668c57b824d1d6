import type { NativeAddon } from '../base/native.js';
import type { SendToAll } from '../live/delivery/fan.js';
import type { LiveViewing } from '../live/delivery/live-viewing.js';
import type { WantedStreams } from '../live/delivery/wanted-streams.js';
import type { WatchedStream } from '../live/delivery/watched-stream.js';

/** Bytes that the kernel may hold of a viewer's answer unsent: lag that nobody sees, so only a little. */
export const UNSENT = 32 * 1024;

/** A place that another edge of the cluster has for a stream. */
export interface LinkPlace {
  /** Its link has ended. */
  leave(): void;
}

/** Places for other edges of the cluster, of which a stream has only so many. */
export interface LinkPlaces {
  /**
   * Asks for one.
   * @param peer id of the other edge
   * @returns the place; else ids of edges that have one, which it may ask
   */
  ask(stream: string, peer: string): Promise<LinkPlace | readonly string[]>;
}

/** What the front end has to know of live streams. */
export interface LivePort {
  /** Where their URLs begin, with a slash at both ends. */
  readonly path: string;
  readonly viewing: LiveViewing;
  /** Brings streams that are elsewhere; undefined where there are none but those of this edge. */
  readonly wanted?: WantedStreams | undefined;
  /** Undefined for an edge on its own. */
  readonly links?: LinkPlaces | undefined;
  /** Requests of HLS that wait for what comes; undefined where HLS is not served. */
  readonly hls?: { drain(): void } | undefined;
  /** Sends to sockets past the front end. */
  readonly sendToAll: SendToAll;
  /** Bounds what the kernel takes of a socket beyond what it has sent. */
  readonly limitUnsent: NativeAddon['limitUnsent'];
}

/** A stream by its name, when it is here or as soon as it has been brought. @param via field CDN-Loop of the request */
export function findStream(
  { viewing, wanted }: LivePort,
  name: string,
  via: string,
): WatchedStream | Promise<WatchedStream | undefined> | undefined {
  return wanted === undefined ? viewing.find(name) : wanted.find(name, via);
}
