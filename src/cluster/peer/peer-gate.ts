import type { Log } from '../../base/log.js';
import type { ReplayGuard } from './replay-guard.js';
import type { PeerClaim, PeerRefusal, PeerSignature } from './signature.js';

/** That a film should be on so many edges beside its owner, until a time of a monotonic clock. */
interface Heat {
  readonly copies: number;
  readonly until: number;
}

/** Options of `PeerGate`. */
export interface PeerGateOptions {
  readonly signature: PeerSignature;
  readonly replays: Pick<ReplayGuard, 'isFresh'>;
  /** Id of this edge. */
  readonly self: string;
  /** Load of this edge. */
  readonly load: () => number;
  /** A player's request has come by way of a peer; whether its film is hot. */
  readonly asked: (path: string) => Heat | undefined;
  /** Whether this edge fetches what a peer asks for as the owner's bytes. */
  readonly owns: (path: string) => boolean;
  /** Bytes have been sent to a peer. */
  readonly sent: (peer: string, bytes: number) => void;
  readonly log: Log;
}

/** A request of a peer that is answered; see `PeerRequest` of the HTTP stage. */
export interface AdmittedPeer {
  readonly mark: 'hop' | 'fill' | 'live' | 'probe';
  readonly from: string;
  readonly host: string;
  readonly cachedOnly: boolean;
  voucher(status: number): string;
  ended(bytes: number): void;
}

/** Why requests are refused, and what an operator should look at. */
const ADVICE: Readonly<Record<PeerRefusal, string>> = {
  certificate: 'it has no certificate: edges know one another by certificates of cluster.listen.tls.ca',
  unsigned: 'it is no request of an edge: nothing else should come to this port',
  version: 'it is of another version: upgrade all edges',
  addressee: 'it is for another edge: an address of the cluster leads to the wrong one',
  secret: 'it is signed with another secret: all edges need the same cluster.secret',
  time: 'it is too old or from the future: look at the clocks of both edges',
  replay: 'it has come before: somebody repeats what was said between edges',
};
/** Most senders whose refusals are told apart in the log. */
const TOLD_MAX = 256;

/** Lets in what edges of the same cluster ask, once, and nothing else. */
export class PeerGate {
  /** Requests that were refused, by why. */
  readonly refused: Record<PeerRefusal, number> = {
    certificate: 0,
    unsigned: 0,
    version: 0,
    addressee: 0,
    secret: 0,
    time: 0,
    replay: 0,
  };
  readonly #options: PeerGateOptions;
  readonly #told = new Set<string>();

  constructor(options: PeerGateOptions) {
    this.#options = options;
  }

  admit(
    method: string,
    target: string,
    field: (name: string) => string,
    isCertified = true,
  ): AdmittedPeer | { readonly refused: string } {
    if (!isCertified) return this.#refuse('certificate', '');
    const { signature, replays, self } = this.#options;
    const now = Date.now();
    const claim = signature.checkRequest({ method, target, field }, self, now);
    if (typeof claim === 'string') return this.#refuse(claim, '');
    if (!replays.isFresh(claim.nonce, claim.time, now)) return this.#refuse('replay', claim.from);
    return this.#admitted(claim, target);
  }

  #admitted(claim: PeerClaim, target: string): AdmittedPeer {
    const { signature, load, asked, owns, sent } = this.#options;
    const path = target.split('?', 1)[0]!;
    const { mark, from, host, signature: signed } = claim;
    const heat = mark === 'hop' ? asked(path) : undefined;
    return {
      mark: mark === 'cached' ? 'fill' : mark,
      from,
      host,
      // Who is not the owner fetches nothing for others, so that no two edges wait for one another.
      cachedOnly: mark === 'cached' || (mark === 'fill' && !owns(path)),
      voucher: status => {
        const lifetime = heat === undefined ? 0 : heat.until - performance.now();
        return signature.answer({ load: load(), copies: heat?.copies ?? 0, lifetime }, status, signed);
      },
      ended: bytes => sent(from, bytes),
    };
  }

  #refuse(why: PeerRefusal, from: string): { readonly refused: string } {
    this.refused[why]++;
    const key = `${why} ${from}`;
    if (!this.#told.has(key) && this.#told.size < TOLD_MAX) {
      this.#told.add(key);
      this.#options.log.warn(
        { why, ...(from && { from }) },
        `a request to the port for peers is refused: ${ADVICE[why]}`,
      );
    }
    return { refused: why };
  }
}
