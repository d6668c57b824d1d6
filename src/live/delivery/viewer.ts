import { copyOut } from '../ring/ring-copy.js';
import type { RingReader } from '../ring/ring-reader.js';
import type { ShiftReader } from '../shift/shift-reader.js';
import type { ViewerProtocol } from './live-stats.js';
import type { ViewerSocket } from './viewer-socket.js';

/** Most bytes that are offered to a socket that was full. */
const PROBE = 8 * 1024;

/** A time at which a viewer wants to begin: so long after the stream's beginning, or before the present. */
export interface ShiftStart {
  readonly from: 'beginning' | 'present';
  readonly milliseconds: number;
}

/**
 * How a viewer begins: with the newest group of pictures that there is, with the next one, with an older one, or, as
 * other edges do, with a segment of HLS.
 */
export type ViewerStart = 'newest' | 'next' | 'segment' | ShiftStart;

/** What is sent to a viewer: all tags, or none with pictures up to the next key frame. */
export type ViewerMode = 'all' | 'sound';

/** Another edge that is sent a stream: at once what comes, with the numbers of its segments. */
export interface ViewerLink {
  /** Its id in the cluster; undefined for one that has come like a player. */
  readonly peer: string | undefined;
  /** Level of the stream here, which the other edge has been told of. */
  readonly level: number;
}

/**
 * What a socket does with a frame: it takes all that is left of it, all that it was offered, or less than that; the
 * frame is not in the ring any more, or the viewer is gone.
 */
export type FrameFate = 'whole' | 'part' | 'full' | 'lost' | 'gone';

/** One viewer of a live stream: its place in the ring, and the frame that its socket has taken a part of. */
export class Viewer {
  /** Sequence of the tag that comes behind the frame at hand. */
  next = 0;
  mode: ViewerMode = 'all';
  /** Version of the headers that it has. */
  version = 0;
  begun = false;
  over = false;
  /** Its way through the recording, while it is behind what the ring keeps. */
  shift: ShiftReader | undefined;
  /** The frame at hand; undefined when the socket owes none. */
  frame: Uint8Array | undefined;
  /** Sequence of the frame's first tag; -1 when its bytes are no longer the ring's. */
  frameFirst = -1;
  /** Bytes of the frame that were taken, its prefix included. */
  taken = 0;
  /** Milliseconds of the monotonic clock since when the socket has taken nothing; 0 while it owes nothing. */
  stuckSince = 0;
  /** Milliseconds that it was behind when it began, beyond which the limit counts; 0 once it has caught up. */
  headStart = 0;
  /** Number of the wave in which it is sent to. */
  wave = 0;
  /** Place among those that are sent to at once; -1 for one that is sent to by itself. */
  index = -1;
  /** Bytes taken, but for those that were sent to all at once since `fannedAt`. */
  sent = 0;
  /** The stream's count of bytes sent to each viewer at once, when this one came to them. */
  fannedAt = 0;
  /** Number of the segment of HLS that another edge has been told of; -1 for none. */
  segment = -1;

  constructor(
    readonly socket: ViewerSocket,
    readonly protocol: ViewerProtocol,
    /** How it wants to begin. */
    public start: ViewerStart,
    /** Of one that is another edge. */
    readonly link?: ViewerLink,
  ) {}

  /**
   * Has a frame to send. @param first number of its first tag; -1 when its bytes are not the ring's
   * @param next number of the tag behind it
   */
  hold(frame: Uint8Array, first: number, next: number): true {
    this.frame = frame;
    this.frameFirst = first;
    this.taken = 0;
    this.next = next;
    return true;
  }

  /** Offers the frame at hand to the socket. @param now milliseconds of the monotonic clock */
  sendFrame(ring: RingReader, now: number): FrameFate {
    const frame = this.frame!;
    const { socket, frameFirst: first } = this;
    const size = socket.size(frame.length);
    const prefix = size - frame.length;
    const from = Math.max(0, this.taken - prefix);
    // For a socket that was full little is copied in vain.
    const to = first < 0 || this.stuckSince === 0 ? frame.length : Math.min(frame.length, from + PROBE);
    const bytes = first < 0 ? frame : copyOut(ring, frame, first, from, to);
    if (bytes === undefined) return 'lost';
    const taken = socket.send(bytes, this.taken, frame.length);
    if (taken < 0) return 'gone';
    this.taken += taken;
    if (this.taken < prefix + to) {
      if (taken > 0) this.stuckSince = now;
      return 'full';
    }
    this.stuckSince = 0;
    if (this.taken < size) return 'part';
    this.sent += frame.length;
    this.frame = undefined;
    return 'whole';
  }
}
