import { matchesHost } from './host-pattern.js';
import { decodeOctets } from './percent.js';

/** Where something holds. */
export interface Place {
  /** Host, or `*.domain`, in lower case; undefined for any. */
  readonly host?: string | undefined;
  /** Beginning of the path, without escapes. */
  readonly path: string;
}

/** Whether one place has all of another in it. */
export function covers(place: Place, other: Place): boolean {
  return coversHost(place.host, other.host) && plainPath(other.path).startsWith(plainPath(place.path));
}

/** What two places have in common; undefined where they lie apart. */
export function overlapOf(one: Place, other: Place): Place | undefined {
  const [outer, inner] = coversHost(one.host, other.host) ? [one, other] : [other, one];
  const [short, long] = one.path.length <= other.path.length ? [one, other] : [other, one];
  if (!coversHost(outer.host, inner.host) || !plainPath(long.path).startsWith(plainPath(short.path))) return undefined;
  return { host: inner.host, path: long.path };
}

function coversHost(host: string | undefined, other: string | undefined): boolean {
  return host === undefined || host === other || matchesHost(host, other?.replace(/^\*\./, '') ?? '');
}

/**
 * What holds by host and path, in the order in which it was stated: the one mechanism of all settings that differ from
 * place to place.
 */
export class PlaceList<T extends Place> {
  readonly all: readonly T[];
  readonly #paths: readonly string[];

  constructor(all: readonly T[]) {
    this.all = all;
    this.#paths = all.map(({ path }) => plainPath(path));
  }

  /**
   * The first whose host and path fit.
   * @param host in lower case, without port; undefined fits every host
   * @param path as `plainPath` gives it
   */
  find(host: string | undefined, path: string): T | undefined {
    for (let i = 0; i < this.all.length; i++) if (this.#fits(i, host, path)) return this.all[i];
    return undefined;
  }

  /** All that fit, in their order. */
  findAll(host: string | undefined, path: string): T[] {
    return this.all.filter((_, i) => this.#fits(i, host, path));
  }

  /** Numbers of those that fit. */
  indexes(host: string | undefined, path: string): number[] {
    const fitting: number[] = [];
    for (let i = 0; i < this.all.length; i++) if (this.#fits(i, host, path)) fitting.push(i);
    return fitting;
  }

  #fits(i: number, host: string | undefined, path: string): boolean {
    const pattern = this.all[i]!.host;
    if (pattern !== undefined && host !== undefined && !matchesHost(pattern, host)) return false;
    return path.startsWith(this.#paths[i]!);
  }
}

/** What several places that overlap state together, made once for each combination of them. */
export class Overlaid<T extends Place, M> {
  readonly #places: PlaceList<T>;
  readonly #merge: (fitting: readonly T[]) => M;
  readonly #known = new Map<string, M>();

  /** @param merge what places that fit come to, in their order: of each setting the first that states it says it */
  constructor(all: readonly T[], merge: (fitting: readonly T[]) => M) {
    this.#places = new PlaceList(all);
    this.#merge = merge;
  }

  /**
   * What holds somewhere; undefined where no place fits.
   * @param host and `path` as for `PlaceList`
   */
  at(host: string | undefined, path: string): M | undefined {
    const fitting = this.#places.indexes(host, path);
    if (fitting.length === 0) return undefined;
    const name = fitting.join();
    let merged = this.#known.get(name);
    if (merged === undefined) {
      merged = this.#merge(fitting.map(i => this.#places.all[i]!));
      // As many combinations as there are ways to overlap; paths of strangers make no more of them.
      this.#known.set(name, merged);
    }
    return merged;
  }
}

/**
 * The octets of a path as places compare it and signatures sign it: without escapes, of several slashes one, so that
 * there is no other way to write it.
 */
export function plainPath(path: string): string {
  const octets = decodeOctets(path);
  return octets.includes('//') ? octets.replaceAll(/\/{2,}/g, '/') : octets;
}
