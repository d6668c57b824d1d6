/** A value as an attribute list has it (RFC 8216 section 4.2): a number or an enumerated string as it is. */
export type AttributeValue = string | number | undefined;

/** What a quoted string can't hold. */
const UNQUOTABLE = /["\r\n]/g;

/** A quoted string. */
export function quoted(text: string): string {
  return `"${text.replace(UNQUOTABLE, ' ')}"`;
}

/** A tag with attributes; those that are undefined are left out. */
export function attributeTag(
  tag: string,
  attributes: readonly (readonly [name: string, value: AttributeValue])[],
): string {
  const given = attributes.filter(([, value]) => value !== undefined);
  return `#${tag}:${given.map(([name, value]) => `${name}=${value}`).join(',')}`;
}
