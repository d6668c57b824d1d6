/** An object of the fault origin. */
export interface StoredFile {
  readonly size: number;
  read(start: number, end: number): Uint8Array;
  readonly type: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request as the fault origin saw it; filled in further while it is answered. */
export interface SeenRequest {
  readonly method: string;
  /** Path with its percent-encoding, without the query. */
  readonly path: string;
  /** Query without '?'. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * What the Range field asked for, whether or not it was honoured; undefined when there was none. `end` is exclusive,
   * Infinity when open.
   */
  readonly range: { readonly start: number; readonly end: number } | undefined;
  /** Number of the connection, counted from 0, that brought it. */
  readonly connection: number;
  /** Status sent; 0 when none was. */
  status: number;
  /** Bytes of body that were handed to the socket. */
  bytes: number;
  /** Offset in the object of the first byte of the body. */
  offset: number;
  /** True when the answer is over, however it ended. */
  done: boolean;
}

/**
 * Position of an interruption: before the answer's first byte, in the middle of its head, or after that many bytes of
 * body.
 */
export type At = 'head' | 'within-head' | number;

/**
 * What happens at a position: the connection is reset (RST), closed in order (FIN), or held still (for `ms`, or until
 * `release()`).
 */
export interface Interruption {
  readonly at: At;
  readonly action: 'reset' | 'close' | 'stall';
  /** Milliseconds of a stall; undefined until `release()`. */
  readonly ms?: number;
}

/** How one request will be answered. A fault changes what the well-behaved origin would have done. */
export interface Plan {
  status: number;
  /** Field names as sent. */
  headers: Map<string, string>;
  /** When set, sent in place of status line and fields; must end with an empty line. */
  rawHead: string | Buffer | undefined;
  /** Offset in the object of the first byte of the body. */
  offset: number;
  /** Bytes of body. */
  length: number;
  /** Gives bytes of the body, `[start, end)` of the object. */
  read(start: number, end: number): Uint8Array;
  interruptions: Interruption[];
  /** Slow drip: chunks of so many bytes, so many milliseconds apart. */
  drip: { readonly bytes: number; readonly ms: number } | undefined;
  /** Body in chunked coding. `unterminated` leaves out the last chunk and closes. */
  chunked: false | 'whole' | 'unterminated';
  /** Close the connection when the body is sent. */
  close: boolean;
  /** Whole object, for faults that need it. */
  readonly object: StoredFile | undefined;
}

/** Reads a request's head (without the empty line). */
export function parseRequest(head: string, connection: number): SeenRequest {
  const [line = '', ...fields] = head.split('\r\n');
  const [method = '', target = ''] = line.split(' ');
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
  }
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question + 1);
  const match = headers.range?.match(/^bytes=(\d+)-(\d*)$/);
  const range = match
    ? { start: Number(match[1]), end: match[2] ? Number(match[2]) + 1 : Number.POSITIVE_INFINITY }
    : undefined;
  return { method, path, query, headers, range, connection, status: 0, bytes: 0, offset: 0, done: false };
}

function isListed(list: string, etag: string | undefined, strong: boolean): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined || (strong && etag.startsWith('W/'))) return false;
  const bare = (tag: string) => tag.trim().replace(/^W\//, '');
  return list.split(',').some(tag => (strong ? tag.trim() === etag : bare(tag) === bare(etag)));
}

/** Status that the preconditions lead to (RFC 9110 section 13.2.2), or undefined to go on. */
function precondition({ headers }: SeenRequest, file: StoredFile): 304 | 412 | undefined {
  const modified = (since: string | undefined) => Date.parse(file.lastModified ?? '') > Date.parse(since ?? '');
  if (headers['if-match'] !== undefined) {
    if (!isListed(headers['if-match'], file.etag, true)) return 412;
  } else if (headers['if-unmodified-since'] !== undefined && modified(headers['if-unmodified-since'])) return 412;
  if (headers['if-none-match'] !== undefined) {
    if (isListed(headers['if-none-match'], file.etag, false)) return 304;
  } else if (headers['if-modified-since'] !== undefined && file.lastModified && !modified(headers['if-modified-since']))
    return 304;
  return undefined;
}

/** True when Range is to be honoured (RFC 9110 section 13.1.5). */
function ifRangeHolds({ headers }: SeenRequest, file: StoredFile): boolean {
  const value = headers['if-range'];
  if (value === undefined) return true;
  if (value.startsWith('"')) return value === file.etag;
  return value === file.lastModified;
}

/** What a well-behaved static server answers. */
export function planAnswer(file: StoredFile | undefined, request: SeenRequest): Plan {
  const headers = new Map<string, string>([['Date', new Date().toUTCString()]]);
  const plan: Plan = {
    status: 404,
    headers,
    rawHead: undefined,
    offset: 0,
    length: 0,
    read: () => new Uint8Array(0),
    interruptions: [],
    drip: undefined,
    chunked: false,
    close: request.headers.connection === 'close',
    object: file,
  };
  if (!file) {
    const body = Buffer.from('no such object');
    headers.set('Content-Type', 'text/plain').set('Content-Length', String(body.length));
    return { ...plan, length: body.length, read: (start, end) => body.subarray(start, end) };
  }
  if (file.etag !== undefined) headers.set('ETag', file.etag);
  if (file.lastModified !== undefined) headers.set('Last-Modified', file.lastModified);
  headers.set('Accept-Ranges', 'bytes');
  for (const [name, value] of Object.entries(file.headers)) headers.set(name, value);
  const failed = precondition(request, file);
  if (failed !== undefined) {
    if (failed === 412) headers.set('Content-Length', '0');
    return { ...plan, status: failed };
  }
  const range = ifRangeHolds(request, file) ? request.range : undefined;
  if (range && range.start >= file.size) {
    headers.set('Content-Range', `bytes */${file.size}`).set('Content-Length', '0');
    return { ...plan, status: 416 };
  }
  const [start, end] = range ? [range.start, Math.min(range.end, file.size)] : [0, file.size];
  headers.set('Content-Type', file.type).set('Content-Length', String(end - start));
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${file.size}`);
  return { ...plan, status: range ? 206 : 200, offset: start, length: end - start, read: file.read };
}
