import { isIP, SocketAddress } from 'node:net';

/** Most hops of a field that are looked at, from its end. */
const HOPS_MAX = 32;
/** `for` of one element of Forwarded; quoted where it has a port or is an IPv6 address (RFC 7239 section 4). */
const FOR = /(?:^|;)[ \t]*for[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))[ \t]*(?=;|$)/i;
/** Parts of a list at commas outside quotes. */
const ELEMENT = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;
/** An IPv4 address that is written as an IPv6 address (RFC 4291 section 2.5.5.2). */
const MAPPED = /^(?:::|0{1,4}:0{1,4}:0{1,4}:0{1,4}:0{1,4}:)ffff:/i;

/**
 * An IP address as people write it: IPv6 in short form, and IPv4 as IPv4 whatever way it came.
 * @returns undefined for what is no address
 */
export function plainAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version === 4) return text;
  // Zones are of the machine that wrote them.
  if (version === 0 || text.includes('%')) return undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  if (!MAPPED.test(address)) return address;
  const tail = address.replace(MAPPED, '');
  if (isIP(tail) === 4) return tail;
  const [high = 0, low = 0] = tail.split(':').map(part => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/**
 * Who a request has come from, hop by hop from the last: addresses, and undefined for a hop that does not tell.
 * X-Forwarded-For goes before Forwarded (RFC 7239), since nearly all proxies write that alone and pass the other on as
 * it came.
 */
export function* hopsOf(xForwardedFor: string, forwarded: string): Iterable<string | undefined> {
  if (xForwardedFor !== '') {
    for (const part of xForwardedFor.split(',').slice(-HOPS_MAX).reverse()) yield nodeAddress(part.trim());
  } else {
    for (const element of (forwarded.match(ELEMENT) ?? []).slice(-HOPS_MAX).reverse()) {
      const [, quoted, bare] = FOR.exec(element) ?? [];
      yield nodeAddress(quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '');
    }
  }
}

/** The address of a node, with or without a port. */
function nodeAddress(node: string): string | undefined {
  const bracketed = /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(node)?.[1];
  return plainAddress(bracketed ?? node.replace(/^([\d.]+):\d{1,5}$/, '$1'));
}
