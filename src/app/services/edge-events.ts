import type { ClusterState } from '../../cluster/cluster-state.js';
import type { Audience } from '../../live/delivery/live-stats.js';
import type { WantedStream } from '../../live/delivery/wanted-streams.js';
import type { Link } from '../../live/relay/link-table.js';
import type { StreamPlace } from '../../live/ring/stream-place.js';
import type { SupervisorEvents } from '../../supervisor/service.js';

/** The live streams of an edge, for those who read them. */
export interface LiveStreams {
  readonly streams: readonly StreamPlace[];
  /** This edge in the lists of edges that requests have gone through. */
  readonly self: string;
}

/** A warning of an answer that ended badly, or was refused. */
export interface BadEnd {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Number of the worker. */
  readonly worker: number;
  /** What happened. */
  readonly text: string;
  /** What is known of it: id, url, status, code, reason, origin, expected, found, count of such ones … */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Who watches what in a worker, by names of streams. */
export type Audiences = Readonly<Record<string, Audience>>;

/**
 * What an edge's workers tell its services, and what services tell workers: a new kind of event is a line here, its
 * sender and its listener.
 */
export interface EdgeEvents extends SupervisorEvents {
  /** To workers: the file of the access log has another name now. */
  accessLogRenamed: [];
  /** An answer has ended badly, or a request was refused. */
  badEnd: [end: BadEnd];
  /** A block on disk was found damaged: the 32-bit words of its object's id, and its number. */
  damagedBlock: [id: readonly number[], block: number];
  /** Who watches live streams in a process; told once a second while there are some. */
  liveAudiences: [process: number, audiences: Audiences];
  /** Another edge wants a stream of this one. */
  liveLinkAsked: [link: Link];
  /** It has left. */
  liveLinkLeft: [link: Link];
  /** To workers: whether there is a place for it; null when there is, else edges that it may ask. */
  liveLinkAnswered: [key: string, others: readonly string[] | null];
  /** To workers: by what they know the edge's own requests. */
  ownKey: [key: string];
  /** To workers: the cluster as it is from here on. */
  clusterState: [state: ClusterState];
  /** Streams that viewers of a worker want which are not here, or that came from elsewhere and are watched still. */
  liveWanted: [streams: readonly WantedStream[]];
  /** To workers: a stream that was wanted is nowhere. */
  liveMissing: [name: string];
  /** To workers: the live streams that there are from here on. */
  liveStreams: [live: LiveStreams];
}
