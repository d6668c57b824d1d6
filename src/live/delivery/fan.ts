import type { NativeAddon } from '../../base/native.js';
import type { ViewerProtocol } from './live-stats.js';
import type { Viewer } from './viewer.js';
import { FRAME_PREFIX } from './viewer-socket.js';

/** Sends one batch to many sockets, in one call of the addon. */
export type SendToAll = NativeAddon['sendToAll'];

/** A viewer that has not taken a batch whole. */
export interface Late {
  readonly viewer: Viewer;
  /** Bytes taken, prefix included; negative when it is gone. */
  readonly taken: number;
}

const NOBODY: readonly Late[] = [];

/** The viewers of a stream by one protocol that are up to date, and sent to at once. */
export class Fan {
  readonly #sendToAll: SendToAll;
  readonly #prefix: (length: number) => Uint8Array;
  readonly viewers: Viewer[] = [];
  #sockets = new Int32Array(8);
  #taken = new Int32Array(8);
  /** Bytes that have been sent to each viewer that was there all the time. */
  sentToEach = 0;

  constructor(sendToAll: SendToAll, protocol: ViewerProtocol) {
    this.#sendToAll = sendToAll;
    this.#prefix = FRAME_PREFIX[protocol];
  }

  get size(): number {
    return this.viewers.length;
  }

  add(viewer: Viewer): void {
    viewer.index = this.viewers.push(viewer) - 1;
    viewer.fannedAt = this.sentToEach;
    if (this.viewers.length > this.#sockets.length) {
      const sockets = new Int32Array(this.#sockets.length * 2);
      sockets.set(this.#sockets);
      this.#sockets = sockets;
      this.#taken = new Int32Array(sockets.length);
    }
    this.#sockets[viewer.index] = viewer.socket.descriptor;
  }

  remove(viewer: Viewer): void {
    const { index } = viewer;
    const last = this.viewers.pop()!;
    if (last !== viewer) {
      this.viewers[index] = last;
      this.#sockets[index] = last.socket.descriptor;
      last.index = index;
    }
    viewer.index = -1;
    viewer.sent += this.sentToEach - viewer.fannedAt;
  }

  /** Sends a batch to all; returns those who have not taken it whole, in any order. */
  send(batch: Uint8Array): readonly Late[] {
    const count = this.viewers.length;
    this.sentToEach += batch.length;
    if (count === 0) return NOBODY;
    const prefix = this.#prefix(batch.length);
    const few = this.#sendToAll(this.#sockets, count, prefix, batch, 0, this.#taken);
    if (few === 0) return NOBODY;
    const late: Late[] = [];
    const whole = prefix.length + batch.length;
    for (let at = 0; at < count; at++) {
      if (this.#taken[at] !== whole) late.push({ viewer: this.viewers[at]!, taken: this.#taken[at]! });
    }
    return late;
  }
}
