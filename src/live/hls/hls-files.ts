import { EdgeError } from '../../base/errors.js';
import { Lru } from '../../base/lru.js';
import { childQuery } from '../../view/packaging/url/child-query.js';
import { checkAhead, type HlsDirectives, isListed, parseDirectives } from './hls-directives.js';
import { HlsObject } from './hls-object.js';
import { lastPart, liveMultivariant, livePlaylist } from './hls-playlist.js';
import type { HlsListing, HlsStream } from './hls-stream.js';
import type { HlsPart } from './hls-track.js';
import type { HlsFile, HlsTrackName } from './hls-url.js';
import type { HlsViewers } from './hls-viewers.js';
import type { HlsWaits } from './hls-waits.js';
import { RingFile } from './ring-file.js';

const PLAYLIST = 'application/vnd.apple.mpegurl';
const MEDIA: Readonly<Record<HlsTrackName, string>> = { v1: 'video/mp4', a1: 'audio/mp4' };

/** Most milliseconds that a request waits, and target durations (RFC 8216bis section 6.2.5.2). */
const [WAIT_MAX, TARGETS_WAITED] = [8000, 3];
/** Target durations for which others may keep what does not change any more, and what does (appendix B). */
const [KEPT, KEPT_CHANGING] = [6, 0.5];
/** Parts that may be asked for behind the one that is hinted at. */
const PARTS_AHEAD = 2;
/** Most playlists of a stream that are kept until it changes: with tokens there is another one for each player. */
const PLAYLISTS_KEPT = 64;

/** What files are made with. */
export interface HlsFilesOptions {
  readonly waits: HlsWaits;
  readonly viewers: HlsViewers;
  /** Bytes of what files are made of that are kept. */
  readonly memory: number;
}

interface KeptPlaylists {
  readonly listing: HlsListing;
  readonly objects: Map<string, HlsObject>;
}

/** Makes the files of streams, at once where there is nothing to wait for. */
export class HlsFiles {
  readonly #waits: HlsWaits;
  readonly #viewers: HlsViewers;
  readonly #made: Lru<HlsObject>;
  readonly #playlists = new WeakMap<HlsStream, KeptPlaylists>();

  constructor({ waits, viewers, memory }: HlsFilesOptions) {
    this.#waits = waits;
    this.#viewers = viewers;
    this.#made = new Lru(memory);
  }

  /**
   * @param query of the request
   * @throws EdgeError (or rejects with one) `bad_request`, `not_found`, `unplayable`, `overloaded`
   */
  open(stream: HlsStream, file: HlsFile, query: string): HlsObject | Promise<HlsObject> {
    stream.catchUp();
    switch (file.kind) {
      case 'multivariant':
        return this.#multivariant(stream, query);
      case 'playlist':
        return this.#playlist(stream, file.track, parseDirectives(query));
      case 'init':
        return this.#init(stream, file.track, file.number);
      case 'segment': {
        const segment = stream.segment(file.track, file.number);
        if (!segment?.isComplete || segment.parts.length === 0) throw missing(stream, `segment ${file.number}`);
        return this.#parts(stream, file.track, `${file.number}`, segment.parts);
      }
      case 'part':
        return this.#part(stream, file.track, file.number, file.part);
    }
  }

  #multivariant(stream: HlsStream, query: string): HlsObject | Promise<HlsObject> {
    return this.#when(
      stream,
      'begun',
      () => isBegun(stream),
      () => {
        const { target } = begunListing(stream);
        return HlsObject.text(liveMultivariant(stream, childQuery(query)), head(PLAYLIST, target * KEPT_CHANGING));
      },
    );
  }

  #playlist(stream: HlsStream, track: HlsTrackName, directives: HlsDirectives): HlsObject | Promise<HlsObject> {
    const { number, part } = directives;
    const { listing, isEnded } = stream;
    const segments = () => stream.segments(track);
    if (!isEnded && listing.names.length > 0 && !hasTrack(stream, track)) throw missing(stream, 'such track');
    if (!isEnded) checkAhead(segments(), directives, listing);
    const begunAt = performance.now();
    const isThere = () =>
      number === undefined ? isBegun(stream) : stream.isEnded || isListed(segments(), number, part);
    return this.#when(stream, number === undefined ? 'begun' : `${track} ${number} ${part}`, isThere, () => {
      const { target, partTarget, names } = begunListing(stream);
      const waited = performance.now() - begunAt;
      if (track === names[0]) {
        this.#viewers.asked(number === undefined ? target * 1000 : Math.max(partTarget, waited));
      }
      const isAnswer = number !== undefined && isThere();
      const kept = isAnswer ? target * KEPT : number === undefined ? target * KEPT_CHANGING : 0;
      return this.#listed(stream, track, directives, kept);
    });
  }

  #listed(stream: HlsStream, track: HlsTrackName, { skips, rest }: HlsDirectives, kept: number): HlsObject {
    const { listing } = stream;
    let playlists = this.#playlists.get(stream);
    if (playlists?.listing !== listing || playlists.objects.size >= PLAYLISTS_KEPT) {
      playlists = { listing, objects: new Map() };
      this.#playlists.set(stream, playlists);
    }
    const key = `${track} ${skips} ${kept} ${rest}`;
    let object = playlists.objects.get(key);
    if (object === undefined) {
      const query = childQuery(rest);
      object = HlsObject.text(livePlaylist(stream, track, { skips, query }), head(PLAYLIST, kept));
      playlists.objects.set(key, object);
    }
    return object;
  }

  #init(stream: HlsStream, track: HlsTrackName, number: number): HlsObject {
    const codecs = stream.codecsOf(number - stream.firstInit);
    if (codecs?.refusal !== undefined) throw codecs.refusal;
    const init = codecs?.tracks.get(track)?.init;
    if (init === undefined) throw missing(stream, `init segment ${number}`);
    const { target } = stream.listing;
    return HlsObject.bytes(tagOf(stream, track, `init-${number}`), init, head(MEDIA[track], target * KEPT));
  }

  #part(stream: HlsStream, track: HlsTrackName, number: number, part: number): HlsObject | Promise<HlsObject> {
    const segment = () => stream.segment(track, number);
    const isMade = () => (segment()?.parts.length ?? 0) > part;
    if (!isMade() && !mayCome(stream, track, number, part)) throw missing(stream, `part ${number}.${part}`);
    const isOver = () => isMade() || segment()?.isComplete || stream.isEnded;
    return this.#when(stream, `${track} ${number}.${part}`, isOver, () => {
      const made = segment()?.parts[part];
      if (made === undefined) throw missing(stream, `part ${number}.${part}`);
      return this.#parts(stream, track, `${number}.${part}`, [made]);
    });
  }

  #parts(stream: HlsStream, track: HlsTrackName, name: string, parts: readonly HlsPart[]): HlsObject {
    // Of this ring: another one of the same stream has the same bytes at other places.
    const key = `${stream.id} ${track} ${name}`;
    let object = this.#made.get(key);
    if (object === undefined) {
      const tag = tagOf(stream, track, name);
      const file = new RingFile(stream.ring, track, parts);
      object = HlsObject.parts(tag, file, head(MEDIA[track], stream.listing.target * KEPT));
      this.#made.set(key, object, object.weight);
    }
    return object;
  }

  /** Makes something when it can be, or may not be waited for any longer. */
  #when(
    stream: HlsStream,
    key: string,
    isOver: () => boolean | undefined,
    make: () => HlsObject,
  ): HlsObject | Promise<HlsObject> {
    if (isOver()) return make();
    const patience = Math.min(WAIT_MAX, TARGETS_WAITED * 1000 * stream.listing.target);
    const isOverNow = () => {
      if (stream.ring.isClosed) throw missing(stream, 'more of it');
      stream.catchUp();
      return isOver() === true;
    };
    return this.#waits.until(`${stream.id} ${key}`, isOverNow, patience).then(() => {
      if (stream.ring.isClosed) throw missing(stream, 'more of it');
      return make();
    });
  }
}

/** Whether players find something to begin with: a whole segment. */
function isBegun(stream: HlsStream): boolean {
  const [name] = stream.listing.names;
  return stream.isEnded || (name !== undefined && stream.segments(name).some(isPlayable));
}

function isPlayable({ isComplete, parts }: { isComplete: boolean; parts: readonly HlsPart[] }): boolean {
  return isComplete && parts.length > 0;
}

/** @throws EdgeError `overloaded` when nothing has come yet */
function begunListing(stream: HlsStream): HlsListing {
  const { listing } = stream;
  if (listing.names.some(name => lastPart(stream.segments(name)) !== undefined)) return listing;
  throw new EdgeError('overloaded', `nothing of the live stream ${stream.name} has come yet: ask again`, {
    retryAfter: 1,
  });
}

function hasTrack(stream: HlsStream, track: HlsTrackName): boolean {
  return stream.listing.names.includes(track) || lastPart(stream.segments(track)) !== undefined;
}

/** Whether a part that is not there is one of those that come next. */
function mayCome(stream: HlsStream, track: HlsTrackName, number: number, part: number): boolean {
  if (stream.isEnded) return false;
  const segments = stream.segments(track);
  const open = segments.find(({ isComplete }) => !isComplete);
  if (open === undefined) return number === (segments.at(-1)?.number ?? -1) + 1 && part === 0;
  if (number === open.number) return part <= open.parts.length + PARTS_AHEAD;
  return number === open.number + 1 && part <= PARTS_AHEAD;
}

/** The same at all edges that have the stream. */
function tagOf(stream: HlsStream, track: HlsTrackName, name: string): string {
  return `${stream.ring.createdAt.toString(36)}-${track}-${name}`;
}

function head(contentType: string, seconds: number) {
  return { contentType, cache: seconds === 0 ? 'no-cache' : `max-age=${Math.max(1, Math.floor(seconds))}` };
}

function missing(stream: HlsStream, what: string): EdgeError {
  return new EdgeError('not_found', `the live stream ${stream.name} has no ${what}`);
}
