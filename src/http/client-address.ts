import { Networks } from '../base/networks.js';
import { octetsOfField } from './field-value.js';
import { hopsOf, plainAddress } from './forwarded.js';
import type { FrontRequest, Remote } from './front-end.js';

/**
 * Finds who a request is from: whoever is at the other end of the connection, or, where that is a proxy that is
 * trusted, whom it names. What others write into fields is their data.
 */
export class ClientAddresses {
  readonly #trusted: Networks;
  /** Networks of the proxies that are trusted, as they are written. */
  readonly networks: readonly string[];
  /** The connection's other end that was looked at last: a proxy has many requests. */
  #lastPeer = '';
  #lastIsTrusted = false;

  /** @param trusted addresses, or networks such as `10.0.0.0/8`, of proxies */
  constructor(trusted: readonly string[]) {
    this.#trusted = new Networks(trusted);
    this.networks = trusted;
  }

  /** Takes nobody's word: clients are the other ends of connections. */
  static ofPeers(): ClientAddresses {
    return new ClientAddresses([]);
  }

  /** Whether fields of a request name its client to whoever trusts them. */
  areNamed(req: FrontRequest): boolean {
    return !this.#trusted.isEmpty && (req.getHeader('x-forwarded-for') !== '' || req.getHeader('forwarded') !== '');
  }

  /** Whether an address is a trusted proxy's. A Unix socket has none: who may connect, its mode says. */
  trusts(address: string): boolean {
    if (this.#trusted.isEmpty) return false;
    if (address !== this.#lastPeer) {
      this.#lastPeer = address;
      this.#lastIsTrusted = address === '' || this.#trusted.has(address);
    }
    return this.#lastIsTrusted;
  }

  /** Whether what a request says of other things than its client is to be believed, too. */
  trustsPeerOf(res: Remote): boolean {
    return !this.#trusted.isEmpty && this.trusts(peerOf(res));
  }

  /** Whether a request comes from a trusted proxy that names its client, so that many clients share the connection. */
  isPassedOn(res: Remote, req: FrontRequest): boolean {
    return this.areNamed(req) && this.trusts(peerOf(res));
  }

  /**
   * Address of the client of a request, as text; '' when nobody knows, as on a Unix socket.
   * @param req left out when its fields name nobody
   */
  of(res: Remote, req?: FrontRequest): string {
    const peer = peerOf(res);
    if (req === undefined || !this.trusts(peer)) return peer;
    let client = peer;
    for (const hop of hopsOf(octetsOfField(req, 'x-forwarded-for'), octetsOfField(req, 'forwarded'))) {
      if (hop === undefined) break;
      client = hop;
      if (!this.trusts(hop)) break;
    }
    return client;
  }
}

/** Address of the other end of a request's connection. */
function peerOf(res: Remote): string {
  const text = Buffer.from(res.getRemoteAddressAsText()).toString('latin1');
  return text.includes(':') ? (plainAddress(text) ?? text) : text;
}
