import type { ContentRequest, OpenObject, OpenStream } from '../../catalog/content.js';
import { perform, type Reading } from '../../media/io/reading.js';
import type { Segmentation } from '../../media/packaging/media-package.js';
import { HEADER, OpenedMedia } from '../opened-media.js';
import type { MadeView, View, ViewStage } from '../view.js';
import { type AnswerFile, answerFile, answerWeight } from './answer-file.js';
import { filmPart, missing, type PartBody } from './film-part.js';
import { LastKey } from './last-key.js';
import type { PackagingKit } from './packaging-kit.js';
import { canHave } from './set/member.js';
import { unsized } from './set/opened-set.js';
import { segmentationOf } from './set/set-cut.js';
import { pathsOf, type SetPlace } from './set-place.js';
import { subtitlePart } from './subtitle-part.js';
import { childQuery, passedOn } from './url/child-query.js';
import { partPath, type TrackPart } from './url/packaged-path.js';
import { trackNameText } from './url/track-name.js';
import { type PackageVersion, versionText } from './url/version.js';

/** A playlist, a segment or the like of one track of one version of a film or a set. */
export class PartView implements View {
  readonly path: string;
  readonly others: readonly string[];
  readonly hint = HEADER;
  readonly #lastKey = new LastKey();
  /** Place of the track's file in the set, from 0. */
  readonly #at: number;
  /** What of the URL is behind the set's path. */
  readonly #name: string;

  constructor(
    private readonly kit: PackagingKit,
    private readonly place: SetPlace,
    private readonly version: PackageVersion,
    private readonly part: TrackPart,
  ) {
    const { track } = part;
    this.#at = Math.max(0, track.file - 1);
    this.#name = `${versionText(version)}/${partPath(part, trackNameText(track))}`;
    this.path = place.members?.[this.#at]?.path ?? place.file;
    this.others = pathsOf(place).filter(path => path !== this.path);
  }

  make(opened: OpenObject | OpenStream, request: ContentRequest, stage: ViewStage): MadeView | Promise<MadeView> {
    if (opened.kind === 'stream') throw unsized();
    const known = this.#isListed ? undefined : this.kit.rendered.get(this.#key(opened, request));
    return known !== undefined ? { kind: 'file', opened, ...known } : perform(this.#make(opened, request, stage));
  }

  /** An object says which files there are: none of them is known from the URL. */
  get #isListed(): boolean {
    return this.place.members === undefined;
  }

  *#make(opened: OpenObject, request: ContentRequest, stage: ViewStage): Reading<MadeView> {
    const cut = this.#cutAtOnce(opened);
    if (cut !== undefined) {
      const options = { part: this.part, segmentation: cut, ...this.#playlistOptions(request) };
      const body = yield* filmPart(new OpenedMedia(opened), options, this.kit.sets.files, stage.packager);
      return { kind: 'file', opened, ...this.#answer(opened, request, body) };
    }
    const { kit, place, version, part } = this;
    const set = yield* kit.open(opened, place, request, stage);
    try {
      kit.check(kit.hashOf(set, opened, place), version);
      const open = set.members[this.#at];
      if (open === undefined || !canHave(open.member, part.track)) throw missing('file');
      const cut = yield* kit.sets.cut(place.file, version, set, stage.packager);
      if (open.member.kind === 'film' && !cut.films.includes(open.member.path)) throw missing('file');
      const segmentation = segmentationOf(cut, open.member.path);
      const options = { part, segmentation, ...this.#playlistOptions(request) };
      let body: PartBody;
      if (part.track.kind === 's') {
        const presented = yield* kit.sets.present(place.file, version, set, stage.packager);
        body = yield* subtitlePart(open, presented, options, kit.sets.sideCars, stage.packager);
      } else body = yield* filmPart(open.media, options, kit.sets.files, stage.packager);
      return { kind: 'file', opened: set.asOne(open.opened), ...this.#answer(open.opened, request, body) };
    } catch (error) {
      set.release();
      throw error;
    }
  }

  /** How the film is cut, when the URL and the film alone tell; undefined when other files have to be looked at. */
  #cutAtOnce(opened: OpenObject): Segmentation | undefined {
    const { kit, place, version, part } = this;
    if (this.#isListed || part.track.kind === 's') return undefined;
    if (place.members!.length > 1) {
      const cut = kit.sets.known(place.file, version, this.#at, opened);
      return cut?.films.includes(this.path) ? segmentationOf(cut, this.path) : undefined;
    }
    kit.check(kit.sets.hashAlone(opened), version);
    return kit.sets.alone(version.clip);
  }

  #playlistOptions(request: ContentRequest) {
    return { addressing: this.kit.options.hls, query: childQuery(passedOn(request)) };
  }

  /** Answers are kept when it is known which bytes of the object they are made of: the spans of nothing else are. */
  #answer(opened: OpenObject, request: ContentRequest, { spans, contentType }: PartBody): AnswerFile {
    const answer = answerFile(opened, spans, { contentType, tag: this.#name, isForEver: true });
    if (!this.#isListed && spans.every(({ kind }) => kind !== 'sectioned')) {
      const key = this.#key(opened, request);
      this.kit.rendered.set(key, answer, answerWeight(answer, key));
    }
    return answer;
  }

  #key(opened: OpenObject, request: ContentRequest): string {
    const { kind } = this.part;
    // Playlists alone have the query in them; with tokens it is another one for each player.
    const asked = kind === 'playlist' || kind === 'keyFramePlaylist' ? passedOn(request) : '';
    const make = () => `${new OpenedMedia(opened).identity} ${this.place.file}/${this.#name}?${asked}`;
    return this.#lastKey.of(opened, asked, make);
  }
}
