import { createHmac, randomBytes } from 'node:crypto';
import { RtmpError } from './rtmp-error.js';

/*
 * The server's side of the handshake: C0 and C1 come, S0, S1 and S2 answer, C2 comes (RTMP 1.0, section 5.2). Clients
 * whose C1 has a version instead of zeros in its bytes 4 to 7 sign it, in one of two layouts, and expect a signature:
 * that digest lies where the sum of four bytes says.
 */

/** Bytes of C1, C2, S1 and S2. */
const PACKET = 1536;
const DIGEST = 32;
const VERSION = 3;

/** What both sides append to their name to make a key. */
const SUFFIX = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');
const CLIENT_KEY = Buffer.from('Genuine Adobe Flash Player 001');
const SERVER_NAME = Buffer.from('Genuine Adobe Flash Media Server 001');
const SERVER_KEY = Buffer.concat([SERVER_NAME, SUFFIX]);
/** Where the sum of the digest's offset lies, in each layout; the offset counts from behind it. */
const LAYOUTS = [8, 772];

/** How a client shook hands. */
export type HandshakeKind = 'simple' | 'digest';

/** The handshake of one connection, fed with whatever pieces come. */
export class Handshake {
  readonly #answer: (bytes: Buffer) => void;
  readonly #opening = Buffer.alloc(1 + PACKET);
  #length = 0;
  /** Undefined until C1 is there. */
  kind: HandshakeKind | undefined;

  /** @param answer is given S0, S1 and S2 as soon as C0 and C1 are there */
  constructor(answer: (bytes: Buffer) => void) {
    this.#answer = answer;
  }

  /** True when C2 has come. What it says is not looked at: senders get it wrong. */
  get isDone(): boolean {
    return this.#length === 1 + 2 * PACKET;
  }

  /**
   * @returns how many of the bytes belong to the handshake
   * @throws RtmpError when this is no RTMP
   */
  read(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, 1 + 2 * PACKET - this.#length);
    if (this.#length < this.#opening.length)
      this.#opening.set(bytes.subarray(0, this.#opening.length - this.#length), this.#length);
    this.#length += taken;
    if (this.#length > 0 && this.#opening[0] !== VERSION) {
      throw new RtmpError('protocol', `expected RTMP version ${VERSION}, found ${nameOf(this.#opening[0]!)}`);
    }
    if (this.kind === undefined && this.#length >= this.#opening.length) this.#shake(this.#opening.subarray(1));
    return taken;
  }

  #shake(c1: Buffer): void {
    const layout = c1.readUInt32BE(4) === 0 ? undefined : LAYOUTS.find(at => isSigned(c1, at));
    this.kind = layout === undefined ? 'simple' : 'digest';
    const answer = Buffer.allocUnsafe(1 + 2 * PACKET);
    answer[0] = VERSION;
    const s1 = answer.subarray(1, 1 + PACKET);
    const s2 = answer.subarray(1 + PACKET);
    randomBytes(PACKET).copy(s1);
    s1.fill(0, 0, 8);
    if (layout === undefined) {
      c1.copy(s2);
    } else {
      // A version, such as that of Flash Media Server 4.5, which says that S1 is signed.
      s1.writeUInt32BE(0x04050001, 4);
      digestOf(s1, layout, SERVER_NAME).copy(s1, digestAt(s1, layout));
      randomBytes(PACKET - DIGEST).copy(s2);
      const at = digestAt(c1, layout);
      const key = hmac(SERVER_KEY, c1.subarray(at, at + DIGEST));
      hmac(key, s2.subarray(0, PACKET - DIGEST)).copy(s2, PACKET - DIGEST);
    }
    this.#answer(answer);
  }
}

/** Says what an unexpected first byte is likely to be. */
function nameOf(byte: number): string {
  if (byte === 6 || byte === 8) return `${byte}, which is RTMPE: use RTMPS instead`;
  if (byte === 0x16) return `${byte}, which begins TLS: this port speaks plain RTMP`;
  return /[A-Z]/.test(String.fromCharCode(byte)) ? `${byte}, which may begin an HTTP request` : String(byte);
}

function digestAt(packet: Buffer, layout: number): number {
  const sum = packet[layout]! + packet[layout + 1]! + packet[layout + 2]! + packet[layout + 3]!;
  return layout + 4 + (sum % 728);
}

function digestOf(packet: Buffer, layout: number, key: Buffer): Buffer {
  const at = digestAt(packet, layout);
  return hmac(key, packet.subarray(0, at), packet.subarray(at + DIGEST));
}

function isSigned(packet: Buffer, layout: number): boolean {
  const at = digestAt(packet, layout);
  return packet.subarray(at, at + DIGEST).equals(digestOf(packet, layout, CLIENT_KEY));
}

function hmac(key: Buffer, ...parts: readonly Buffer[]): Buffer {
  const hash = createHmac('sha256', key);
  for (const part of parts) hash.update(part);
  return hash.digest();
}
