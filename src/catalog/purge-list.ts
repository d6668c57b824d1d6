import { normalPath } from '../base/percent.js';
import type { PurgePattern } from './purge-pattern.js';

/** Sequence numbers of the last purge that concerns something; 0 for none. */
export interface PurgeMarks {
  /** What was stored before it is worthless. */
  readonly hard: number;
  /** What was stored before it is stale. */
  readonly soft: number;
}

/** A purge of all keys that begin with `prefix`, however either is escaped; `prefix` is in normal form. */
export interface PrefixPurge extends PurgeMarks {
  readonly prefix: string;
}

/** A purge of all objects that fit a pattern. Those that were stored have been marked one by one. */
export interface PatternPurge {
  readonly pattern: PurgePattern;
  /** Its sequence number: what was fetched before it is worthless. */
  readonly sequence: number;
}

/** The purges that concern more than one URL, and the number of purges so far. */
export interface PurgeList {
  /** Sequence number of the last purge. */
  readonly sequence: number;
  readonly all: PurgeMarks;
  /** At most `PREFIXES_MAX`, the one that was purged longest ago first. */
  readonly prefixes: readonly PrefixPurge[];
  /**
   * At most `PATTERNS_MAX`, the oldest first: for what was being fetched, and so was not stored, when they were made.
   */
  readonly patterns: readonly PatternPurge[];
  /** Sequence number of the last pattern that is no more in the list: nothing is stored any more that is older. */
  readonly forgotten: number;
}

/** Most prefixes that are kept; beyond, the two oldest become one. */
export const PREFIXES_MAX = 256;

/** Most patterns that are kept: fetches that have outlived so many purges are not stored. */
const PATTERNS_MAX = 16;

export const NO_PURGES: PurgeList = {
  sequence: 0,
  all: { hard: 0, soft: 0 },
  prefixes: [],
  patterns: [],
  forgotten: 0,
};

/** The marks of a purge with the sequence number `sequence` on top of others. */
export function marked({ hard, soft }: PurgeMarks, sequence: number, isSoft: boolean): PurgeMarks {
  return isSoft ? { hard, soft: sequence } : { hard: sequence, soft: Math.max(soft, sequence) };
}

/** The later marks of two. */
export function latest(a: PurgeMarks, b: PurgeMarks): PurgeMarks {
  return { hard: Math.max(a.hard, b.hard), soft: Math.max(a.soft, b.soft) };
}

/** The list after one more purge of everything. */
export function withAll(list: PurgeList, isSoft: boolean): PurgeList {
  const sequence = list.sequence + 1;
  const all = marked(list.all, sequence, isSoft);
  return { ...list, sequence, all, prefixes: list.prefixes.filter(purge => exceeds(purge, all)) };
}

/** The list after one more purge by prefix. */
export function withPrefix(list: PurgeList, given: string, isSoft: boolean): PurgeList {
  const prefix = normalPath(given);
  const sequence = list.sequence + 1;
  const before = list.prefixes.find(purge => purge.prefix === prefix) ?? { hard: 0, soft: 0 };
  const added = { prefix, ...marked(before, sequence, isSoft) };
  const others = list.prefixes.filter(
    purge => purge.prefix !== prefix && (!purge.prefix.startsWith(prefix) || exceeds(purge, added)),
  );
  return bounded({ ...list, sequence, prefixes: [...others, added] });
}

/** The list after one more purge by a pattern. A soft one concerns what is stored alone. */
export function withPattern(list: PurgeList, pattern: PurgePattern, isSoft: boolean): PurgeList {
  const sequence = list.sequence + 1;
  if (isSoft) return { ...list, sequence };
  const patterns = [...list.patterns, { pattern, sequence }];
  const gone = patterns.slice(0, -PATTERNS_MAX).at(-1);
  return { ...list, sequence, patterns: patterns.slice(-PATTERNS_MAX), forgotten: gone?.sequence ?? list.forgotten };
}

/** The marks that concern `key`. */
export function marksOf(list: PurgeList, key: string): PurgeMarks {
  let marks = list.all;
  if (list.prefixes.length === 0) return marks;
  const path = normalPath(key.split('?', 1)[0]!);
  for (const purge of list.prefixes) if (path.startsWith(purge.prefix)) marks = latest(marks, purge);
  return marks;
}

/** Reads a list from the store; nothing is taken on trust. @returns undefined when it is malformed */
export function parsePurgeList(record: Uint8Array): PurgeList | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(record).toString());
  } catch {
    return undefined;
  }
  const { sequence, all, prefixes, patterns = [], forgotten = 0 } = (value ?? {}) as Record<string, unknown>;
  if (!isSequence(sequence) || !isMarks(all) || !Array.isArray(prefixes) || prefixes.length > PREFIXES_MAX)
    return undefined;
  for (const purge of prefixes)
    if (!isMarks(purge) || typeof (purge as PrefixPurge).prefix !== 'string') return undefined;
  if (!isSequence(forgotten) || !Array.isArray(patterns) || !patterns.every(isPatternPurge)) return undefined;
  return { sequence, all, prefixes, patterns, forgotten };
}

/**
 * Merges the oldest two prefixes into what they have in common until the list is short enough: purges too much rather
 * than too little.
 */
function bounded(list: PurgeList): PurgeList {
  const { prefixes } = list;
  if (prefixes.length <= PREFIXES_MAX) return list;
  const [first, second, ...rest] = prefixes as [PrefixPurge, PrefixPurge, ...PrefixPurge[]];
  const prefix = commonPrefix(first.prefix, second.prefix);
  const merged = latest(first, second);
  if (prefix === '') return bounded({ ...list, all: latest(list.all, merged), prefixes: rest });
  return bounded({ ...list, prefixes: [{ prefix, ...merged }, ...rest] });
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

function exceeds(purge: PurgeMarks, than: PurgeMarks): boolean {
  return purge.hard > than.hard || purge.soft > than.soft;
}

function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMarks(value: unknown): value is PurgeMarks {
  const { hard, soft } = (value ?? {}) as Record<string, unknown>;
  return isSequence(hard) && isSequence(soft);
}

function isPatternPurge(value: unknown): value is PatternPurge {
  const { pattern, sequence } = (value ?? {}) as Record<string, unknown>;
  const { kind, text, places } = (pattern ?? {}) as Record<string, unknown>;
  const isPlace = (place: unknown) => Object.values((place ?? {}) as object).every(each => typeof each === 'string');
  const isKind = kind === 'tag' || kind === 'glob' || kind === 'regex';
  return isSequence(sequence) && isKind && typeof text === 'string' && Array.isArray(places) && places.every(isPlace);
}
