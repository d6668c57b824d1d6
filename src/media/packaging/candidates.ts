import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { refusalOfEntry } from './known-codecs.js';
import type { OmittedTrack, TrackKind } from './media-package.js';
import type { Presented, SourceMovie, SourceTrack } from './source-track.js';
import type { TrackDescription } from './track-description.js';

/** A track that players may be given. */
export interface Candidate {
  readonly track: SourceTrack;
  readonly kind: TrackKind;
  readonly description: TrackDescription;
  /** Its one sample entry. */
  readonly entry: Uint8Array;
  readonly presentation: Presented;
}

/** Why players are not given a track of chapters. */
export const CHAPTERS = 'it names chapters';

const KINDS: Readonly<Record<string, TrackKind>> = {
  ...{ vide: 'video', soun: 'audio', sbtl: 'text', text: 'text', subt: 'text', clcp: 'text' },
};

/** Chooses the tracks that can be packaged, and says why the others can't; `yield*` it. */
export function* candidatesOf(
  source: MeteredSource,
  { tracks }: SourceMovie,
  described: readonly TrackDescription[],
): Reading<{ candidates: Candidate[]; omitted: OmittedTrack[] }> {
  const candidates: Candidate[] = [];
  const omitted: OmittedTrack[] = [];
  for (const track of tracks) {
    const taken = candidates.some(other => other.track.id === track.id);
    const found = taken ? 'another track has the same number' : yield* candidateOf(source, track, described);
    if (typeof found !== 'string') candidates.push(found);
    else omitted.push({ id: track.id, handler: track.handler, reason: found });
  }
  return { candidates, omitted };
}

function* candidateOf(
  source: MeteredSource,
  track: SourceTrack,
  described: readonly TrackDescription[],
): Reading<Candidate | string> {
  const kind = KINDS[track.handler];
  const description = described.find(({ id }) => id === track.id);
  if (kind === undefined) return 'it is neither pictures nor sound nor text';
  if (description === undefined) return 'nothing describes it';
  if (described.some(({ chapters }) => chapters.includes(track.id))) return CHAPTERS;
  const [only] = description.entries;
  // What is unknown to players need not be looked at further.
  const early = only && refusalOfEntry(kind, track.handler, only);
  if (early !== undefined) return early;
  const place = description.entries.length > 1 ? yield* track.entry(source) : 0;
  if (place === undefined) return 'its samples are coded in several ways';
  const entry = description.entries[place];
  if (entry === undefined) return 'it has no sample entry, or one that is too long';
  const { presentation } = track;
  const reason =
    refusalOfEntry(kind, track.handler, entry) ?? track.reason ?? ('reason' in presentation && presentation.reason);
  if (reason || 'reason' in presentation) return reason || '';
  return { track, kind, description, entry, presentation };
}
