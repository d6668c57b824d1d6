import type { IncomingMessage } from 'node:http';
import { NodeRequest } from './node-request.js';

/** Field lines of a request, as at the gate. Of more than 2,000 Node would drop the last. */
const LINES_MAX = 96;
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

/**
 * What Node has read, in normal form: a path, and one Host, which is that of an absolute target (RFC 9112 section
 * 3.2.2). The status for what another server could read in another way.
 */
export function http1RequestOf(message: IncomingMessage): NodeRequest | number {
  const { method = '', url = '', rawHeaders, httpVersionMajor, httpVersionMinor } = message;
  // A line that names no version is one of 0.9.
  if (httpVersionMajor !== 1) return httpVersionMajor === 0 ? 400 : 505;
  if (rawHeaders.length > LINES_MAX * 2) return 431;
  const [, authority, rest = ''] = ABSOLUTE.exec(url) ?? [];
  if (authority === '') return 400;
  const target = authority === undefined ? url : rest.startsWith('/') ? rest : `/${rest}`;
  if (!target.startsWith('/') && !(target === '*' && method === 'OPTIONS')) return 400;
  const lines: string[] = [];
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    // Of content nothing is read, and only its length tells where it would end.
    if (name === 'transfer-encoding') return 400;
    if (name === 'host') hosts++;
    lines.push(name, name === 'host' && authority !== undefined ? authority : rawHeaders[at + 1]!);
  }
  if (hosts > 1 || (hosts === 0 && httpVersionMinor > 0)) return 400;
  if (hosts === 0 && authority !== undefined) lines.push('host', authority);
  return new NodeRequest(method, target, lines);
}
