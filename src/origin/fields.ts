import { HOP_BY_HOP, NOT_FORWARDED } from '../base/request-fields.js';
import type { OriginRequest, Validator } from './origin.js';

/**
 * Fields of a message, names in lower case, repeated fields joined with ', '. Has no prototype: names come from
 * outside.
 */
export type Fields = Readonly<Record<string, string>>;

/**
 * Codings of bodies (RFC 9110 section 8.4.1, and some that are in use without being registered); any other token codes
 * nothing.
 */
const CODINGS = new Set([
  'aes128gcm',
  'br',
  'bzip2',
  'compress',
  'dcb',
  'dcz',
  'deflate',
  'exi',
  'gzip',
  'lz4',
  'lzma',
  'pack200-gzip',
  'sdch',
  'snappy',
  'x-bzip2',
  'x-compress',
  'x-gzip',
  'xz',
  'zstd',
]);

const OF_ONE_HOP: ReadonlySet<string> = new Set(HOP_BY_HOP);
const NONE: ReadonlySet<string> = new Set();

/** Longest entity tag that is taken for one, in characters. */
const ETAG_MAX = 1024;

/**
 * The end-to-end fields of an answer. Of Content-Encoding only what codes the body is left: stores send back what they
 * were given with an object, such as `aws-chunked`, `none` or `utf-8`, over bytes that are the file's.
 */
export function endToEnd(raw: Readonly<Record<string, string | string[] | undefined>>): Fields {
  const fields: Record<string, string> = Object.create(null);
  const named = joined(raw.connection).toLowerCase();
  const ofConnection = named === '' || named === 'keep-alive' || named === 'close' ? NONE : namesOf(named);
  for (const name of Object.keys(raw)) {
    const value = raw[name];
    if (value !== undefined && !OF_ONE_HOP.has(name) && !ofConnection.has(name)) fields[name] = joined(value);
  }
  const codings = fields['content-encoding']?.split(',').filter(token => CODINGS.has(token.trim().toLowerCase()));
  if (codings !== undefined) delete fields['content-encoding'];
  if (codings !== undefined && codings.length > 0) fields['content-encoding'] = codings.join(',').trim();
  return fields;
}

function joined(value: string | string[] = ''): string {
  return typeof value === 'string' ? value : value.join(', ');
}

function namesOf(list: string): ReadonlySet<string> {
  return new Set(list.split(',').map(name => name.trim()));
}

/** Fields of a player's request that may go on to the origin. */
export function forwarded(fields: Fields): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) if (!NOT_FORWARDED.has(name)) result[name] = value;
  return result;
}

/**
 * Entity tag and date of an answer (RFC 9110 section 8.8). A tag that lacks its quotes, as some servers send it, still
 * tells versions apart, and is sent back as it came, since such a server compares it so; but it promises nothing: it is
 * no strong one. What can't be sent back in a list becomes a weak tag.
 */
export function validatorOf(fields: Fields): Validator {
  const { etag: tag = '', 'last-modified': date = '' } = fields;
  let etag: string | undefined;
  if (tag.length > 0 && tag.length <= ETAG_MAX) {
    if (/^((W\/)?"[\x21\x23-\x7e\x80-\xff]*"|[\x21\x23-\x29\x2b\x2d-\x7e\x80-\xff]+)$/.test(tag)) etag = tag;
    else etag = `W/"${tag.replaceAll(/[^\x21\x23-\x7e\x80-\xff]/g, '')}"`;
  }
  return { etag, lastModified: Number.isNaN(Date.parse(date)) ? undefined : date };
}

/** True for an entity tag that promises the same bytes. */
export function isStrong(etag: string | undefined): etag is string {
  return etag?.startsWith('"') === true;
}

/** True when there is anything to tell versions by. */
export function hasValidator({ etag, lastModified }: Validator): boolean {
  return etag !== undefined || lastModified !== undefined;
}

/**
 * True when `found` names the version that `wanted` does. Strong tags decide alone: some stores change the date when
 * they move an object. Otherwise everything that was known must be as it was.
 */
export function sameVersion(wanted: Validator, found: Validator): boolean {
  if (isStrong(wanted.etag)) return wanted.etag === found.etag;
  return wanted.etag === found.etag && wanted.lastModified === found.lastModified;
}

/**
 * True when a 304's fields don't belie that the object is still `wanted` (RFC 9111 section 4.3.4); most of them may be
 * absent.
 */
export function confirms(wanted: Validator, found: Validator): boolean {
  const bare = (etag: string) => etag.replaceAll(/^W\/|"/g, '');
  if (wanted.etag !== undefined) return found.etag === undefined || bare(found.etag) === bare(wanted.etag);
  return found.lastModified === undefined || found.lastModified === wanted.lastModified;
}

/**
 * The precondition fields of a request (RFC 9110 section 13.1). `same` uses those that are refused with 412, and never
 * If-Range, whose 206 may leave out the validators; the answer's validators are compared in any case. `changed` sends
 * one field only, because some servers answer 304 when either of two holds.
 */
export function conditionFields(condition: OriginRequest['condition']): Record<string, string> {
  if (condition === undefined) return {};
  const { etag, lastModified } = condition.validator;
  if (condition.kind === 'same') {
    if (isStrong(etag)) return { 'if-match': etag };
    return lastModified === undefined ? {} : { 'if-unmodified-since': lastModified };
  }
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified === undefined ? {} : { 'if-modified-since': lastModified };
}

/** A field's value as a count of bytes or seconds; undefined when it is not a plain decimal number. */
export function integerOf(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
  return Number(value);
}

/**
 * Seconds of a Retry-After field (RFC 9110 section 10.2.3), as a number or a date, at most an hour; undefined when
 * there is none.
 */
export function retryAfterOf(fields: Fields, now: number): number | undefined {
  const value = fields['retry-after'];
  if (value === undefined) return undefined;
  const seconds = integerOf(value) ?? Math.ceil((Date.parse(value) - now) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(3600, Math.max(0, seconds));
}

/**
 * A Content-Range field (RFC 9110 section 14.4): a satisfied range `[start, end)`, or an unsatisfied one, and the
 * object's size.
 */
export interface ContentRange {
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly size: number | undefined;
}

/** Reads a Content-Range field; undefined when it is malformed or contradicts itself. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = value?.match(/^\s*bytes\s+(?:(\d{1,15})-(\d{1,15})|\*)\/(?:(\d{1,15})|\*)\s*$/i);
  if (!match) return undefined;
  const [start, last, size] = [integerOf(match[1]), integerOf(match[2]), integerOf(match[3])];
  if (start === undefined || last === undefined)
    return size === undefined ? undefined : { start, end: undefined, size };
  if (last < start || (size !== undefined && last >= size)) return undefined;
  return { start, end: last + 1, size };
}
