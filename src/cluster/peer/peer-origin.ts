import type { Origin, OriginFetch, OriginRequest, OriginSink } from '../../origin/origin.js';
import type { Candidates } from './candidates.js';
import type { PeerClient } from './peer-client.js';
import type { PeerMark, PeerVoucher } from './signature.js';

/** What is asked of peers. */
export interface PeerOriginOptions {
  /** Name for logs and cache keys. */
  readonly name: string;
  readonly mark: PeerMark;
  /** Host field of the player's request. */
  readonly host: string;
  /** Revision of the map. */
  readonly epoch: number;
  /** Told what answers say beside the object. */
  readonly vouched?: (voucher: PeerVoucher) => void;
}

/**
 * Peers as an origin: what one of them has for a player's request, or of an object. Every answer bears validators and
 * size, and a fetch goes on with another peer only at the same version.
 */
export class PeerOrigin implements Origin {
  readonly name: string;
  readonly #client: PeerClient;
  readonly #candidates: Candidates;
  readonly #options: PeerOriginOptions;

  constructor(client: PeerClient, candidates: Candidates, options: PeerOriginOptions) {
    this.name = options.name;
    this.#client = client;
    this.#candidates = candidates;
    this.#options = options;
  }

  fetch(request: OriginRequest, sink: OriginSink): OriginFetch {
    const { mark, host, epoch, vouched } = this.#options;
    const candidates = this.#candidates;
    const asker = request.askers.first;
    const errand = { mark, host, epoch, asker, vouched, peerAt: (origin: string) => candidates.at(origin) };
    return this.#client.fetch(candidates, errand, request, sink);
  }

  /** The client that all share is closed by its owner. */
  async close(): Promise<void> {}
}
