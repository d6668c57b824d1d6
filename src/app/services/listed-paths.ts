import { fetchFromEdge, type OwnAddress } from '../../admin/edge-fetch.js';
import type { EdgeUrl } from '../../admin/purge-request.js';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { ObjectList } from '../../view/view.js';

/** A list of a set, and where players would ask for it. */
export interface ListAt {
  readonly url: EdgeUrl;
  readonly list: ObjectList;
}

/** Lists that are read at once, and milliseconds that all of them may take. */
const CONCURRENCY = 8;
const TIME = 5000;

/**
 * The paths that lists of sets name, as the edge has them now: it is asked as by a player, so that a list that is
 * cached costs its origin nothing. One that can't be read is logged, and names nothing.
 */
export async function listedPaths(
  lists: readonly ListAt[],
  address: OwnAddress,
  log: Log,
): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = lists.map(() => []);
  const signal = AbortSignal.timeout(TIME);
  const queue = lists.entries();
  const runner = async () => {
    for (const [i, { url, list }] of queue) {
      try {
        found[i] = list.pathsIn(await bytesAt(url, list.most, address, signal));
      } catch (error) {
        const reason = (error as Error).message;
        log.warn({ path: url.path, reason }, 'the files of a set are not purged with it: its list could not be read');
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runner));
  return found;
}

/** @throws EdgeError `not_found` when the edge answers otherwise, or more bytes come than `most` */
async function bytesAt(url: EdgeUrl, most: number, address: OwnAddress, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const tooMuch = new AbortController();
  const add = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > most) tooMuch.abort();
    else chunks.push(chunk);
  };
  const sink = { length() {}, bytes: add };
  const end = await fetchFromEdge(address, url, sink, AbortSignal.any([signal, tooMuch.signal]));
  if (size > most) throw new EdgeError('not_found', `it has more than ${most} bytes`);
  if (end !== 'ok') throw new EdgeError('not_found', end);
  return Buffer.concat(chunks);
}
