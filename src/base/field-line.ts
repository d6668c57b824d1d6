/** A name of a field (RFC 9110 section 5.1). */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A value: no line break, no control character, one byte per character (RFC 9110 section 5.5). */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * A field line with the line break that ends the line before it.
 * @param value one of ours, or one that was checked: it is not looked at
 */
export function fieldLine(name: string, value: string | number): string {
  return `\r\n${name}: ${value}`;
}

/** Whether text from outside may stand as a field's name. */
export function isFieldName(name: string): boolean {
  return NAME.test(name);
}

/** Whether text from outside may stand as a field's value. */
export function isFieldValue(value: string): boolean {
  return VALUE.test(value);
}
