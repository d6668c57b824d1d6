import { BLOCK_SIZE, blockOf } from '../base/block.js';
import { BypassStream } from '../cache/fetch/bypass-stream.js';
import { entryForOne, type ObjectEntry } from './entry.js';
import { firstRange } from './first-range.js';
import { type LookupAnswer, type LookupContext, type Outcome, sharesCookies } from './lookup.js';
import { OpenedObject } from './opened-object.js';

/**
 * Outcome of an answer that may be stored, with a size and a validator: its entry is saved, and its body goes into
 * those blocks that it brings.
 * @param before settles when what else was learnt of the answer is committed
 */
export function filledObject(
  context: LookupContext,
  { lookup, answer, fetch }: LookupAnswer,
  entry: ObjectEntry,
  before: Promise<void>,
): Outcome {
  const { routed, mode } = lookup;
  const { entries, loaders, loader: blockLoader, now } = context;
  const saved = entries.save(entry, mode.stale);
  const { cached } = saved;
  const committed = Promise.all([before, saved.committed]).then(() => {});
  const forOne = entryForOne(entry, answer, sharesCookies(context));
  const loader = loaders.of(cached, entry, routed.route, routed.fields);
  const { offset, status, length = 0 } = answer;
  const end = Math.min(offset + length, entry.object.size);
  const from = blockOf(offset);
  const to = end === entry.object.size ? loader.blocks : blockOf(end);
  const isOfUse = mode.headOnly !== true && offset % BLOCK_SIZE === 0 && to > from;
  const run = isOfUse ? loader.adopt(fetch, from, to, status === 200, routed.askers) : undefined;
  if (run === undefined) {
    const own = new OpenedObject(forOne, now(), 'miss', loader, routed.request.asker);
    return { value: { kind: 'object', cached, outcome: 'miss', own, committed }, body: undefined };
  }
  const stream = run === 'full' ? new BypassStream(loader, offset, end, routed.askers) : undefined;
  stream?.adopt(fetch);
  // Of a body that an origin without ranges sends whole, no more is wanted at first than would have been asked for.
  const asked = firstRange(blockLoader, routed.request, { stale: undefined }).end;
  const begun = { from, to: Math.min(to, Math.ceil(asked / BLOCK_SIZE)), stream };
  const own = new OpenedObject(forOne, now(), 'miss', loader, routed.request.asker, begun);
  const body = run === 'full' ? stream : run;
  return { value: { kind: 'object', cached, outcome: 'miss', own, committed }, body };
}
