import type { Asker } from '../../base/asker.js';
import { askerField, PEER_FIELD, REFUSED_FIELD } from '../../base/peer-fields.js';
import { type Fields, parseContentRange } from '../../origin/fields.js';
import type { Dialect, Location } from '../../origin/http/dialect.js';
import { refusedStatus, type Wanted } from '../../origin/http/response-head.js';
import type { OriginRequest } from '../../origin/origin.js';
import { type Refusal, refusal } from '../../origin/refusal.js';
import type { PeerMark, PeerRefusal, PeerSignature, PeerVoucher } from './signature.js';

/** Who is asked: a peer, or this edge by its own port for peers. */
export interface AskedPeer {
  readonly id: string;
  isAlive(): Promise<boolean>;
  answered(voucher: PeerVoucher): void;
  refused(why: PeerRefusal | 'refused', detail: string): void;
}

/** What a request to peers is about. */
export interface PeerErrand {
  readonly mark: PeerMark;
  /** Host field of the player's request. */
  readonly host: string;
  /** Revision of the map at hand. */
  readonly epoch: number;
  /** For whom peers are asked. */
  readonly asker: Asker;
  /** The peer or the edge itself behind the base URL of a server of `choice`. */
  peerAt(origin: string): AskedPeer | undefined;
  /** Told what the answer that counts says beside the object. */
  vouched?(voucher: PeerVoucher): void;
}

/** What one fetch says to peers, and what it takes for an answer of theirs. */
export class PeerDialect implements Dialect {
  readonly #self: string;
  readonly #signature: PeerSignature;
  readonly #errand: PeerErrand;
  /** Who was asked last, and by which signature: one request of a fetch is under way at a time. */
  #asked: AskedPeer | undefined;
  #signed = '';

  /** @param self id of this edge */
  constructor(self: string, signature: PeerSignature, errand: PeerErrand) {
    this.#self = self;
    this.#signature = signature;
    this.#errand = errand;
  }

  locate({ path, query, fields }: OriginRequest): Location {
    return { path, query, fields };
  }

  sign(url: string, fields: Record<string, string>): Record<string, string> {
    const { mark, host, epoch, asker } = this.#errand;
    const slash = url.indexOf('/', url.indexOf('//') + 2);
    // Nobody else is asked by the errand: redirects of peers are not followed.
    const asked = this.#errand.peerAt(url.slice(0, slash))!;
    const claim = { from: this.#self, to: asked.id, mark, epoch, time: Date.now(), host };
    const request = { method: 'GET', target: url.slice(slash), field: (name: string) => fields[name] ?? '' };
    const { value, signature } = this.#signature.request(claim, request);
    this.#asked = asked;
    this.#signed = signature;
    return { ...fields, ...askerField(asker), [PEER_FIELD]: value };
  }

  check(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): Refusal | undefined {
    const value = fields[PEER_FIELD];
    const found = this.#signature.checkAnswer(typeof value === 'string' ? value : '', status, this.#signed);
    if (typeof found !== 'string') {
      this.#asked?.answered(found);
      this.#errand.vouched?.(found);
      return undefined;
    }
    const reason = fields[REFUSED_FIELD];
    this.#asked?.refused(found, typeof reason === 'string' ? reason : `status ${status}`);
    return refusal('origin_protocol', 'the peer does not answer as one', 'otherReplica');
  }

  /** What a peer refuses it refuses for good, but for what is its own trouble, or not its own film. */
  explain(status: number, fields: Fields, body: string, wanted: Wanted): Refusal | undefined {
    if (status < 400) return undefined;
    // A player past the end learns from the text where that is.
    if (status === 416) {
      const size = parseContentRange(fields['content-range'])?.size;
      return refusal('range_not_satisfiable', body.trim(), 'never', { status, fields }, { size });
    }
    const known = refusedStatus(status, fields, wanted, Date.now());
    if (known.retry === 'never' || status === 412) return known;
    if (status >= 500 || status === 429 || status === 421)
      return refusal('origin_unavailable', `the peer could not answer (${status})`, 'otherReplica', { status, fields });
    return refusal('origin_protocol', `the peer answered ${status}`, 'never', { status, fields });
  }
}
