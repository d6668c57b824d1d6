import type { FrontRequest } from '../front-end.js';

/** Characters that stand for octets beyond ASCII. */
const BEYOND_ASCII = /[\x80-\xff]/;

/** A request that Node has read. */
export class NodeRequest implements FrontRequest {
  readonly #method: string;
  readonly #path: string;
  readonly #query: string;
  /** Names in lower case and values by turns; one character for each octet. */
  readonly #lines: readonly string[];
  readonly protocol?: string;

  /**
   * @param target path and query as they came
   * @param lines names, in lower case, and values by turns
   * @param protocol as in `FrontRequest`
   */
  constructor(method: string, target: string, lines: readonly string[], protocol?: string) {
    if (protocol !== undefined) this.protocol = protocol;
    this.#method = method;
    const mark = target.indexOf('?');
    this.#path = asText(mark < 0 ? target : target.slice(0, mark));
    this.#query = mark < 0 ? '' : asText(target.slice(mark + 1));
    this.#lines = lines;
  }

  getCaseSensitiveMethod(): string {
    return this.#method;
  }

  getUrl(): string {
    return this.#path;
  }

  getQuery(): string {
    return this.#query;
  }

  getHeader(name: string): string {
    const lines = this.#lines;
    for (let at = 0; at < lines.length; at += 2) if (lines[at] === name) return lines[at + 1]!;
    return '';
  }

  forEach(take: (name: string, value: string) => void): void {
    const lines = this.#lines;
    for (let at = 0; at < lines.length; at += 2) take(lines[at]!, asText(lines[at + 1]!));
  }
}

/** Octets as the UTF-8 that they are, or have parts of. */
function asText(octets: string): string {
  return BEYOND_ASCII.test(octets) ? Buffer.from(octets, 'latin1').toString('utf8') : octets;
}
