const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const RESERVED = /[^A-Za-z0-9._~-]/g;
const VISIBLE = /^[\x21-\x7e]*$/;
const INVISIBLE = /[^\x21-\x7e]/g;
const PLAIN_PATH = /^[A-Za-z0-9._~/-]*$/;
const ASCII = /^[\0-\x7f]*$/;

/** The octets of a text in UTF-8, one character each, U+0000 to U+00FF. */
export function octetsOf(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * The octets that a part of a URL stands for (RFC 3986 section 2.1), one character each, U+0000 to U+00FF. What is no
 * escape stands for itself, a character beyond ASCII for its octets in UTF-8 (RFC 3987 section 3.1).
 */
export function decodeOctets(text: string): string {
  const octets = octetsOf(text);
  return octets.includes('%')
    ? octets.replace(ESCAPE, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : octets;
}

/** The text that a part of a URL stands for; undefined when its octets are no UTF-8, or an escape is none. */
export function decodeText(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * The one way to write octets of which none is a delimiter: all but letters, digits and `-._~` escaped, in upper case.
 */
function encodeOctets(octets: string): string {
  return octets.replace(RESERVED, escapeOctet);
}

/**
 * A path in which the same octets are written the same way, so that two of one meaning can be told (RFC 3986 section
 * 6.2.2): segments as `encodeOctets` writes them.
 */
export function normalPath(path: string): string {
  return PLAIN_PATH.test(path) ? path : path.split('/').map(normalSegment).join('/');
}

function normalSegment(segment: string): string {
  return encodeOctets(decodeOctets(segment));
}

/** Octets as they are, but those that are no visible ASCII character escaped, so that they can stand in a request. */
export function escapeOctets(octets: string): string {
  return octets.replace(INVISIBLE, escapeOctet);
}

/** A text as it is, but with the octets (in UTF-8) of what is no visible ASCII character escaped. */
export function escapeInvisible(text: string): string {
  return VISIBLE.test(text) ? text : escapeOctets(octetsOf(text));
}

function escapeOctet(octet: string): string {
  return `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
