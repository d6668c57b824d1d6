const TAG = /(?<weak>W\/)?(?<opaque>"[\x21\x23-\x7e\x80-\uffff]*")/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y;

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
