import { type Fields, integerOf, parseContentRange } from '../fields.js';

/** Most bytes of a part's head, with what stands before it. */
const HEAD_MAX = 4096;
/** multipart/byteranges and its boundary (RFC 2046 section 5.1.1). */
const BOUNDARY = /^\s*multipart\/byteranges\s*;(?:[^"]*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;
const NOTHING = new Uint8Array(0);

/**
 * The body of an answer that wraps one range as if there were several (RFC 9110 section 14.6): a multipart of one part,
 * whose head says which bytes it holds.
 */
export class SinglePart {
  readonly #answer: Fields;
  readonly #delimiter: string;
  /** What has come of the head, and later of what stands behind the part. */
  #text = '';
  #left = 0;
  #fields: Fields | undefined;
  #isClosed = false;

  private constructor(answer: Fields, boundary: string) {
    this.#answer = answer;
    this.#delimiter = `\r\n--${boundary}`;
  }

  /** That of a 206 with these fields; undefined when it is no multipart. */
  static of(fields: Fields): SinglePart | undefined {
    const [, quoted, plain] = BOUNDARY.exec(fields['content-type'] ?? '') ?? [];
    const boundary = quoted ?? plain;
    return boundary === undefined ? undefined : new SinglePart(fields, boundary);
  }

  /** The answer's fields as if it had not been wrapped; undefined until the part's head has come. */
  get fields(): Fields | undefined {
    return this.#fields;
  }

  /** Whether the part and the end of the multipart have come. */
  get isWhole(): boolean {
    return this.#isClosed;
  }

  /**
   * Takes what comes next of the body.
   * @returns what of it belongs to the part, or what is wrong
   */
  take(chunk: Uint8Array): Uint8Array | string {
    let rest = chunk;
    if (this.#fields === undefined) {
      const before = this.#text.length;
      this.#text += latin1(chunk.subarray(0, HEAD_MAX + 1));
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0 || end > HEAD_MAX) return this.#text.length > HEAD_MAX ? 'sent parts without heads' : NOTHING;
      const wrong = this.#readHead(this.#text.slice(0, end));
      if (wrong !== undefined) return wrong;
      rest = chunk.subarray(end + 4 - before);
      this.#text = '';
    }
    const content = rest.subarray(0, this.#left);
    this.#left -= content.length;
    if (content.length === rest.length) return content;
    return this.#readEnd(latin1(rest.subarray(content.length, content.length + HEAD_MAX))) ?? content;
  }

  #readHead(text: string): string | undefined {
    // What stands before the first delimiter may be anything (RFC 2046 section 5.1.1).
    const lines = text.split('\r\n');
    const part: Record<string, string> = {};
    for (const line of lines.slice(lines.findIndex(each => `\r\n${each.trimEnd()}` === this.#delimiter) + 1)) {
      const colon = line.indexOf(':');
      if (colon > 0) part[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const { start: first, end } = parseContentRange(part['content-range']) ?? {};
    if (first === undefined || end === undefined) return 'sent a part without a sound Content-Range';
    if (integerOf(part['content-length'] ?? String(end - first)) !== end - first)
      return 'sent a part whose Content-Length contradicts its Content-Range';
    this.#left = end - first;
    const { 'content-type': _, ...others } = this.#answer;
    this.#fields = { ...others, ...part, 'content-length': String(end - first) };
    return undefined;
  }

  #readEnd(text: string): string | undefined {
    if (this.#isClosed) return undefined;
    this.#text = (this.#text + text).slice(0, HEAD_MAX);
    const close = `${this.#delimiter}--`;
    if (this.#text.startsWith(close)) {
      this.#isClosed = true;
      return undefined;
    }
    if (close.startsWith(this.#text)) return undefined;
    return this.#text.startsWith(this.#delimiter)
      ? 'answered a single range with several parts'
      : 'sent a part that is longer than its Content-Range';
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
