/** A request of another edge, which is answered here, whoever should have the film. */
export interface PeerRequest {
  /**
   * `hop`: a player's request, to be answered as one. `fill`: bytes of an object as the origin has it, with the
   * origin's validators. `live`: a live stream that is here. `probe`: whether this edge answers.
   */
  readonly mark: 'hop' | 'fill' | 'live' | 'probe';
  /** Id of the other edge. */
  readonly from: string;
  /** Host field of the player's request. */
  readonly host: string;
  /** Nothing is fetched for it: it has what is cached here, or nothing. */
  readonly cachedOnly: boolean;
  /** Value of the field by which the answer is known to be this edge's. */
  voucher(status: number): string;
  /** The answer has ended. */
  ended(bytes: number): void;
}

/** Why a request is not taken for a peer's. */
export interface RefusedPeer {
  readonly refused: string;
}

/** Knows peers by their requests. */
export interface PeerPort {
  /**
   * Looks at a request, within its handler.
   * @param target path and query as they came
   * @param field a field of the request by name in lower case, '' when there is none
   * @param isCertified false for a client without a certificate, where it should have one
   */
  admit(
    method: string,
    target: string,
    field: (name: string) => string,
    isCertified?: boolean,
  ): PeerRequest | RefusedPeer;
}
