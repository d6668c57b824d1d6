import type { NativeAddon } from '../base/native.js';
import type { SendToAll } from '../live/delivery/fan.js';
import type { LiveViewing } from '../live/delivery/live-viewing.js';
import type { WantedStreams } from '../live/delivery/wanted-streams.js';
import type { WatchedStream } from '../live/delivery/watched-stream.js';

/** Bytes that the kernel may hold of a viewer's answer unsent: lag that nobody sees, so only a little. */
export const UNSENT = 32 * 1024;

/** What the front end has to know of live streams. */
export interface LivePort {
  /** Where their URLs begin, with a slash at both ends. */
  readonly path: string;
  readonly viewing: LiveViewing;
  /** Brings streams that are elsewhere; undefined where there are none but those of this edge. */
  readonly wanted?: WantedStreams | undefined;
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

/** A stream that is published on this edge. */
export function ownStream({ viewing }: LivePort, name: string): WatchedStream | undefined {
  const stream = viewing.find(name);
  return stream?.isPulled === true ? undefined : stream;
}
