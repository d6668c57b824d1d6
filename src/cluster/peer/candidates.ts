import type { Experience, Replica, ServerChoice } from '../../origin/http/replica.js';
import type { AskedPeer } from './peer-dialect.js';

/** A server of one fetch, and who it is. */
export interface PeerCandidate extends AskedPeer {
  readonly replica: Replica;
}

/**
 * The servers of one fetch: peers in the order in which they should be asked, each once for each block that the fetch
 * comes forward; and this edge itself by its own port for peers, to go on where others have stopped.
 */
export class Candidates implements ServerChoice {
  readonly #candidates: readonly PeerCandidate[];
  readonly #self: PeerCandidate | undefined;

  constructor(peers: readonly PeerCandidate[], self?: PeerCandidate) {
    this.#candidates = self === undefined ? peers : [...peers, self];
    this.#self = self;
  }

  get all(): readonly Replica[] {
    return this.#candidates.map(({ replica }) => replica);
  }

  /** Who is behind a base URL. */
  at(origin: string): PeerCandidate | undefined {
    return this.#candidates.find(({ replica }) => replica.base.origin === origin);
  }

  /** The peer to be asked first; undefined when none is well. */
  first(now: number): PeerCandidate | undefined {
    return this.#candidates.find(each => each !== this.#self && each.replica.breaker.advises(now, ''));
  }

  /** The same servers but one. */
  without(candidate: PeerCandidate): Candidates {
    const peers = this.#candidates.filter(each => each !== candidate && each !== this.#self);
    return new Candidates(peers, this.#self);
  }

  pick(now: number, experience: Experience): Replica | undefined {
    return this.#next(now, experience) ?? this.#candidates[0]?.replica;
  }

  hasUntried(now: number, experience: Experience): boolean {
    return this.#next(now, experience) !== undefined;
  }

  wait(now: number, experience: Experience): number | undefined {
    return this.#next(now, experience) === undefined ? undefined : 0;
  }

  // What a peer says about one URL holds for the fetch at hand only: there are others to ask.
  hold(): void {}

  lacks(): void {}

  #next(now: number, { url, version, failures, hopeless }: Experience): Replica | undefined {
    return this.#candidates.find(candidate => {
      const { replica } = candidate;
      // Before the first byte this edge answers without asking itself.
      if (candidate === this.#self && version === undefined) return false;
      return !hopeless.has(replica) && !failures.has(replica) && replica.breaker.advises(now, url);
    })?.replica;
  }
}
