import { createHmac, createSecretKey, type KeyObject, randomFillSync, timingSafeEqual } from 'node:crypto';
import { PEER_FIELD } from '../../base/peer-fields.js';
import { SELECTION } from '../../base/request-fields.js';

/**
 * What an edge asks another one for:
 * - `hop`: to answer a player's request
 * - `fill`: bytes of an object as the origin has it, from the owner's cache or by it from the origin
 * - `cached`: the same, as far as they are cached there: nothing is fetched for it, and nobody waited for
 * - `live`: a live stream that is there
 * - `probe`: whether it lives
 */
export type PeerMark = 'hop' | 'fill' | 'cached' | 'live' | 'probe';

/** Version of what edges say to one another. An edge of another version refuses, and is not asked again for a while. */
const PROTOCOL = '1';
/** Milliseconds by which the clocks of two edges may differ, the way of a request included. */
export const TIME_WINDOW = 30_000;

/** What a signature covers beside the field itself. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The request's other fields by name in lower case; '' when it has none of that name. */
  field(name: string): string;
}

/** What a request from a peer says. */
export interface PeerClaim {
  /** Ids of the edge that asks and the one that is asked. */
  readonly from: string;
  readonly to: string;
  readonly mark: PeerMark;
  /** Revision of the map by which it was sent here. */
  readonly epoch: number;
  /** Milliseconds since 1970 by the clock of who asks. */
  readonly time: number;
  /** Never the same twice. */
  readonly nonce: string;
  /** Host field of the player's request. */
  readonly host: string;
  /** Signature, which the answer's own refers to. */
  readonly signature: string;
}

/** What an answer of a peer says. */
export interface PeerVoucher {
  /** Load of the answering edge; see `LoadMeter`. */
  readonly load: number;
  /** On how many edges beside the owner the film should be, and for how many milliseconds; 0 when it is not hot. */
  readonly copies: number;
  readonly lifetime: number;
}

/** Why a request from a peer, or an answer of one, is not heeded. */
export type PeerRefusal = 'certificate' | 'unsigned' | 'version' | 'addressee' | 'secret' | 'time' | 'replay';

const MARKS: ReadonlySet<string> = new Set(['hop', 'fill', 'cached', 'live', 'probe']);

/**
 * Signs what edges say to one another, and checks it: HMAC-SHA256 with the secret that they share (RFC 2104). A request
 * is good for one edge, for `TIME_WINDOW` and for once; an answer only for the request that it answers.
 */
export class PeerSignature {
  readonly #key: KeyObject;
  readonly #nonces = new Nonces();

  /** @param secret undefined where edges know one another by their certificates: then anybody can sign */
  constructor(secret: string | undefined) {
    this.#key = createSecretKey(Buffer.from(secret ?? 'no secret', 'utf8'));
  }

  /** Value of the peer field of a request, and its signature. */
  request(claim: Omit<PeerClaim, 'nonce' | 'signature'>, request: SignedRequest): { value: string; signature: string } {
    const { from, to, mark, epoch, time, host } = claim;
    const nonce = this.#nonces.next();
    const words = [PROTOCOL, id(from), id(to), mark, epoch, time, nonce, id(host) || '-'].join(' ');
    const signature = this.#sign(`request ${words}\n${covered(request)}`);
    return { value: `${words} ${signature}`, signature };
  }

  /**
   * Reads and checks the peer field of a request; whether it came before is for the caller to know.
   * @param self id of this edge
   * @param now milliseconds since 1970
   */
  checkRequest(request: SignedRequest, self: string, now: number): PeerClaim | PeerRefusal {
    const value = request.field(PEER_FIELD);
    if (value === '') return 'unsigned';
    const words = value.split(' ');
    if (words[0] !== PROTOCOL) return 'version';
    const [, from, to, mark, epoch, time, nonce, host, signature] = words as string[];
    if (words.length !== 9 || signature === undefined || !MARKS.has(mark!)) return 'unsigned';
    const expected = this.#sign(`request ${words.slice(0, -1).join(' ')}\n${covered(request)}`);
    if (!equal(signature, expected)) return 'secret';
    if (to !== id(self)) return 'addressee';
    if (!(Math.abs(Number(time) - now) <= TIME_WINDOW)) return 'time';
    return {
      from: decodeURIComponent(from!),
      to: self,
      mark: mark as PeerMark,
      epoch: Number(epoch),
      time: Number(time),
      nonce: nonce!,
      host: host === '-' ? '' : decodeURIComponent(host!),
      signature,
    };
  }

  /** Value of the peer field of an answer. */
  answer({ load, copies, lifetime }: PeerVoucher, status: number, requestSignature: string): string {
    const words = `${PROTOCOL} ${Math.round(load)} ${copies} ${Math.round(lifetime)}`;
    return `${words} ${this.#sign(`answer ${words}\n${status}\n${requestSignature}`)}`;
  }

  /** Reads and checks the peer field of an answer, '' when it has none. */
  checkAnswer(value: string, status: number, requestSignature: string): PeerVoucher | PeerRefusal {
    if (value === '') return 'unsigned';
    const words = value.split(' ');
    if (words[0] !== PROTOCOL) return 'version';
    if (words.length !== 5) return 'unsigned';
    const expected = this.#sign(`answer ${words.slice(0, -1).join(' ')}\n${status}\n${requestSignature}`);
    if (!equal(words[4]!, expected)) return 'secret';
    return { load: Number(words[1]), copies: Number(words[2]), lifetime: Number(words[3]) };
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

/** Octets of a nonce, and nonces that are drawn at a time: each draw costs as much as a signature. */
const NONCE = 12;
const DRAWN = 256;

/** Random texts. */
class Nonces {
  readonly #octets = Buffer.allocUnsafeSlow(NONCE * DRAWN);
  #at = this.#octets.length;

  next(): string {
    if (this.#at === this.#octets.length) {
      randomFillSync(this.#octets);
      this.#at = 0;
    }
    this.#at += NONCE;
    return this.#octets.toString('base64url', this.#at - NONCE, this.#at);
  }
}

/** An id or a host as a word: it holds no space. */
function id(text: string): string {
  return encodeURIComponent(text);
}

function covered(request: SignedRequest): string {
  const lines = [request.method, request.target];
  for (const name of SELECTION) lines.push(request.field(name));
  return lines.join('\n');
}

/** Compares in a time that tells nothing of where two signatures differ. */
function equal(found: string, expected: string): boolean {
  const [a, b] = [Buffer.from(found), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
