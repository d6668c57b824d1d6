import { BLOCK_SIZE } from '../base/block.js';
import type { ContentRequest } from '../catalog/content.js';
import type { Conditions } from './preconditions.js';
import type { RangeSet } from './range.js';
import type { Target } from './target.js';
import type { HttpRequest } from './uws.js';

/** A player's request as the stages behind see it. */
export class PlayerRequest implements ContentRequest {
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly hint: ContentRequest['hint'];
  #req: HttpRequest | undefined;
  #kept: Map<string, string> | undefined;

  constructor(req: HttpRequest, host: string, target: Target, hint: ContentRequest['hint']) {
    this.#req = req;
    this.host = host;
    this.path = target.path;
    this.query = target.query;
    this.hint = hint;
  }

  field(name: string): string {
    if (this.#req === undefined) return this.#kept?.get(name) ?? '';
    // Only of a field that is there may there be several lines.
    return this.#req.getHeader(name) && joined(this.#req, name);
  }

  /** Keeps the fields past the handler of the request, after which they can't be read any more. */
  keep(): void {
    const kept = new Map<string, string>();
    this.#req?.forEach((name, value) => {
      const before = kept.get(name);
      kept.set(name, before === undefined ? value : `${before}${separatorOf(name)}${value}`);
    });
    this.#kept = kept;
    this.#req = undefined;
  }
}

/**
 * What a player is about to read, as far as its request tells: a whole file, a header that a seek is planned from, or a
 * range.
 */
export function hintOf(isHead: boolean, range: RangeSet | undefined, target: Target): ContentRequest['hint'] {
  if (isHead) return { start: 0, end: 1 };
  if (target.start !== undefined || target.end !== undefined) return { start: 0, end: BLOCK_SIZE };
  if (range === undefined) return { start: 0, end: Number.MAX_SAFE_INTEGER };
  if (range[0]! < 0) return { start: 0, end: 1 };
  return { start: range[0]!, end: Math.min(range[1]! + 1, Number.MAX_SAFE_INTEGER) };
}

/** The conditional fields of a request; undefined when it has none. */
export function conditionsOf(req: HttpRequest): Conditions | undefined {
  const ifMatch = req.getHeader('if-match');
  const ifNoneMatch = req.getHeader('if-none-match');
  const ifModifiedSince = req.getHeader('if-modified-since');
  const ifUnmodifiedSince = req.getHeader('if-unmodified-since');
  if (!ifMatch && !ifNoneMatch && !ifModifiedSince && !ifUnmodifiedSince) return undefined;
  return {
    ifMatch: ifMatch && joined(req, 'if-match'),
    ifNoneMatch: ifNoneMatch && joined(req, 'if-none-match'),
    ifModifiedSince,
    ifUnmodifiedSince,
  };
}

/** All lines of a field as one (RFC 9110 section 5.3). */
function joined(req: HttpRequest, field: string): string {
  const values: string[] = [];
  req.forEach((name, value) => {
    if (name === field) values.push(value);
  });
  return values.join(separatorOf(field));
}

/** Cookies are parted otherwise than other lists (RFC 6265 section 4.2.1). */
function separatorOf(field: string): string {
  return field === 'cookie' ? '; ' : ', ';
}
