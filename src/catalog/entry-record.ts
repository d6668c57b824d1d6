import { EdgeError, type ErrorOptions, isErrorCode, type OriginTrouble, type PassedAnswer } from '../base/errors.js';
import { describe, type Entry, type ErrorEntry, type ObjectEntry } from './entry.js';
import { idFromText, idText } from './object-identity.js';
import { keptFields } from './rfc9111/kept-fields.js';

/*
 * An entry in the store: one byte of version, then JSON. Short, because a catalog holds millions; whatever does not
 * have exactly this shape is not an entry.
 */
const VERSION = 2;
/** Longest record that is read, in bytes. */
const RECORD_MAX = 256 * 1024;

/** Writes an entry for the store. */
export function encodeEntry(entry: Entry): Uint8Array {
  return Buffer.from(String.fromCharCode(VERSION) + JSON.stringify(plain(entry)));
}

/**
 * Reads a record of the store.
 * @param key that it must be the entry of
 * @returns undefined when it is not a sound entry of this version and key
 */
export function decodeEntry(record: Uint8Array, key: string): Entry | undefined {
  if (record.length < 2 || record.length > RECORD_MAX || record[0] !== VERSION) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(record.buffer, record.byteOffset + 1, record.length - 1).toString());
  } catch {
    return undefined;
  }
  return isRecord(value) && value.key === key ? revive(value) : undefined;
}

/** What a record says of itself at its beginning, which is read without the rest. */
const OBJECT_HEAD = /^\{"kind":"object","key":("(?:[^"\\]|\\.)*"),"primary":("(?:[^"\\]|\\.)*"),"epoch":(\d+),/;
/** Bytes in which that stands, for all keys but the longest. */
const HEAD_BYTES = 4096;

/**
 * Reads of an object's record which URL it belongs to.
 * @returns undefined for other kinds of entries, and for what is no sound record
 */
export function objectHead(record: Uint8Array): Pick<ObjectEntry, 'key' | 'primary' | 'epoch'> | undefined {
  if (record.length > RECORD_MAX || record[0] !== VERSION) return undefined;
  const text = (end: number) => Buffer.from(record.buffer, record.byteOffset + 1, end).toString();
  const found =
    OBJECT_HEAD.exec(text(Math.min(HEAD_BYTES, record.length - 1))) ?? OBJECT_HEAD.exec(text(record.length - 1));
  if (found === null) return undefined;
  try {
    return { key: JSON.parse(found[1]!), primary: JSON.parse(found[2]!), epoch: Number(found[3]) };
  } catch {
    return undefined;
  }
}

function plain(entry: Entry): object {
  const { kind, key, primary, epoch } = entry;
  const base = { kind, key, primary, epoch };
  if (entry.kind === 'vary') return { ...base, names: entry.names };
  if (entry.kind === 'pass') return { ...base, expires: entry.expires };
  if (entry.kind === 'error') {
    const { code, message, options } = entry.error;
    const { retryAfter, headers, answer, trouble } = options;
    const passed = answer && { ...answer, fields: passedFields(answer.fields), body: text64(answer.body) };
    return { ...base, code, message, retryAfter, headers, trouble, answer: passed, expires: entry.expires };
  }
  const { object, freshness, fields, varied, authorized, validated } = entry;
  const { id, size, validator, contentType } = object;
  const { etag, lastModified } = validator;
  // Written out: to put it together of others' properties would cost more than to write it as JSON.
  return {
    kind,
    key,
    primary,
    epoch,
    id: idText(id),
    size,
    etag,
    lastModified,
    contentType,
    freshness,
    fields,
    varied,
    authorized,
    validated,
  };
}

function revive(value: Record<string, unknown>): Entry | undefined {
  const { kind, key, primary, epoch } = value;
  if (typeof key !== 'string' || typeof primary !== 'string' || !isCount(epoch)) return undefined;
  const base = { key, primary, epoch };
  if (kind === 'object') return reviveObject(value, base);
  if (kind === 'error') return reviveError(value, base);
  if (kind === 'pass' && isCount(value.expires)) return { kind, ...base, expires: value.expires };
  if (kind === 'vary' && Array.isArray(value.names) && value.names.every(name => typeof name === 'string')) {
    return { kind, ...base, names: value.names };
  }
  return undefined;
}

type Base = Pick<Entry, 'key' | 'primary' | 'epoch'>;

function reviveObject(value: Record<string, unknown>, base: Base): ObjectEntry | undefined {
  const { size, etag, lastModified, contentType, freshness, fields, varied, authorized, validated } = value;
  const id = typeof value.id === 'string' ? idFromText(value.id) : undefined;
  if (id === undefined || !isCount(size) || !isCount(validated) || typeof contentType !== 'string') return undefined;
  if (!isOptionalText(etag) || !isOptionalText(lastModified) || !isFields(fields) || !isFields(varied))
    return undefined;
  if (typeof authorized !== 'boolean' || !isRecord(freshness) || typeof freshness.mustRevalidate !== 'boolean')
    return undefined;
  const { vouched, lifetime, staleWhileRevalidate, staleIfError, mustRevalidate } = freshness;
  if (!isCount(vouched) || !isCount(lifetime) || !isCount(staleWhileRevalidate) || !isCount(staleIfError))
    return undefined;
  const validator = { etag, lastModified };
  // The media type is kept as it was decided, because only the first request knows the path.
  const object = { ...describe({ key: base.key, id, size, validator }, fields, ''), contentType };
  return {
    kind: 'object',
    ...base,
    object,
    freshness: { vouched, lifetime, staleWhileRevalidate, staleIfError, mustRevalidate },
    fields,
    varied,
    authorized,
    validated,
  };
}

function reviveError(value: Record<string, unknown>, base: Base): ErrorEntry | undefined {
  const { code, message, retryAfter, headers, trouble, answer, expires } = value;
  if (typeof code !== 'string' || !isErrorCode(code) || typeof message !== 'string' || !isCount(expires))
    return undefined;
  const options: { -readonly [K in keyof ErrorOptions]: ErrorOptions[K] } = {};
  if (isCount(retryAfter)) options.retryAfter = retryAfter;
  if (isFields(headers)) options.headers = headers;
  if (isFields(trouble)) options.trouble = trouble as unknown as OriginTrouble;
  if (answer !== undefined) {
    const passed = revivePassed(answer);
    if (passed === undefined) return undefined;
    options.answer = passed;
  }
  return { kind: 'error', ...base, error: new EdgeError(code, message, options), expires };
}

function revivePassed(value: unknown): PassedAnswer | undefined {
  if (!isRecord(value)) return undefined;
  const { status, fields, body, vouched } = value;
  if (!isCount(status) || status < 200 || status > 599 || !isFields(fields) || !isCount(vouched)) return undefined;
  if (!isOptionalText(body)) return undefined;
  return { status, fields, body: body === undefined ? undefined : Buffer.from(body, 'base64'), vouched };
}

function text64(body: Uint8Array | undefined): string | undefined {
  return body && Buffer.from(body).toString('base64');
}

/** The fields that are stored with a refusal: those of any answer, and its challenge. */
function passedFields(fields: Readonly<Record<string, string>>): Record<string, string> {
  const challenge = fields['www-authenticate'];
  return { ...keptFields(fields), ...(challenge === undefined ? {} : { 'www-authenticate': challenge }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A number that is at least 0 and not beyond what counts exactly. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isFields(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every(field => typeof field === 'string');
}
