/** Most tags of an object that count. */
const TAGS_MAX = 1000;

/** Tags that an origin has given an object: by Cache-Tag, with commas between, or by Surrogate-Key, with blanks. */
export function tagsOf(fields: Readonly<Record<string, string>>): string[] {
  const tags = [...(fields['cache-tag'] ?? '').split(','), ...(fields['surrogate-key'] ?? '').split(' ')];
  return [...new Set(tags.map(tag => tag.trim()).filter(tag => tag !== ''))].slice(0, TAGS_MAX);
}
