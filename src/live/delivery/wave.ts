import { Fan, type SendToAll } from './fan.js';
import type { ViewerProtocol } from './live-stats.js';
import type { Viewer } from './viewer.js';

/**
 * Viewers of a stream who are sent to in one turn. A stream of many viewers has several waves, whose turns are spread
 * over a batch: so the last of them waits no longer than the first, and other work of the process never waits for all.
 */
export class Wave {
  readonly fans: Readonly<Record<ViewerProtocol, Fan>>;
  /** Viewers that are sent to by themselves. */
  readonly behind = new Set<Viewer>();
  /** Sequence up to which, and version of headers with which, those who are up to date have been sent. */
  upTo: number;
  version = 0;

  constructor(
    /** Place among the waves of its stream. */
    readonly number: number,
    upTo: number,
    sendToAll: SendToAll,
  ) {
    this.upTo = upTo;
    this.fans = { http: new Fan(sendToAll, 'http'), websocket: new Fan(sendToAll, 'websocket') };
  }

  get size(): number {
    return this.behind.size + this.fanned;
  }

  /** How many are sent to at once. */
  get fanned(): number {
    return this.fans.http.size + this.fans.websocket.size;
  }

  /** A list of those who are sent to at once. */
  get upToDate(): Viewer[] {
    return [...this.fans.http.viewers, ...this.fans.websocket.viewers];
  }

  /** Takes a viewer, who is sent to by itself at first. */
  add(viewer: Viewer): void {
    viewer.wave = this.number;
    this.behind.add(viewer);
  }

  /** A viewer has left. */
  remove(viewer: Viewer): void {
    this.leaveFan(viewer);
    this.behind.delete(viewer);
  }

  /** A viewer that has got all joins those who are sent to at once, when these are as far. */
  catchUp(viewer: Viewer): void {
    if (viewer.socket.descriptor === 0 || viewer.link !== undefined) return;
    // Those who are up to date have been sent up to here, or nobody is and nothing has.
    if (this.fanned === 0) {
      this.upTo = viewer.next;
      this.version = viewer.version;
    }
    if (this.upTo !== viewer.next) return;
    this.behind.delete(viewer);
    this.fans[viewer.protocol].add(viewer);
  }

  /**
   * Whether somebody is still to be sent tags before the head of a stream that has ended.
   * @param late milliseconds since the end beyond which only those are waited for who had gone back: they are as far
   * behind the end as they were behind the present
   */
  lacks(head: number, late: number): boolean {
    if (this.fanned > 0 && this.upTo < head) return true;
    for (const { begun, frame, next, shift, headStart } of this.behind) {
      if (late <= headStart && (shift !== undefined || (begun && (frame !== undefined || next < head)))) return true;
    }
    return false;
  }

  /** A viewer is sent to by itself from now on, if by anybody. */
  leaveFan(viewer: Viewer): void {
    if (viewer.index < 0) return;
    this.fans[viewer.protocol].remove(viewer);
    viewer.next = this.upTo;
    viewer.version = this.version;
  }
}
