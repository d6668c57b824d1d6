import { type Field, FieldBlock } from './field-block.js';

/** Which web pages may read answers (the Fetch standard, section 3.3). */
export interface CorsOptions {
  /** `*`, or origins such as `https://player.example.com`; none turns CORS off. */
  readonly origins: readonly string[];
  /** Methods that a preflight allows. */
  readonly methods: readonly string[];
  /** Request fields that a preflight allows. */
  readonly headers: readonly string[];
  /** Answer fields that pages may read. */
  readonly exposeHeaders: readonly string[];
  /** Milliseconds that a browser may keep the answer to a preflight. */
  readonly maxAge: number;
}

const NONE = new FieldBlock([]);

/** Makes the Access-Control fields of answers. */
export class Cors {
  /** Fields that every answer bears, whoever asks. */
  readonly common: readonly Field[];
  readonly #anyone: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #options: CorsOptions;

  constructor(options: CorsOptions) {
    this.#options = options;
    this.#anyone = options.origins.includes('*');
    this.#origins = new Set(options.origins.map(origin => origin.toLowerCase()));
    if (this.#anyone) this.common = [['Access-Control-Allow-Origin', '*'], ...this.#exposed()];
    else this.common = this.#origins.size > 0 ? [['Vary', 'Origin']] : [];
  }

  /** Whether answers differ by the Origin field of the request. */
  get perOrigin(): boolean {
    return !this.#anyone && this.#origins.size > 0;
  }

  /** Fields that an answer to a page of this origin bears beside the common ones. */
  fields(origin: string): FieldBlock {
    if (!this.perOrigin || !this.#allows(origin)) return NONE;
    return new FieldBlock([['Access-Control-Allow-Origin', origin], ...this.#exposed()]);
  }

  /** Fields that the answer to a preflight of this origin bears besides. */
  preflight(origin: string): readonly Field[] {
    if (!this.#allows(origin)) return [];
    const { methods, headers, maxAge } = this.#options;
    const fields: Field[] = [
      ['Access-Control-Allow-Methods', methods.join(', ')],
      ['Access-Control-Max-Age', String(Math.floor(maxAge / 1000))],
    ];
    if (headers.length > 0) fields.push(['Access-Control-Allow-Headers', headers.join(', ')]);
    return fields;
  }

  /**
   * Whether a page may read what browsers give to any page, as they do what comes by WebSocket: one of the origins, or
   * one of the same host.
   * @param origin of the request; '' where no browser asks
   */
  allowsPage(origin: string, host: string): boolean {
    return origin === '' || this.#allows(origin) || origin.toLowerCase().endsWith(`://${host.toLowerCase()}`);
  }

  #allows(origin: string): boolean {
    return this.#anyone || this.#origins.has(origin.toLowerCase());
  }

  #exposed(): readonly Field[] {
    const { exposeHeaders } = this.#options;
    return exposeHeaders.length > 0 ? [['Access-Control-Expose-Headers', exposeHeaders.join(', ')]] : [];
  }
}
