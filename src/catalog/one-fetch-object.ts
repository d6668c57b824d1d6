import { entryForOne, type ObjectEntry } from './entry.js';
import {
  COMMITTED,
  type LookupAnswer,
  type LookupContext,
  type Outcome,
  rememberPass,
  sharesCookies,
} from './lookup.js';
import { OpenedObject } from './opened-object.js';
import { privateObject } from './private-object.js';

/** Most bytes before a player's first one for which it waits until an object that is fetched whole has come there. */
const WHOLE_REACH = 8 * 1024 * 1024;

/**
 * Outcome of an answer without a validator, whose bytes nothing tells from those of another version: the whole object
 * is taken from this one fetch. When it is too large, or the player begins too far into it, it goes past the cache.
 */
export function oneFetchObject(context: LookupContext, taken: LookupAnswer, entry: ObjectEntry): Outcome {
  const { lookup, answer, fetch } = taken;
  const { routed, mode } = lookup;
  const { entries, loader, loaders, now } = context;
  const { size } = entry.object;
  const fits = size <= loader.wholeMax && routed.request.hint.start <= WHOLE_REACH;
  const isWhole = answer.offset === 0 && answer.length === size;
  if (!isWhole && (fits || mode.pass !== true))
    return { value: fits ? 'whole wanted' : 'part wanted', body: undefined };
  const cached = fits ? entries.begin(entry, mode.stale) : undefined;
  if (cached !== undefined) {
    const objectLoader = loaders.of(cached, entry, routed.route, routed.fields);
    const run = objectLoader.adopt(fetch, 0, objectLoader.blocks, true, routed.askers);
    if (typeof run === 'object') {
      const forOne = entryForOne(entry, answer, sharesCookies(context));
      const own = new OpenedObject(forOne, now(), 'miss', objectLoader, routed.request.asker);
      return { value: { kind: 'object', cached, outcome: 'miss', own, committed: COMMITTED }, body: run };
    }
    entries.remove(entry);
  }
  return privateObject(context, taken, rememberPass(context, lookup));
}
