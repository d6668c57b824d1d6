import { parseHttpDate } from '../base/http-date.js';

const TAG = /(?<weak>W\/)?(?<opaque>"[\x21\x23-\x7e\x80-\uffff]*")/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y;

/**
 * The conditional fields of a request (RFC 9110 section 13.1), '' where absent; repeated fields are joined with commas.
 */
export interface Conditions {
  readonly ifMatch: string;
  readonly ifUnmodifiedSince: string;
  readonly ifNoneMatch: string;
  readonly ifModifiedSince: string;
}

/** What conditions are compared with. */
export interface Selected {
  /** Strong entity tag with its quotes. */
  readonly etag: string;
  /** Milliseconds since 1970, whole seconds. */
  readonly lastModified: number | undefined;
}

/** What the origin says of a file beyond that. */
interface OriginSays {
  /** Its own entity tag, perhaps a weak one; undefined when it has none, or the file is made from its object. */
  readonly etag: string | undefined;
  /** Milliseconds since 1970 at which it vouched for the object. */
  readonly vouched: number;
}

/**
 * Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 section 13.2.2, steps 1 to 4. A date that is no
 * valid date, or that there is nothing to compare with, is as if the field were absent.
 * @param origin its weak tag answers If-None-Match, too, which compares weakly; and a file without a date has not been
 *   modified since its origin vouched for it (RFC 9111 section 4.3.2)
 * @returns `failed` is 412, `not_modified` is 304
 */
export function evaluate(
  conditions: Conditions,
  { etag, lastModified }: Selected,
  origin?: OriginSays,
): 'proceed' | 'failed' | 'not_modified' {
  const { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince } = conditions;
  if (ifMatch !== '') {
    if (!holdsEntityTag(ifMatch, etag, 'strong')) return 'failed';
  } else if (ifUnmodifiedSince !== '' && lastModified !== undefined) {
    const date = parseHttpDate(ifUnmodifiedSince);
    if (date !== undefined && lastModified > date) return 'failed';
  }
  if (ifNoneMatch !== '') {
    const tags = quoted(ifNoneMatch);
    if (holdsEntityTag(tags, etag, 'weak')) return 'not_modified';
    const own = origin?.etag && quoted(origin.etag.replace(/^W\//, ''));
    if (own && holdsEntityTag(tags, own, 'weak')) return 'not_modified';
  } else if (ifModifiedSince !== '') {
    const date = parseHttpDate(ifModifiedSince);
    const modified = lastModified ?? origin?.vouched;
    if (date !== undefined && modified !== undefined && modified <= date) return 'not_modified';
  }
  return 'proceed';
}

/** An entity tag that lacks its quotes, as some servers and players send it, with them; others as they are. */
function quoted(tag: string): string {
  return /^[^\s",*]+$/.test(tag) ? `"${tag}"` : tag;
}

/**
 * Whether a Range field is to be heeded in the light of If-Range (RFC 9110 section 13.1.5). A date only counts when it
 * is exactly the object's and a strong validator: the object was at least a second old when the origin vouched for it
 * (section 8.8.2.2).
 * @param field value of If-Range, '' when absent
 * @param vouched milliseconds since 1970 at which the origin vouched for the object
 */
export function rangeApplies(field: string, { etag, lastModified }: Selected, vouched: number): boolean {
  if (field === '') return true;
  if (field.startsWith('"') || field.startsWith('W/')) return field === etag;
  return lastModified !== undefined && lastModified + 1000 <= vouched && parseHttpDate(field) === lastModified;
}

/**
 * Whether a field `*` or a list of entity tags holds `etag` (RFC 9110 sections 8.8.3, 13.1.1, 13.1.2). A list with a
 * mistake in it is good up to the mistake.
 * @param field value of If-Match or If-None-Match
 * @param etag a strong entity tag with its quotes
 * @param comparison `strong` compares as in section 8.8.3.2: a weak tag equals nothing
 */
export function holdsEntityTag(field: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (field.trim() === '*') return true;
  for (let at = 0; at < field.length; ) {
    SEPARATOR.lastIndex = at;
    TAG.lastIndex = at + SEPARATOR.exec(field)![0].length;
    const tag = TAG.exec(field)?.groups;
    if (tag === undefined) return false;
    if (tag.opaque === etag && (tag.weak === undefined || comparison === 'weak')) return true;
    at = TAG.lastIndex;
  }
  return false;
}
