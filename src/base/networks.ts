import { BlockList, isIP } from 'node:net';

/** Addresses and networks, such as `10.0.0.0/8`, of IPv4 and IPv6. */
export class Networks {
  readonly isEmpty: boolean;
  readonly #list = new BlockList();

  constructor(networks: readonly string[]) {
    this.isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  /** Whether an address is among them; what is no address never is. */
  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && !this.isEmpty && this.#list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  }
}
