import { octetsOf } from '../base/percent.js';
import type { FrontRequest } from './front-end.js';

/**
 * A field's value, one character for each octet; '' when it is absent. Several lines are one list (RFC 9110 section
 * 5.3). The front end reads a single line as octets, but lists them as UTF-8, with U+FFFD for what is none.
 */
export function octetsOfField(req: FrontRequest, name: string): string {
  const first = req.getHeader(name);
  if (first === '') return '';
  const lines: string[] = [];
  req.forEach((other, line) => {
    if (other === name) lines.push(line);
  });
  return lines.length < 2 ? first : joinedLines(name, lines);
}

/** Lines of one field, as one list. */
export function joinedLines(name: string, lines: readonly string[]): string {
  // Cookies are parted otherwise than other lists (RFC 6265 section 4.2.1).
  return octetsOf(lines.join(name === 'cookie' ? '; ' : ', '));
}
