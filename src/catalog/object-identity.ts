import * as crypto from 'node:crypto';
import type { ObjectId } from '../base/block.js';
import { GENERATIONS } from '../cache/memory/memory-tier.js';
import { isStrong } from '../origin/fields.js';
import type { Validator } from '../origin/origin.js';

/** Number of groups of keys that a purge of one URL can tell apart. */
const BUCKETS = 2 ** 20;
/** Shared counter that tells of purges by prefix and of everything. */
export const PURGE_GENERATION = 0;

/**
 * Cache key of a URL: origin name, path and the part of the query that counts. A path begins with '/', which no origin
 * name contains.
 */
export function objectKey(origin: string, path: string, query: string): string {
  return query === '' ? origin + path : `${origin}${path}?${query}`;
}

/**
 * Key of one variant of an object (RFC 9111 section 4.1): the object's key and the request fields that its answers
 * depend on.
 */
export function variantKey(key: string, varied: Readonly<Record<string, string>>): string {
  let result = key;
  for (const name of Object.keys(varied).sort()) result += `\n${name}:${normalValue(name, varied[name]!)}`;
  return result;
}

/**
 * A field's value without differences that mean nothing (RFC 9111 section 4.1): of spaces, around commas too, and of
 * case in language tags. Their order stays: servers prefer the first of what weighs the same.
 */
function normalValue(name: string, value: string): string {
  const spaced = value
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([,;]) ?/g, '$1')
    .trim();
  return name === 'accept-language' ? spaced.toLowerCase() : spaced;
}

/** Group of keys in which the purge of one URL takes effect, 0 to 2^20 - 1 (FNV-1a). */
export function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}

/** Shared counter that tells of changes to what is stored for the keys of a group. */
export function generationOf(bucket: number): number {
  return 1 + (bucket % (GENERATIONS - 1));
}

/** Store keys of late, by the keys they are made of: one that is being looked up at an origin is asked for often. */
const storeKeys = new Map<string, Uint8Array>();
const STORE_KEYS_MAX = 256;

/** Key of an entry in the store. Not to be changed. */
export function storeKey(key: string): Uint8Array {
  const known = storeKeys.get(key);
  if (known !== undefined) return known;
  if (storeKeys.size === STORE_KEYS_MAX) storeKeys.clear();
  const made = hashOf(key);
  storeKeys.set(key, made);
  return made;
}

function hashOf(text: string): Uint8Array {
  // Node 20.12 and later hash in one call, for half of the time.
  const whole = crypto.hash?.('sha256', text, 'buffer') ?? crypto.createHash('sha256').update(text).digest();
  return whole.subarray(0, 16);
}

/** Id of the block that stands for the right to ask the origin about a key. */
export function lockId(key: string): ObjectId {
  // Those of versions are hashes of other texts than keys.
  return idOf(storeKey(key));
}

/** The origin and the path there that a cache key is of: no name of an origin holds a slash, with which paths begin. */
export function placeOfKey(key: string): { readonly origin: string; readonly path: string } {
  const slash = key.indexOf('/');
  return { origin: key.slice(0, slash), path: key.slice(slash) };
}

/** What makes a version of an object this one and no other. */
export interface Identity {
  /** Key of the variant. */
  readonly key: string;
  readonly validator: Validator;
  /** Bytes; undefined when the body came without its length. */
  readonly size: number | undefined;
  /**
   * Sequence number of the last purge of the object, so that what is purged is not found again under an unchanged
   * validator.
   */
  readonly epoch: number;
  /** Tells fetches apart when there is no validator to do so; empty otherwise. */
  readonly nonce: string;
}

/** 128-bit id of a version: SHA-256 of everything that identifies it, truncated. */
export function objectId({ key, validator, size, epoch, nonce }: Identity): ObjectId {
  return idOf(hashOf(JSON.stringify(['object', key, validator.etag, validator.lastModified, size, epoch, nonce])));
}

/** An id as 32 hexadecimal digits. */
export function idText(id: ObjectId): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex');
}

/** The id that `idText` made; undefined when it did not. */
export function idFromText(text: string): ObjectId | undefined {
  if (!/^[0-9a-f]{32}$/.test(text)) return undefined;
  return new Uint32Array(new Uint8Array(Buffer.from(text, 'hex')).buffer) as ObjectId;
}

/** Strong entity tag for players: the origin's when it is strong, otherwise made of the id. */
export function playerEtag(validator: Validator, id: ObjectId): string {
  return isStrong(validator.etag) ? validator.etag : `"${idText(id)}"`;
}

function idOf(hash: Uint8Array): ObjectId {
  const bytes = new Uint8Array(16);
  bytes.set(hash);
  return new Uint32Array(bytes.buffer) as ObjectId;
}
