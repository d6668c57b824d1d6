import { NodeRequest } from './node-request.js';

/** A request in the form of HTTP/1.1 (RFC 9113 section 8.3.1); undefined for one that lacks what it needs. */
export function http2RequestOf(raw: readonly string[]): NodeRequest | undefined {
  const lines: string[] = [];
  let method = '';
  let path = '';
  let authority: string | undefined;
  let hosts = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    const value = raw[at + 1]!;
    if (name === ':method') method = value;
    else if (name === ':path') path = value;
    else if (name === ':authority') authority = value;
    else if (!name.startsWith(':')) {
      if (name === 'host') hosts++;
      if (name !== 'host' || authority === undefined) lines.push(name, value);
    }
  }
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) return undefined;
  if (hosts > 1) return undefined;
  if (authority !== undefined) lines.push('host', authority);
  return new NodeRequest(method, path, lines, 'HTTP/2.0');
}
