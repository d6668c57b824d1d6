import { createHash } from 'node:crypto';

/** Milliseconds that a clip begins and ends at; no `end` goes on to the end of the film. */
export interface ClipTimes {
  readonly start: number;
  readonly end: number | undefined;
}

/**
 * What the segment `V` of a URL says: 16 hexadecimal digits of a hash over all that decides the bytes below it, and the
 * clip, so that an answer needs nothing but its URL. Equal versions mean equal bytes.
 */
export interface PackageVersion {
  readonly hash: string;
  readonly clip: ClipTimes | undefined;
}

const VERSION = /^([0-9a-f]{16})(?:-(0|[1-9]\d{0,10})(?:-([1-9]\d{0,10}))?)?$/;
const HASH_DIGITS = 16;

/** The version that `text` is; undefined when it is none. */
export function parseVersion(text: string): PackageVersion | undefined {
  const [, hash, start, end] = VERSION.exec(text) ?? [];
  if (hash === undefined) return undefined;
  if (start === undefined) return { hash, clip: undefined };
  const clip = { start: Number(start), end: end === undefined ? undefined : Number(end) };
  if (clip.end === undefined ? clip.start === 0 : clip.end <= clip.start) return undefined;
  return { hash, clip };
}

/** The version as it stands in URLs. */
export function versionText({ hash, clip }: PackageVersion): string {
  if (clip === undefined) return hash;
  return clip.end === undefined ? `${hash}-${clip.start}` : `${hash}-${clip.start}-${clip.end}`;
}

/**
 * The hash of a version.
 * @param parts the objects' versions and the settings that decide the bytes, in a fixed order
 */
export function versionHash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, HASH_DIGITS);
}
