import type { OriginAnswer } from '../origin/origin.js';
import { confirmEntry, entryForOne, type ObjectEntry } from './entry.js';
import { answerFreshness, type Lookup, type LookupContext, type LookupResult, sharesCookies } from './lookup.js';
import { OpenedObject } from './opened-object.js';
import { updatedFields } from './rfc9111/kept-fields.js';

/** Outcome of a 304: the origin has confirmed the stored object (RFC 9111 section 4.3.4). */
export function confirmedObject(
  context: LookupContext,
  { routed, mode, validated }: Lookup,
  answer: OriginAnswer,
): LookupResult {
  const { entries, loaders, now } = context;
  const stale = mode.stale!;
  const before = stale.entry as ObjectEntry;
  const { route, fields: sent } = routed;
  const fields = updatedFields(before.fields, answer.fields, sharesCookies(context));
  // Date and Age are of this answer or of none.
  const { date, age } = answer.fields;
  const dated = { ...fields, ...(date === undefined ? {} : { date }), ...(age === undefined ? {} : { age }) };
  const freshness = answerFreshness(context, dated, answer, route);
  const entry = confirmEntry(before, fields, freshness, route.path, validated);
  // An origin that is cheap to ask is asked by each process, rather than that each of its answers is written down.
  const isCheap = route.defaultLifetime !== undefined;
  const { cached, committed } = isCheap ? entries.keep(entry, stale) : entries.save(entry, stale);
  const forOne = entryForOne(entry, answer, sharesCookies(context));
  const own = new OpenedObject(
    forOne,
    now(),
    'revalidated',
    loaders.of(cached, entry, route, sent),
    routed.request.asker,
  );
  return { kind: 'object', cached, outcome: 'revalidated', own, committed };
}
