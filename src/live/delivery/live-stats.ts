/** Protocols in which viewers are sent FLV tags. */
export type ViewerProtocol = 'http' | 'websocket';

/** Who watches a stream in a process, and how many tags they have not got because they were too slow. */
export interface Audience {
  readonly viewers: Record<ViewerProtocol, number>;
  readonly dropped: number;
  /** Ids of the edges of the cluster among them. */
  readonly peers: readonly string[];
}

/** Why the edge has parted with a viewer that did not leave by itself. */
export type DisconnectReason = 'stalled' | 'overrun' | 'ended' | 'drain';

/** Counters of live viewers of a process. */
export interface LiveStats {
  readonly viewers: Record<ViewerProtocol, number>;
  /** Tags that viewers did not get because they were too slow. */
  droppedFrames: number;
  readonly disconnects: Record<DisconnectReason, number>;
  /** Bytes of tags that sockets have taken. */
  sentBytes: number;
}

/** Counters at zero. */
export function liveStats(): LiveStats {
  return {
    viewers: { http: 0, websocket: 0 },
    droppedFrames: 0,
    disconnects: { stalled: 0, overrun: 0, ended: 0, drain: 0 },
    sentBytes: 0,
  };
}
