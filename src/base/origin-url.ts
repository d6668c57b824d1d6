import { fileURLToPath } from 'node:url';
import { EdgeError } from './errors.js';

/** What the text that names an origin says. */
export type OriginPlace =
  | { readonly kind: 'file'; readonly directory: string }
  /** Base URL. */
  | { readonly kind: 'http'; readonly url: string }
  /** `prefix` without slashes around it; may be empty. */
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string };

const EXPECTED = 'expected a directory, http(s)://host/base or s3://bucket/prefix';

/**
 * Reads the ORIGIN of the command line, or a `url` of the configuration.
 * @throws EdgeError `bad_config`
 */
export function parseOrigin(text: string): OriginPlace {
  const refused = (why: string) =>
    new EdgeError('bad_config', `${EXPECTED}, found ${JSON.stringify(shownUrl(text))}: ${why}`);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (text === '' || text.includes('\0')) throw refused('that is no directory');
    return { kind: 'file', directory: text };
  }
  if (scheme === 's3') {
    const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]*)\/*(.*?)\/*$/is.exec(text)!;
    if (bucket === '') throw refused('the bucket is missing');
    if (/[?#@]/.test(bucket)) throw refused('only a bucket and a prefix can be given');
    return { kind: 's3', bucket, prefix };
  }
  if (scheme !== 'file' && scheme !== 'http' && scheme !== 'https') throw refused(`there is no origin for ${scheme}`);
  if (!URL.canParse(text)) throw refused('that is no URL');
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '') throw refused('a base URL has no query and no fragment');
  if (scheme !== 'file') return { kind: 'http', url: text };
  try {
    return { kind: 'file', directory: fileURLToPath(url) };
  } catch {
    throw refused('that is no local directory');
  }
}

/**
 * `text` as it may be shown to anybody: without the user name, password and query of a URL, even of one that lacks its
 * scheme. What stands before the last `@` is left out, because a password may hold what a URL must not.
 */
export function shownUrl(text: string): string {
  return text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/|\/\/)?.*@/s, '$1…@').replace(/\?.+$/s, '?…');
}
