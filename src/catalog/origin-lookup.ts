import { randomUUID } from 'node:crypto';
import { BLOCK_SIZE, blockOf } from '../base/block.js';
import type { EdgeError } from '../base/errors.js';
import type { BlockLoader } from '../cache/fetch/block-loader.js';
import { BypassStream } from '../cache/fetch/bypass-stream.js';
import { ObjectLoader } from '../cache/fetch/object-loader.js';
import type { Begun } from '../cache/read/reader.js';
import { type Fields, hasValidator, sameVersion } from '../origin/fields.js';
import type {
  OriginAnswer,
  OriginFetch,
  OriginRequest,
  OriginSink,
  RefusedAnswer,
  Validator,
} from '../origin/origin.js';
import { type Ask, pick } from './ask.js';
import type { OpenObject, OpenStream } from './content.js';
import { confirmEntry, type EntryContext, makeEntry, type ObjectEntry } from './entry.js';
import type { CachedEntry, EntryCache } from './entry-cache.js';
import { GrowingStream } from './growing-stream.js';
import { fetchHead, type Taken } from './head-fetch.js';
import { variantKey } from './object-identity.js';
import { OpenedObject } from './opened-object.js';
import type { Purges } from './purge.js';
import { ageOf, type Freshness, type FreshnessOptions, freshnessOf } from './rfc9111/freshness.js';
import { cookies, updatedFields } from './rfc9111/kept-fields.js';
import { notStored, type SetCookie, varyNames } from './rfc9111/storable.js';
import { UnsizedFill } from './unsized-fill.js';

/**
 * How long requests for something that must not be stored go to the origin without waiting for one another, in
 * milliseconds.
 */
const PASS_TTL = 60_000;

/** What came of asking the origin. `committed` settles when the other processes can know it. */
export type LookupResult =
  /** The object's entry is up to date; `own` is for who asked. */
  | {
      readonly kind: 'object';
      readonly cached: CachedEntry;
      readonly outcome: 'miss' | 'revalidated';
      readonly own: OpenObject;
      readonly committed: Promise<void>;
    }
  /** The answer depends on fields that were not sent: ask again for the variant. */
  | { readonly kind: 'vary'; readonly committed: Promise<void> }
  /** For who asked, and nobody else. */
  | { readonly kind: 'private'; readonly own: OpenObject | OpenStream; readonly committed: Promise<void> }
  | { readonly kind: 'refused'; readonly error: EdgeError; readonly answer: RefusedAnswer | undefined };

/** Options of `OriginLookup`. */
export interface OriginLookupOptions {
  readonly loader: BlockLoader;
  readonly entries: EntryCache;
  readonly purges: Purges;
  readonly freshness: FreshnessOptions;
  readonly setCookie: SetCookie;
  readonly now: () => number;
}

/** How an lookup is made. */
export interface LookupMode {
  /** Stored object that the origin may confirm. */
  readonly stale: CachedEntry | undefined;
  /** Nobody reads the body. */
  readonly headOnly?: boolean;
  /** Answers are known not to be stored: asks for exactly what the player wants. */
  readonly pass?: boolean;
}

/** What holds for the whole of one lookup. */
interface Lookup {
  readonly ask: Ask;
  readonly mode: LookupMode;
  readonly epoch: number;
  readonly validated: number;
}

const DONE = Promise.resolve();
/**
 * Why an answer is of no use and another is asked for: a 206 that does not say how large the object is, or one without
 * anything to tell versions by, so that the object must come in one: whole, or just what this player reads.
 */
type Unsuited = 'size missing' | 'whole wanted' | 'part wanted';

const NO_VALIDATOR: Validator = { etag: undefined, lastModified: undefined };
/**
 * A version that gave way within so many milliseconds may not have been one: the origin may make up a validator each
 * time.
 */
const UNSTABLE_WITHIN = 60_000;
/** Most URLs of which is remembered that their validators are not to be trusted. */
const UNSTABLE_MAX = 1000;
/** A player that begins behind so many bytes does not wait for an object that is fetched whole. */
const WHOLE_REACH = 8 * 1024 * 1024;
/** Most milliseconds for which a body is fresh of which only the end of the connection said that it was whole. */
const UNFRAMED_LIFETIME = 60_000;

/** Asks the origin about an object, by the first fetch of its bytes: never by a request for the head alone. */
export class OriginLookup {
  readonly #options: OriginLookupOptions;
  /** Bodies of unknown size that are coming, by key. */
  readonly #unsized = new Map<string, { readonly fill: UnsizedFill; readonly epoch: number }>();
  /** URLs whose validators seem to change with each answer or with time, by key: the last one, and since when. */
  readonly #unstable = new Map<string, { readonly validator: Validator; readonly since: number }>();

  constructor(options: OriginLookupOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async make(ask: Ask, mode: LookupMode): Promise<LookupResult> {
    const { purges } = this.#options;
    const lookup = { ask, mode, epoch: purges.marks(ask.primary).hard, validated: purges.sequence() };
    const entry = mode.stale?.entry;
    const validator = entry?.kind === 'object' ? entry.object.validator : undefined;
    const condition = validator && hasValidator(validator) ? ({ kind: 'changed', validator } as const) : undefined;
    let range: OriginRequest['range'] = this.#firstRange(ask, mode);
    let current: Lookup = lookup;
    for (;;) {
      const request: OriginRequest = {
        path: ask.route.path,
        query: ask.route.query,
        range,
        condition,
        fields: ask.fields,
      };
      const result = await fetchHead(ask.route.origin, request, (answer, fetch) => this.#take(current, answer, fetch));
      if (result.kind === 'taken' && typeof result.value === 'object') return result.value;
      if (result.kind === 'taken' && result.value === 'part wanted') {
        current = { ...lookup, mode: { ...mode, pass: true } };
        range = this.#firstRange(ask, current.mode);
        continue;
      }
      if (result.kind === 'refused' && (result.error.code !== 'range_not_satisfiable' || range === undefined))
        return result;
      // The size is learnt from the first block, and that of an empty object, or of one that is kept secret, from the
      // whole.
      const isEmpty: boolean = result.kind === 'taken' || result.answer?.size === 0 || range?.start === 0;
      range = isEmpty ? undefined : { start: 0, end: BLOCK_SIZE };
    }
  }

  /**
   * A loader for the bytes of an entry; kept with it.
   * @param fields that its next fetches bear, with the query of the route: those of the player at hand, whose
   *   credentials are the latest; undefined when the entry's own will do
   */
  loaderOf(
    cached: CachedEntry,
    entry: ObjectEntry,
    route: Ask['route'],
    fields: Ask['fields'] | undefined,
  ): ObjectLoader {
    if (cached.loader !== undefined) {
      if (fields !== undefined) cached.loader.fields = fields;
      cached.loader.query = route.query;
      return cached.loader;
    }
    const { id, size, validator } = entry.object;
    const since = this.#options.now();
    const changed = () => {
      if (this.#options.now() - since < UNSTABLE_WITHIN) this.#distrust(entry.key, validator);
      this.#options.entries.remove(entry);
    };
    const oneFetch = hasValidator(validator) ? undefined : { complete: () => this.#options.entries.finish(entry) };
    const { origin, path, query } = route;
    cached.loader = new ObjectLoader(this.#options.loader, {
      id,
      size,
      origin,
      path,
      query,
      fields: fields ?? filled(entry.varied),
      validator,
      cacheable: true,
      oneFetch,
      changed,
    });
    return cached.loader;
  }

  /** Bytes of the first request, as far as the player's tells; whole blocks, unless nothing will be stored. */
  #firstRange({ request }: Ask, { pass, headOnly }: LookupMode): { start: number; end: number } {
    const { start, end } = request.hint;
    if (headOnly) return { start: 0, end: BLOCK_SIZE };
    if (pass) return { start, end: Math.max(end, start + 1) };
    const { firstWindow, maxRun } = this.#options.loader;
    const first = blockOf(start);
    const isOpen = end >= Number.MAX_SAFE_INTEGER;
    const blocks = isOpen ? firstWindow : Math.min(maxRun, Math.max(1, Math.ceil(end / BLOCK_SIZE) - first));
    return { start: first * BLOCK_SIZE, end: (first + blocks) * BLOCK_SIZE };
  }

  /** A stream from a fetch of unknown size that is under way already; undefined when there is none to join. */
  join({ key, primary }: Ask): OpenStream | undefined {
    const running = this.#unsized.get(key);
    if (running === undefined || running.epoch < this.#options.purges.marks(primary).hard) return undefined;
    return running.fill.join();
  }

  #take(lookup: Lookup, found: OriginAnswer, fetch: OriginFetch): Taken<LookupResult | Unsuited> {
    const { ask, mode } = lookup;
    if (found.status === 304) return { value: this.#confirmed(lookup, found), body: undefined };
    if (found.status === 206 && found.size === undefined) return { value: 'size missing', body: undefined };
    const answer = { ...found, validator: this.#trusted(ask.key, found) };
    const names = varyNames(answer.fields);
    const varied = pick(ask.request, names);
    const reason = notStored(answer.fields, {
      authorized: ask.authorization !== '',
      setCookie: this.#options.setCookie,
    });
    if (reason !== undefined || ask.requestCacheControl?.noStore) {
      const committed = reason === undefined || reason === 'authorization' ? DONE : this.#savePass(lookup);
      const { own, body } = this.#privately(ask, answer, fetch);
      return { value: { kind: 'private', own, committed }, body };
    }
    const key = variantKey(ask.primary, varied);
    const committed = this.#saveVary(lookup, names);
    // What was sent has chosen this answer: it must be what this player would have sent.
    if (names.some(name => varied[name] !== (ask.fields[name] ?? ''))) {
      return { value: { kind: 'vary', committed }, body: undefined };
    }
    const isOneFetch = !hasValidator(answer.validator) && answer.size !== 0;
    const nonce = isOneFetch ? randomUUID() : '';
    const { primary, route } = ask;
    const { epoch, validated } = lookup;
    const authorized = ask.authorization !== '';
    const { path } = route;
    const sharesCookies = this.#sharesCookies;
    const context = { key, primary, epoch, validated, varied, authorized, nonce, path, sharesCookies };
    const freshness = this.#freshness(answer.fields, answer, route.defaultLifetime);
    if (answer.size === undefined) return this.#grow(lookup, answer, fetch, context, freshness);
    const entry = makeEntry(answer, answer.size, answer.size, freshness, context);
    if (isOneFetch) return this.#takeInOne(lookup, answer, fetch, entry);
    const saved = this.#options.entries.save(entry, mode.stale);
    const { own, body } = this.#adopt(lookup, saved.cached, entry, answer, fetch);
    const all = Promise.all([committed, saved.committed]).then(() => {});
    return { value: { kind: 'object', cached: saved.cached, outcome: 'miss', own, committed: all }, body };
  }

  /** The origin has confirmed the stored object. */
  #confirmed({ ask, mode, validated }: Lookup, answer: OriginAnswer): LookupResult {
    const { entries } = this.#options;
    const stale = mode.stale!;
    const before = stale.entry as ObjectEntry;
    const { path, defaultLifetime } = ask.route;
    const fields = updatedFields(before.fields, answer.fields, this.#sharesCookies);
    // Date and Age are of this answer or of none.
    const { date, age } = answer.fields;
    const dated = { ...fields, ...(date === undefined ? {} : { date }), ...(age === undefined ? {} : { age }) };
    const freshness = this.#freshness(dated, answer, defaultLifetime);
    const entry = confirmEntry(before, fields, freshness, path, validated);
    // An origin that is cheap to ask is asked by each process, rather than that each of its answers is written down.
    const { cached, committed } =
      defaultLifetime === undefined ? entries.save(entry, stale) : entries.keep(entry, stale);
    const loader = this.loaderOf(cached, entry, ask.route, ask.fields);
    const own = new OpenedObject(entry.object, this.#seconds(freshness), 'revalidated', loader);
    return { kind: 'object', cached, outcome: 'revalidated', own, committed };
  }

  /** Hands the body on to a fill of the blocks that it brings. */
  #adopt(
    { ask, mode }: Lookup,
    cached: CachedEntry,
    entry: ObjectEntry,
    answer: OriginAnswer,
    fetch: OriginFetch,
  ): { own: OpenObject; body: OriginSink | undefined } {
    const loader = this.loaderOf(cached, entry, ask.route, ask.fields);
    const age = this.#seconds(entry.freshness);
    const { offset, status, length = 0 } = answer;
    const end = Math.min(offset + length, entry.object.size);
    const from = blockOf(offset);
    const to = end === entry.object.size ? loader.blocks : blockOf(end);
    const isOfUse = mode.headOnly !== true && offset % BLOCK_SIZE === 0 && to > from;
    if (!isOfUse) return { own: new OpenedObject(entry.object, age, 'miss', loader), body: undefined };
    const run = loader.adopt(fetch, from, to, status === 200);
    if (run === undefined) return { own: new OpenedObject(entry.object, age, 'miss', loader), body: undefined };
    const stream = run === 'full' ? new BypassStream(loader, offset, end) : undefined;
    stream?.adopt(fetch);
    const own = new OpenedObject(entry.object, age, 'miss', loader, { from, to: this.#wantedTo(ask, to), stream });
    return { own, body: run === 'full' ? stream : run };
  }

  /** Of a body that an origin without ranges sends whole, no more is wanted at first than would have been asked for. */
  #wantedTo(ask: Ask, to: number): number {
    return Math.min(to, Math.ceil(this.#firstRange(ask, { stale: undefined }).end / BLOCK_SIZE));
  }

  /** An object that goes past the cache to this player. */
  #privately(ask: Ask, answer: OriginAnswer, fetch: OriginFetch): { own: OpenObject | OpenStream; body: OriginSink } {
    const { path, origin } = ask.route;
    const key = `${ask.key}\n${randomUUID()}`;
    const { fields } = ask;
    const freshness = this.#freshness(answer.fields, answer, undefined);
    const context = {
      key,
      primary: ask.primary,
      epoch: 0,
      validated: 0,
      varied: ask.varied,
      authorized: false,
      nonce: key,
      path,
      sharesCookies: this.#sharesCookies,
    };
    const { object } = makeEntry(answer, answer.size ?? 0, answer.size, freshness, context);
    const withCookies =
      this.#options.setCookie === 'bypass'
        ? { ...object, fields: [...object.fields, ...cookies(answer.fields)] }
        : object;
    if (answer.size === undefined) {
      const stream = new GrowingStream(object.contentType, withCookies.fields, fetch);
      return { own: stream, body: stream };
    }
    const { id, size, validator } = object;
    const described = {
      id,
      size,
      origin,
      path,
      query: ask.route.query,
      fields,
      validator,
      cacheable: false,
      changed() {},
    };
    const loader = new ObjectLoader(this.#options.loader, described);
    const stream = new BypassStream(loader, answer.offset, answer.offset + (answer.length ?? size));
    stream.adopt(fetch);
    const begun: Begun = { from: blockOf(answer.offset), to: blockOf(answer.offset) + 1, stream };
    return { own: new OpenedObject(withCookies, this.#seconds(freshness), 'bypass', loader, begun), body: stream };
  }

  /**
   * An object of which nothing tells one version from another: all of it from this fetch, or past the cache to this
   * player, when it is too large or the player begins too far back.
   */
  #takeInOne(
    lookup: Lookup,
    answer: OriginAnswer,
    fetch: OriginFetch,
    entry: ObjectEntry,
  ): Taken<LookupResult | Unsuited> {
    const { ask, mode } = lookup;
    const { entries, loader } = this.#options;
    const fits = entry.object.size <= loader.wholeMax && ask.request.hint.start <= WHOLE_REACH;
    const isWhole = answer.offset === 0 && answer.length === entry.object.size;
    if (!isWhole && (fits || mode.pass !== true))
      return { value: fits ? 'whole wanted' : 'part wanted', body: undefined };
    const cached = fits ? entries.begin(entry, mode.stale) : undefined;
    const objectLoader = cached && this.loaderOf(cached, entry, ask.route, ask.fields);
    const run = objectLoader?.adopt(fetch, 0, objectLoader.blocks, true);
    if (cached !== undefined && objectLoader !== undefined && typeof run === 'object') {
      const own = new OpenedObject(entry.object, this.#seconds(entry.freshness), 'miss', objectLoader);
      return { value: { kind: 'object', cached, outcome: 'miss', own, committed: DONE }, body: run };
    }
    if (cached !== undefined) entries.remove(entry);
    const { own, body } = this.#privately(ask, answer, fetch);
    return { value: { kind: 'private', own, committed: this.#savePass(lookup) }, body };
  }

  /**
   * What the version of an answer can be told by: nothing, when the origin has given different validators of late. One
   * that stays is trusted again.
   */
  #trusted(key: string, { validator }: OriginAnswer): Validator {
    const last = this.#unstable.get(key);
    if (last === undefined || !hasValidator(validator)) return validator;
    if (!sameVersion(last.validator, validator)) this.#distrust(key, validator);
    else if (this.#options.now() - last.since >= UNSTABLE_WITHIN) {
      this.#unstable.delete(key);
      return validator;
    }
    return NO_VALIDATOR;
  }

  #distrust(key: string, validator: Validator): void {
    if (!hasValidator(validator)) return;
    if (this.#unstable.size >= UNSTABLE_MAX) this.#unstable.clear();
    this.#unstable.set(key, { validator, since: this.#options.now() });
  }

  /** A body that does not say how long it is: its entry is made when it has ended. */
  #grow(
    lookup: Lookup,
    answer: OriginAnswer,
    fetch: OriginFetch,
    context: EntryContext,
    freshness: Freshness,
  ): Taken<LookupResult> {
    const { loader, entries } = this.#options;
    const { key } = context;
    // A body that was cut looks whole, and its validator would confirm it.
    const head = answer.unframed ? { ...answer, validator: NO_VALIDATOR } : answer;
    const kept = answer.unframed ? { ...context, nonce: randomUUID() } : context;
    const lifetime = answer.unframed ? Math.min(freshness.lifetime, UNFRAMED_LIFETIME) : freshness.lifetime;
    const { object } = makeEntry(head, 0, undefined, freshness, kept);
    const fill = new UnsizedFill({
      tier: loader.tier,
      id: object.id,
      contentType: object.contentType,
      fields: object.fields,
      bound: loader.wholeMax,
      complete: size =>
        void entries.save(makeEntry(head, size, undefined, { ...freshness, lifetime }, kept), undefined),
      closed: () => {
        if (this.#unsized.get(key)?.fill === fill) this.#unsized.delete(key);
      },
    });
    fill.fetch = fetch;
    const own = fill.join()!;
    // A request with credentials is nobody else's.
    if (!context.authorized) this.#unsized.set(key, { fill, epoch: context.epoch });
    return { value: { kind: 'private', own, committed: this.#savePass(lookup) }, body: fill };
  }

  #savePass({ ask: { key, primary }, epoch }: Lookup): Promise<void> {
    const expires = this.#options.now() + PASS_TTL;
    return this.#options.entries.save({ kind: 'pass', key, primary, epoch, expires }, undefined).committed;
  }

  #saveVary({ ask: { primary }, epoch }: Lookup, names: readonly string[]): Promise<void> {
    if (names.length === 0) return DONE;
    const known = this.#options.entries.find(primary, primary)?.entry;
    if (known?.kind === 'vary' && known.names.join() === names.join()) return DONE;
    return this.#options.entries.save({ kind: 'vary', key: primary, primary, epoch, names }, undefined).committed;
  }

  #freshness(fields: Fields, answer: OriginAnswer, silent: number | undefined): Freshness {
    return freshnessOf(fields, answer, this.#options.freshness, silent);
  }

  get #sharesCookies(): boolean {
    return this.#options.setCookie === 'share';
  }

  #seconds(freshness: Freshness): number {
    return Math.floor(ageOf(freshness, this.#options.now()) / 1000);
  }
}

/** Those of the fields that have a value. */
function filled(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}
