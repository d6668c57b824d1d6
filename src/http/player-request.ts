import type { Asker } from '../base/asker.js';
import { EdgeError } from '../base/errors.js';
import { NOT_FORWARDED, SELECTION } from '../base/request-fields.js';
import type { ContentRequest } from '../catalog/content.js';
import type { TokenFilter } from './admission.js';
import { joinedLines, octetsOfField } from './field-value.js';
import type { FrontRequest } from './front-end.js';
import type { Conditions } from './preconditions.js';
import type { RangeSet } from './range.js';

/** Controls, which no field may hold (RFC 9110 section 5.5), and what stands for octets that can't be told. */
const UNTELLABLE = /[^\t\x20-\x7e\x80-\xff]|\xef\xbf\xbd/;

/** A player's request as the stages behind see it. */
export class PlayerRequest implements ContentRequest {
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly hint: ContentRequest['hint'];
  readonly asker: Asker;
  readonly cachedOnly: boolean;
  readonly tokens: string;
  readonly #filter: TokenFilter | undefined;
  #req: FrontRequest | undefined;
  #kept: Map<string, string> | undefined;

  /**
   * @param asker, `cachedOnly` and `tokens` as in `ContentRequest`
   * @param filter takes what lets the player in out of fields; undefined where nothing does
   */
  constructor(
    req: FrontRequest,
    host: string,
    path: string,
    query: string,
    hint: ContentRequest['hint'],
    asker: Asker,
    cachedOnly = false,
    tokens = '',
    filter?: TokenFilter,
  ) {
    this.#filter = filter;
    this.asker = asker;
    this.tokens = tokens;
    this.cachedOnly = cachedOnly;
    this.#req = req;
    this.host = host;
    this.path = path;
    this.query = query;
    this.hint = hint;
  }

  field(name: string): string {
    const told = this.#req === undefined ? (this.#kept?.get(name) ?? '') : octetsOfField(this.#req, name);
    if (told === '') return told;
    const value = this.#filter === undefined ? told : this.#filter.withoutTokens(name, told);
    if (UNTELLABLE.test(value)) {
      throw new EdgeError('bad_request', `the field ${name} holds controls, or several lines that are no UTF-8`);
    }
    return value;
  }

  /** All fields that can go on to another edge, which have been kept. */
  get fields(): Record<string, string> {
    const fields: Record<string, string> = {};
    for (const [name, told] of this.#kept ?? []) {
      const value = this.#filter === undefined ? told : this.#filter.withoutTokens(name, told);
      if (value !== '' && !NOT_FORWARDED.has(name) && !UNTELLABLE.test(value)) fields[name] = value;
    }
    return fields;
  }

  /** Its range and its conditions, which have been kept. */
  get selection(): Record<string, string> {
    const fields: Record<string, string> = {};
    for (const name of SELECTION) {
      const value = this.#kept?.get(name) ?? '';
      if (value !== '' && !UNTELLABLE.test(value)) fields[name] = value;
    }
    return fields;
  }

  /** Keeps the fields past the handler of the request, after which they can't be read any more. */
  keep(): void {
    if (this.#req === undefined) return;
    const lines = new Map<string, string[]>();
    this.#req.forEach((name, line) => {
      const before = lines.get(name);
      if (before === undefined) lines.set(name, [line]);
      else before.push(line);
    });
    this.#kept = new Map();
    for (const [name, each] of lines) {
      this.#kept.set(name, each.length === 1 ? this.#req.getHeader(name) : joinedLines(name, each));
    }
    this.#req = undefined;
  }
}

/**
 * What a player is about to read, as far as its request tells: a whole file, a range, or what a view is made from.
 * @param view the hint of the view that is asked for
 */
export function hintOf(
  isHead: boolean,
  range: RangeSet | undefined,
  view: ContentRequest['hint'] | undefined,
): ContentRequest['hint'] {
  if (isHead) return { start: 0, end: 1 };
  if (view !== undefined) return view;
  if (range === undefined) return { start: 0, end: Number.MAX_SAFE_INTEGER };
  if (range[0]! < 0) return { start: 0, end: 1 };
  return { start: range[0]!, end: Math.min(range[1]! + 1, Number.MAX_SAFE_INTEGER) };
}

/** The conditional fields of a request; undefined when it has none. */
export function conditionsOf(req: FrontRequest): Conditions | undefined {
  const ifMatch = octetsOfField(req, 'if-match');
  const ifNoneMatch = octetsOfField(req, 'if-none-match');
  const ifModifiedSince = req.getHeader('if-modified-since');
  const ifUnmodifiedSince = req.getHeader('if-unmodified-since');
  if (!ifMatch && !ifNoneMatch && !ifModifiedSince && !ifUnmodifiedSince) return undefined;
  return { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince };
}
