import type { EdgeError } from '../base/errors.js';
import { parseHttpDate } from '../base/http-date.js';
import type { OriginAnswer } from '../origin/origin.js';
import { mediaType } from './media-type.js';
import { idText, objectId, playerEtag } from './object-identity.js';
import type { Freshness } from './rfc9111/freshness.js';
import { keptFields, namesForOne, sentFields } from './rfc9111/kept-fields.js';
import type { StoredObject } from './stored-object.js';

/** What is known under a key; a closed set. */
export type Entry = ObjectEntry | VaryEntry | ErrorEntry | PassEntry;

interface EntryBase {
  /** Key of the variant, and of the URL that it belongs to. */
  readonly key: string;
  readonly primary: string;
  /** Sequence number of the last purge of the URL when its fetch began; a later purge makes the entry worthless. */
  readonly epoch: number;
}

/** An object that can be answered from. */
export interface ObjectEntry extends EntryBase {
  readonly kind: 'object';
  readonly object: StoredObject;
  readonly freshness: Freshness;
  /** Fields of the origin's answer that are kept, by name in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields of the request that chose this variant; sent with every later fetch. */
  readonly varied: Readonly<Record<string, string>>;
  /** The fetch bore a player's Authorization, and so must later ones: each time that of the player at hand. */
  readonly authorized: boolean;
  /** Sequence number of purges when it was last validated; a later soft purge marks it stale. */
  readonly validated: number;
}

/** The answers for this URL depend on fields of the request: each variant has an entry of its own. */
export interface VaryEntry extends EntryBase {
  readonly kind: 'vary';
  /** In lower case, sorted. */
  readonly names: readonly string[];
}

/** The origin refused; remembered for a short time. */
export interface ErrorEntry extends EntryBase {
  readonly kind: 'error';
  readonly error: EdgeError;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** Answers must not be stored: requests go to the origin each for itself. */
export interface PassEntry extends EntryBase {
  readonly kind: 'pass';
  readonly expires: number;
}

/** What a new object entry is made from. */
export interface EntryContext extends EntryBase {
  /** Percent-encoded path, for the media type. */
  readonly path: string;
  readonly varied: Readonly<Record<string, string>>;
  readonly authorized: boolean;
  readonly validated: number;
  readonly nonce: string;
  /** The cookies that the answer sets are for all players; false when left out. */
  readonly sharesCookies?: boolean;
}

/** The parts of an answer that an entry keeps. */
export type EntryHead = Pick<OriginAnswer, 'validator' | 'fields'> & Partial<Pick<OriginAnswer, 'status'>>;

/**
 * Makes the entry of an object of `size` bytes from an origin's answer. `knownSize` is what the object's identity was
 * made with.
 */
export function makeEntry(
  answer: EntryHead,
  size: number,
  knownSize: number | undefined,
  freshness: Freshness,
  context: EntryContext,
): ObjectEntry {
  const { key, primary, epoch, path, varied, authorized, validated, nonce } = context;
  const { validator } = answer;
  const id = objectId({ key, validator, size: knownSize, epoch, nonce });
  const fields = keptFields(answer.fields, { sharesCookies: context.sharesCookies, isWhole: answer.status === 200 });
  const object = describe({ key, id, size, validator }, fields, path);
  return { kind: 'object', key, primary, epoch, object, freshness, fields, varied, authorized, validated };
}

/** The entry with the fields of the answer beside that are for the player only whose request it answers. */
export function entryForOne(entry: ObjectEntry, answer: EntryHead, sharesCookies: boolean): ObjectEntry {
  const names = namesForOne(answer.fields);
  if (names.length === 0) return entry;
  const kept = keptFields(answer.fields, { sharesCookies, isForOne: true });
  const own = Object.fromEntries(Object.entries(kept).filter(([name]) => names.includes(name)));
  const { object } = entry;
  return { ...entry, object: { ...object, fields: [...object.fields, ...sentFields(own)] } };
}

/** The entry after the origin has confirmed its object by a 304 (RFC 9111 section 4.3.4), with its `fields` updated. */
export function confirmEntry(
  entry: ObjectEntry,
  fields: Readonly<Record<string, string>>,
  freshness: Freshness,
  path: string,
  validated: number,
): ObjectEntry {
  return { ...entry, object: describe(entry.object, fields, path), fields, freshness, validated };
}

/** A stored object from its identity and the fields kept with it. */
export function describe(
  { key, id, size, validator }: Pick<StoredObject, 'key' | 'id' | 'size' | 'validator'>,
  fields: Readonly<Record<string, string>>,
  path: string,
): StoredObject {
  return {
    key,
    id,
    size,
    validator,
    etag: playerEtag(validator, id),
    lastModified: parseHttpDate(validator.lastModified),
    contentType: mediaType(fields['content-type'], path),
    fields: sentFields(fields),
  };
}

/** True when both are entries of the same version of an object. */
export function isSameVersion(a: Entry, b: Entry): boolean {
  return a.kind === 'object' && b.kind === 'object' && idText(a.object.id) === idText(b.object.id);
}
