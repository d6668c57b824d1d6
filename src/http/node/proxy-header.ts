import { plainAddress } from '../forwarded.js';

/** What the beginning of a connection says by the PROXY protocol. */
export type ProxyHeader =
  /** More of it must come. */
  | { readonly kind: 'part' }
  /** It is none, or a broken one. */
  | { readonly kind: 'wrong' }
  /** The client is `address`, or, when that is undefined, the other end of the connection itself. */
  | { readonly kind: 'whole'; readonly length: number; readonly address: string | undefined };

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const PROXY = Buffer.from('PROXY ');
/** Longest header of version 1, with its line break. */
const V1_MAX = 107;
const V1 = /^PROXY (?:UNKNOWN(?: [\x21-\x7e ]*)?|(TCP[46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))$/;
const V2_HEAD = 16;
/** Most bytes of addresses and extensions in version 2 that are taken. */
const V2_MAX = 4096;
const IPV4 = 1;
const IPV6 = 2;

const PART: ProxyHeader = { kind: 'part' };
const WRONG: ProxyHeader = { kind: 'wrong' };

/**
 * Reads the header of the PROXY protocol, version 1 or 2, that a connection begins with.
 * @see https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (begins(bytes, SIGNATURE)) return bytes.length < V2_HEAD ? PART : parseV2(bytes);
  return begins(bytes, PROXY) ? parseV1(bytes) : WRONG;
}

/** Whether bytes begin with `mark`, as far as they have come. */
function begins(bytes: Buffer, mark: Buffer): boolean {
  const count = Math.min(bytes.length, mark.length);
  return bytes.subarray(0, count).equals(mark.subarray(0, count));
}

function parseV1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n');
  if (end < 0) return bytes.length < V1_MAX ? PART : WRONG;
  const match = V1.exec(bytes.toString('latin1', 0, end));
  if (match === null) return WRONG;
  const [, family, source = '', target = '', from, to] = match;
  if (family === undefined) return { kind: 'whole', length: end + 2, address: undefined };
  const isRight = [source, target].every(text => text.includes(':') === (family === 'TCP6'));
  const address = plainAddress(source);
  if (!isRight || address === undefined || plainAddress(target) === undefined) return WRONG;
  if (Number(from) > 65535 || Number(to) > 65535) return WRONG;
  return { kind: 'whole', length: end + 2, address };
}

function parseV2(bytes: Buffer): ProxyHeader {
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 15;
  const family = bytes[13]! >> 4;
  const size = bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || size > V2_MAX) return WRONG;
  const length = V2_HEAD + size;
  if (bytes.length < length) return PART;
  // Health checks of the proxy itself.
  if (command === 0) return { kind: 'whole', length, address: undefined };
  if (family === IPV4) {
    if (size < 12) return WRONG;
    return { kind: 'whole', length, address: [...bytes.subarray(16, 20)].join('.') };
  }
  if (family === IPV6) {
    if (size < 36) return WRONG;
    const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(16 + 2 * at).toString(16));
    return { kind: 'whole', length, address: plainAddress(groups.join(':')) };
  }
  return { kind: 'whole', length, address: undefined };
}
