import type { BlockLoader } from '../cache/fetch/block-loader.js';
import { ObjectLoader } from '../cache/fetch/object-loader.js';
import { hasValidator } from '../origin/fields.js';
import { isSameVersion, type ObjectEntry } from './entry.js';
import type { CachedEntry, EntryCache } from './entry-cache.js';
import type { Route } from './route.js';
import type { ValidatorTrust } from './validator-trust.js';

/** Options of `ObjectLoaders`. */
export interface ObjectLoadersOptions {
  readonly loader: BlockLoader;
  readonly entries: EntryCache;
  readonly validators: ValidatorTrust;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * The loaders of this process: one for each version of an object whose entry is in memory, so that all who read it
 * share its fetches. Kept with the entries, and gone with them.
 */
export class ObjectLoaders {
  readonly #options: ObjectLoadersOptions;

  constructor(options: ObjectLoadersOptions) {
    this.#options = options;
  }

  /**
   * The loader of an entry's bytes; made when first wanted.
   * @param fields that its next fetches bear, with the query of the route: those of the player at hand, whose
   *   credentials are the latest; undefined when the entry's own will do
   */
  of(
    cached: CachedEntry,
    entry: ObjectEntry,
    route: Route,
    fields: Readonly<Record<string, string>> | undefined,
  ): ObjectLoader {
    const known = cached.loader;
    if (known === undefined) {
      cached.loader = this.#make(entry, route, fields ?? withValues(entry.varied));
      return cached.loader;
    }
    if (fields !== undefined) known.fields = fields;
    known.query = route.query;
    return known;
  }

  /**
   * An entry has taken the place of another one: the same version goes on with its loader; of an older version nothing
   * more is fetched, and its readers have what is cached.
   */
  replaced(before: CachedEntry, after: CachedEntry): void {
    const { loader } = before;
    if (loader === undefined) return;
    if (isSameVersion(before.entry, after.entry)) after.loader = loader;
    else if (after.entry.kind === 'object') loader.retire();
  }

  #make(entry: ObjectEntry, route: Route, fields: Readonly<Record<string, string>>): ObjectLoader {
    const { loader, entries, validators, now } = this.#options;
    const { id, size, validator } = entry.object;
    const { origin, path, query } = route;
    const since = now();
    return new ObjectLoader(loader, {
      id,
      size,
      origin,
      path,
      query,
      fields,
      validator,
      cacheable: true,
      oneFetch: hasValidator(validator) ? undefined : { complete: () => entries.finish(entry) },
      changed: () => {
        validators.gaveWay(entry.key, validator, since);
        entries.remove(entry);
      },
    });
  }
}

/** Those of the fields that have a value. */
function withValues(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}
