import { matchesHost } from './host-pattern.js';
import { decodeOctets } from './percent.js';

/** Where something holds. */
export interface Place {
  /** Host, or `*.domain`, in lower case; undefined for any. */
  readonly host?: string | undefined;
  /** Beginning of the path, without escapes. */
  readonly path: string;
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

  #fits(i: number, host: string | undefined, path: string): boolean {
    const pattern = this.all[i]!.host;
    if (pattern !== undefined && host !== undefined && !matchesHost(pattern, host)) return false;
    return path.startsWith(this.#paths[i]!);
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
