import type { FrontRequest } from './front-end.js';

/**
 * A request of which the gate has noted what its head bears: what it lacks, which is most of what is looked for, costs
 * no call into the front end.
 */
export class NotedRequest implements FrontRequest {
  readonly #req: FrontRequest;
  readonly #bits: ReadonlyMap<string, number>;
  readonly #fields: number;
  readonly #isGet: boolean;
  readonly #hasQuery: boolean;
  #url: string | undefined;
  #query: string | undefined;

  /**
   * @param req of the front end
   * @param bits of `fields`, by the names of the fields that are noted
   * @param fields those that it bears
   */
  constructor(req: FrontRequest, bits: ReadonlyMap<string, number>, fields: number, isGet: boolean, hasQuery: boolean) {
    this.#req = req;
    this.#bits = bits;
    this.#fields = fields;
    this.#isGet = isGet;
    this.#hasQuery = hasQuery;
  }

  getCaseSensitiveMethod(): string {
    return this.#isGet ? 'GET' : this.#req.getCaseSensitiveMethod();
  }

  getUrl(): string {
    this.#url ??= this.#req.getUrl();
    return this.#url;
  }

  getQuery(): string | undefined {
    if (!this.#hasQuery) return '';
    this.#query ??= this.#req.getQuery();
    return this.#query;
  }

  getHeader(name: string): string {
    const bit = this.#bits.get(name);
    return bit !== undefined && (this.#fields & bit) === 0 ? '' : this.#req.getHeader(name);
  }

  forEach(take: (name: string, value: string) => void): void {
    this.#req.forEach(take);
  }
}
