import type { FrontRequest, Remote } from './front-end.js';

const NOT_ASCII = /[\x80-\xff]/;
/** What stands before the value of a field, by its name: a few names are asked for, again and again. */
const BEGINNINGS = new Map<string, string>();
const BLANK = 0x20;
const TAB = 0x09;

/** A request that is over, read again from its head, which is in normal form, and from where it came. */
export class RecordedRequest implements FrontRequest, Remote {
  readonly #address: ArrayBuffer;
  readonly #head: string;
  /** The head with names in lower case; so are the values. */
  readonly #lower: string;
  readonly #path: string;
  readonly #query: string | undefined;

  /** @param head a character for each octet */
  constructor(address: ArrayBuffer, head: string) {
    this.#address = address;
    this.#head = head;
    this.#lower = head.toLowerCase();
    const from = head.indexOf(' ') + 1;
    const octets = head.slice(from, head.indexOf(' ', from));
    const target = NOT_ASCII.test(octets) ? Buffer.from(octets, 'latin1').toString() : octets;
    const mark = target.indexOf('?');
    this.#path = mark < 0 ? target : target.slice(0, mark);
    this.#query = mark < 0 ? undefined : target.slice(mark + 1);
  }

  getRemoteAddressAsText(): ArrayBuffer {
    return this.#address;
  }

  getCaseSensitiveMethod(): string {
    return this.#head.slice(0, this.#head.indexOf(' '));
  }

  getUrl(): string {
    return this.#path;
  }

  getQuery(): string | undefined {
    return this.#query;
  }

  getHeader(name: string): string {
    let beginning = BEGINNINGS.get(name);
    if (beginning === undefined) {
      beginning = `\n${name}:`;
      BEGINNINGS.set(name, beginning);
    }
    const at = this.#lower.indexOf(beginning);
    if (at < 0) return '';
    const from = at + beginning.length;
    return trimmed(this.#head, from, this.#head.indexOf('\r', from));
  }

  forEach(take: (name: string, value: string) => void): void {
    for (const line of Buffer.from(this.#head, 'latin1').toString().split('\r\n').slice(1, -2)) {
      const colon = line.indexOf(':');
      take(line.slice(0, colon).toLowerCase(), trimmed(line, colon + 1, line.length));
    }
  }
}

/** Characters `[from, to)` of a text without the blanks around them. */
function trimmed(text: string, from: number, to: number): string {
  const isBlank = (at: number) => text.charCodeAt(at) === BLANK || text.charCodeAt(at) === TAB;
  let [start, end] = [from, to];
  while (start < end && isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return text.slice(start, end);
}
