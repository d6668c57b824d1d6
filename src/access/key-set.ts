import { bytesWithin } from '../base/bytes-within.js';
import { EdgeError } from '../base/errors.js';
import { KEY_SET_MAX, type PublicKey, parseKeySet, readKeyFile } from '../base/key-file.js';

/** Milliseconds between two looks at a URL for a key that is not known, and after one that failed. */
const COOLDOWN = 10_000;
/** Milliseconds for the answer with the keys. */
const TIMEOUT = 5000;

/** Finds a key by what is asked of it. */
type Find<Q extends readonly unknown[], K> = (...question: Q) => Promise<K>;
/** Makes what finds one among some keys. */
type MakeFind<Q extends readonly unknown[], K> = (keys: readonly PublicKey[]) => Find<Q, K>;

/**
 * Keys that tokens are signed with, from a file or a URL.
 * @param ttl milliseconds for which those of a URL are taken to be good
 * @throws EdgeError `bad_config`
 */
export function keySetAt<Q extends readonly unknown[], K>(
  place: string,
  ttl: number,
  makeFind: MakeFind<Q, K>,
): Find<Q, K> {
  if (/^https?:\/\//i.test(place)) {
    const remote = new RemoteKeySet(place, ttl, makeFind);
    return (...question) => remote.find(...question);
  }
  try {
    return makeFind(readKeyFile(place));
  } catch (cause) {
    throw new EdgeError('bad_config', `expected keys of tokens at ${place}: ${(cause as Error).message}`, { cause });
  }
}

/** Keys at a URL: asked for when they are needed, kept for some time, and for longer while they can't be had. */
class RemoteKeySet<Q extends readonly unknown[], K> {
  readonly #url: string;
  readonly #ttl: number;
  readonly #makeFind: MakeFind<Q, K>;
  #find: Find<Q, K> | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(url: string, ttl: number, makeFind: MakeFind<Q, K>) {
    this.#url = url;
    this.#makeFind = makeFind;
    this.#ttl = ttl;
  }

  async find(...question: Q): Promise<K> {
    const now = performance.now();
    if (now - this.#fetchedAt > this.#ttl) await this.#refresh(now);
    if (this.#find === undefined) throw new Error('the keys can’t be had');
    try {
      return await this.#find(...question);
    } catch (error) {
      // A new key may have come since.
      if (!(await this.#refresh(now))) throw error;
      return this.#find(...question);
    }
  }

  /** Asks for the keys unless that was done a moment ago; returns whether there are newer ones. */
  async #refresh(now: number): Promise<boolean> {
    if (this.#fetching === undefined) {
      if (now - this.#triedAt < COOLDOWN) return false;
      this.#triedAt = now;
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    const before = this.#fetchedAt;
    await this.#fetching;
    return this.#fetchedAt > before;
  }

  async #fetch(): Promise<void> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT);
      const answer = await fetch(this.#url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
      const bytes = await bytesWithin(answer.body ?? [], KEY_SET_MAX);
      if (bytes === undefined) throw new Error('too many bytes');
      if (!answer.ok) throw new Error(`an answer of status ${answer.status}`);
      this.#find = this.#makeFind(parseKeySet(bytes.toString()));
      this.#fetchedAt = performance.now();
    } catch {
      // Those that were had go on; where there are none, whoever asks is told so.
    }
  }
}
