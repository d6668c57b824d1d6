import { type Fields, integerOf } from '../fields.js';
import { type Refusal, refusal } from '../refusal.js';
import type { Dialect } from './dialect.js';
import type { Redirects } from './redirects.js';
import { refusedStatus, type Wanted } from './response-head.js';

/** Most bytes of the body of a refusing answer that are read, to explain it or to keep the connection. */
export const REFUSAL_BODY = 64 * 1024;

/** An answer that refuses what was asked for: its head, and as much of its body as explains it. */
export class RefusingAnswer {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(
    private readonly status: number,
    private readonly fields: Fields,
  ) {}

  /** Takes a copy of bytes of the body; false when it is longer than anybody wants to read. */
  add(chunk: Uint8Array): boolean {
    this.#chunks.push(new Uint8Array(chunk));
    this.#length += chunk.length;
    return this.#length <= REFUSAL_BODY;
  }

  /**
   * Why the answer refuses: as the dialect reads it, else by its status. Redirects that are handed on to players are
   * refusals, too.
   * @param isWhole the whole body has come, so that it may be handed on
   */
  explain(isWhole: boolean, dialect: Dialect, redirects: Redirects, wanted: Wanted): Refusal {
    const { status, fields } = this;
    const body = Buffer.concat(this.#chunks);
    const why =
      dialect.explain?.(status, fields, body.toString('utf8'), wanted) ??
      (redirects.isPassed(status)
        ? refusal('redirected', 'the origin has the object elsewhere', 'never', { status, fields })
        : refusedStatus(status, fields, wanted, Date.now()));
    const length = integerOf(fields['content-length']) ?? body.length;
    return isWhole && why.answer && body.length === length ? { ...why, answer: { ...why.answer, body } } : why;
  }
}
