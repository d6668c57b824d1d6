import { fieldLine, isFieldName, isFieldValue } from '../base/field-line.js';
import type { FrontResponse } from './front-end.js';

/** A field line (RFC 9110 section 5). */
export type Field = readonly [name: string, value: string];

/**
 * Fields of an answer, serialised once and written with one call. Fields from outside whose name or value could break
 * the message are left out.
 */
export class FieldBlock {
  readonly #first: string = '';
  readonly #rest: Uint8Array | undefined;

  constructor(fields: readonly Field[]) {
    const good = fields.filter(([name, value]) => isFieldName(name) && isFieldValue(value));
    if (good.length === 0) return;
    const lines = good
      .map(([name, value]) => fieldLine(name, value.trim()))
      .join('')
      .slice(2);
    this.#first = good[0]![0];
    this.#rest = Buffer.from(lines.slice(this.#first.length + 2), 'latin1');
  }

  /**
   * Writes the fields. The front end copies a value as it is, so the value of the first can bring all the others along.
   */
  write(res: FrontResponse): void {
    if (this.#rest !== undefined) res.writeHeader(this.#first, this.#rest);
  }
}
