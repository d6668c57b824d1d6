/** Groups of an IPv6 address that are its network's. */
const NETWORK = 4;
const GROUPS = 8;

/**
 * What bounds of clients go by: an IPv4 address, or an IPv6 network of 64 bits.
 * @param address as `plainAddress` writes it
 */
export function clientKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  if (tail === undefined) return first.slice(0, NETWORK).join(':');
  const last = tail === '' ? 0 : tail.split(':').length;
  const zeroes = Array.from({ length: Math.max(0, GROUPS - first.length - last) }, () => '0');
  return [...first, ...zeroes, ...tail.split(':')].slice(0, NETWORK).join(':');
}
