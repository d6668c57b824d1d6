import type { ContentRequest } from '../../../catalog/content.js';

/** What no URI may hold (RFC 3986 section 2), though requests do. */
const NO_URI = /[^A-Za-z0-9\-._~:/?@!$&'()*+,;=%]/g;

/**
 * The query of a manifest as it goes on into the URLs of what the manifest names: with its `?`, or empty. Characters
 * that no URI may hold are escaped, so that none ends a quoted string of a playlist or begins a variable.
 */
export function childQuery(query: string): string {
  if (query === '') return '';
  return `?${query.replace(NO_URI, character => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)}`;
}

/** The query that URLs in an answer have from its request: with what lets the player in. */
export function passedOn({ query, tokens = '' }: ContentRequest): string {
  return query === '' || tokens === '' ? query + tokens : `${query}&${tokens}`;
}
