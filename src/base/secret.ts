import { createHash, timingSafeEqual } from 'node:crypto';

/** A text that others have to show; neither time nor length of a comparison tells anything of it. */
export class Secret {
  readonly #digest: Buffer;

  constructor(text: string) {
    this.#digest = digest(text);
  }

  /** Whether `shown` is the same text. */
  is(shown: string): boolean {
    return timingSafeEqual(digest(shown), this.#digest);
  }
}

/** The token in an Authorization field (RFC 6750 section 2.1); undefined when there is none. */
export function bearerOf(field: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(field ?? '')?.[1];
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
