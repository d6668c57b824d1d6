import { createHash } from 'node:crypto';

/**
 * The strong entity tag of a cut, with its quotes (RFC 9110 section 8.8.3): a hash of everything that decides its
 * bytes.
 * @param source entity tag of the whole object, with quotes
 * @param format name and layout version of the format that made the cut
 * @param parameters the options and positions that the cut was made from, in a fixed order
 */
export function seekEtag(source: string, format: string, parameters: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(JSON.stringify([source, format, ...parameters]));
  return `"${hash.digest('base64url').slice(0, 22)}"`;
}
