import { EdgeError } from './errors.js';
import { decodeOctets, escapeInvisible } from './percent.js';

/** A path that needs no look at its characters: segments begin with no dot, and hold no escape. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~!$&'()*+,=:@-]*)+$/;
const FORBIDDEN_IN_PATH = /[\p{Cc}\p{Cs}\\#?\ufffd]/u;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const CONTROL = /\p{Cc}/u;
const CONTROL_OCTET = /[^\x20-\x7e\x80-\xff]/;
/**
 * A dot segment between slashes or backslashes. Some servers drop ';' and what follows it from a segment, and so see
 * dots alone.
 */
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?=$|[/\\;])/;
/**
 * Dots, and slashes or backslashes, in more octets than UTF-8 allows for them (RFC 3629 section 10), which careless
 * decoders take.
 */
const OVERLONG_DOT = /\xc0\xae|\xe0\x80\xae|\xf0\x80\x80\xae/g;
const OVERLONG_SLASH = /\xc0\xaf|\xc1\x9c|\xe0\x80\xaf|\xe0\x81\x9c|\xf0\x80\x80\xaf|\xf0\x80\x81\x9c/g;

/**
 * A path that an origin may be asked for: octet for octet as it came, but with octets beyond ASCII escaped. The path is
 * data of the origin and is not mended; what some server could take for a way out of it is refused.
 * @param path absolute, percent-encoded; bytes that are no UTF-8 have become U+FFFD
 * @throws EdgeError `bad_request`
 */
export function checkPath(path: string): string {
  if (PLAIN_PATH.test(path)) return path;
  if (!path.startsWith('/') || FORBIDDEN_IN_PATH.test(path)) throw refused('holds a character that is not allowed');
  if (BAD_ESCAPE.test(path)) throw refused('holds a broken escape');
  const octets = decodeOctets(path);
  if (CONTROL_OCTET.test(octets) || CONTROL.test(textOf(octets))) throw refused('holds an escaped control character');
  if (DOT_SEGMENT.test(octets.replace(OVERLONG_DOT, '.').replace(OVERLONG_SLASH, '/'))) {
    throw refused('holds a dot segment');
  }
  return escapeInvisible(path);
}

/** The text that octets stand for in UTF-8; nothing when they are no UTF-8. */
function textOf(octets: string): string {
  const text = Buffer.from(octets, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? '' : text;
}

function refused(what: string): EdgeError {
  return new EdgeError('bad_request', `the path of the URL ${what}`);
}
