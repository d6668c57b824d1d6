import type { HttpResponse } from './uws.js';

/** A field line (RFC 9110 section 5). */
export type Field = readonly [name: string, value: string];

/**
 * A field line with the line break that ends the line before it.
 * @param value one of ours: it is not looked at
 */
export function fieldLine(name: string, value: string | number): string {
  return `\r\n${name}: ${value}`;
}

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Whether text from outside may stand as a field's value: no line break, no control character, one byte per character
 * (RFC 9110 section 5.5).
 */
export function isFieldValue(value: string): boolean {
  return VALUE.test(value);
}

/**
 * Fields of an answer, serialised once and written with one call. Fields from outside whose name or value could break
 * the message are left out.
 */
export class FieldBlock {
  readonly #first: string = '';
  readonly #rest: Uint8Array | undefined;

  constructor(fields: readonly Field[]) {
    const good = fields.filter(([name, value]) => NAME.test(name) && VALUE.test(value));
    if (good.length === 0) return;
    const lines = good.map(([name, value]) => `${name}: ${value.trim()}`).join('\r\n');
    this.#first = good[0]![0];
    this.#rest = Buffer.from(lines.slice(this.#first.length + 2), 'latin1');
  }

  /**
   * Writes the fields. The front end copies a value as it is, so the value of the first can bring all the others along.
   */
  write(res: HttpResponse): void {
    if (this.#rest !== undefined) res.writeHeader(this.#first, this.#rest);
  }
}
