import { STATUS_CODES } from 'node:http';
import { fieldLine, isFieldName, isFieldValue } from '../base/field-line.js';

/** A field line (RFC 9110 section 5). */
export type Field = readonly [name: string, value: string];

/**
 * Fields of an answer, serialised once. Fields from outside whose name or value could break the message are left out.
 */
export class FieldBlock {
  readonly #lines: string;
  /** What the last head began with, and what it was made of. */
  #start: Uint8Array | undefined;
  #status = 0;
  #cache = '';
  #age: number | undefined;

  constructor(fields: readonly Field[]) {
    const good = fields.filter(([name, value]) => isFieldName(name) && isFieldValue(value));
    this.#lines = good.map(([name, value]) => fieldLine(name, value.trim())).join('');
  }

  /** The fields, each behind a line break. */
  get lines(): string {
    return this.#lines;
  }

  /**
   * What the head of an answer with these fields begins with. Many answers in a row begin with the same bytes, which
   * are made once.
   * @param cache value of Cache-Status
   * @param age value of Age; undefined for none
   */
  start(status: number, cache: string, age: number | undefined): Uint8Array {
    const known = this.#start;
    if (known !== undefined && status === this.#status && cache === this.#cache && age === this.#age) return known;
    const reason = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
    const told = fieldLine('Cache-Status', cache) + (age === undefined ? '' : fieldLine('Age', age));
    const start = Buffer.from(reason + this.#lines + told, 'latin1');
    this.#start = start;
    this.#status = status;
    this.#cache = cache;
    this.#age = age;
    return start;
  }
}
