import type { FrontRequest } from './front-end.js';

/** What a request says, kept past its handler, after which the front end's own can't be read any more. */
export class KeptRequest implements FrontRequest {
  readonly #method: string;
  readonly #url: string;
  readonly #query: string | undefined;
  /** First lines, one character for each octet. */
  readonly #fields = new Map<string, string>();
  readonly #lines: (readonly [name: string, value: string])[] = [];

  constructor(req: FrontRequest) {
    this.#method = req.getCaseSensitiveMethod();
    this.#url = req.getUrl();
    this.#query = req.getQuery();
    req.forEach((name, value) => {
      this.#lines.push([name, value]);
      if (!this.#fields.has(name)) this.#fields.set(name, req.getHeader(name));
    });
  }

  getCaseSensitiveMethod(): string {
    return this.#method;
  }

  getUrl(): string {
    return this.#url;
  }

  getQuery(): string | undefined {
    return this.#query;
  }

  getHeader(name: string): string {
    return this.#fields.get(name) ?? '';
  }

  forEach(take: (name: string, value: string) => void): void {
    for (const [name, value] of this.#lines) take(name, value);
  }
}
