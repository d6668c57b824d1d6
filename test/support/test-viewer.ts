import assert from 'node:assert/strict';
import { chunkPrefix, type ViewerSocket } from '../../src/live/delivery/viewer-socket.js';

/** A tag that a viewer has got. */
export interface Got {
  readonly type: number;
  readonly timestamp: number;
  readonly data: Buffer;
}

/** The tags of what a viewer got, which must be whole. */
export function gotTags(bytes: Buffer): { flags: number; tags: Got[] } {
  assert.equal(bytes.subarray(0, 3).toString(), 'FLV');
  const tags: Got[] = [];
  let at = 13;
  while (at < bytes.length) {
    const size = bytes.readUIntBE(at + 1, 3);
    assert.ok(at + 15 + size <= bytes.length, 'the last tag is whole');
    assert.equal(bytes.readUInt32BE(at + 11 + size), 11 + size);
    const timestamp = bytes.readUIntBE(at + 4, 3) + bytes[at + 7]! * 0x1000000;
    tags.push({ type: bytes[at]!, timestamp, data: bytes.subarray(at + 11, at + 11 + size) });
    at += 15 + size;
  }
  return { flags: bytes[4]!, tags };
}

/** The socket of a viewer in this process, which keeps what it takes. */
export class TestSocket implements ViewerSocket {
  bytes = Buffer.alloc(0);
  /** Bytes that it takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  ended = false;
  isCut = false;
  gone = false;
  leave = () => {};
  /** Called before it takes anything: what else happens in that moment. */
  meanwhile = () => {};

  constructor(readonly descriptor: number) {}

  begin(bytes: Uint8Array): boolean {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    return true;
  }

  isFree(): boolean {
    return true;
  }

  canEnd(): boolean {
    return true;
  }

  take(prefix: number, frame: Uint8Array, skip: number): number {
    if (this.gone) return -1;
    this.meanwhile();
    const whole = prefix + frame.length - skip;
    const taken = Math.min(whole, this.room);
    this.room -= taken;
    const from = Math.max(0, skip - prefix);
    const to = Math.max(0, skip + taken - prefix);
    this.bytes = Buffer.concat([this.bytes, frame.subarray(from, to)]);
    return taken;
  }

  send(frame: Uint8Array, skip: number, length: number): number {
    return this.take(chunkPrefix(length).length, frame, skip);
  }

  size(length: number): number {
    return chunkPrefix(length).length + length;
  }

  brokenOff(): void {}

  end(): void {
    this.ended = true;
  }

  cut(): void {
    this.isCut = true;
    this.leave();
  }
}
