import { decodeOctets } from '../../base/percent.js';

/** Encodes a text as SigV4 has it: all but letters, digits and `-._~`. */
export function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * Path of the object whose key is behind a percent-encoded URL path, encoded the one way that is signed; undefined for
 * what is no key: keys are UTF-8. An escaped slash is a slash of the key. Dot segments are refused, because HTTP
 * clients and servers resolve them.
 */
export function keyPath(path: string): string | undefined {
  if (!path.startsWith('/') || path === '/' || /%(?![0-9A-Fa-f]{2})/.test(path)) return undefined;
  const key = Buffer.from(decodeOctets(path.slice(1)), 'latin1').toString('utf8');
  if (/[\0\ufffd]/.test(key)) return undefined;
  const segments = key.split('/');
  if (segments.some(segment => segment === '.' || segment === '..')) return undefined;
  return `/${segments.map(encodeSegment).join('/')}`;
}

/** A query in the one form that is signed: of each name the first parameter, encoded as in a key, in order. */
export function canonicalQuery(query: string): string {
  if (query === '') return '';
  const values = new Map<string, string>();
  for (const parameter of query.split('&')) {
    const [name = '', ...value] = parameter.split('=');
    const canonical = canonicalText(name);
    if (canonical !== '' && !values.has(canonical)) values.set(canonical, canonicalText(value.join('=')));
  }
  return [...values]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&');
}

function canonicalText(text: string): string {
  return encodeSegment(Buffer.from(decodeOctets(text), 'latin1').toString('utf8'));
}
