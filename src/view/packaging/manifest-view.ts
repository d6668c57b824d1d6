import { createHash } from 'node:crypto';
import type { Content, ContentRequest, OpenObject, OpenStream } from '../../catalog/content.js';
import { perform, type Reading } from '../../media/io/reading.js';
import { literal } from '../../virtual-file/span.js';
import { HEADER, OpenedMedia } from '../opened-media.js';
import type { MadeView, View, ViewStage } from '../view.js';
import { type AnswerFile, answerFile, answerWeight } from './answer-file.js';
import { mpd } from './dash/mpd.js';
import { PLAYLIST } from './film-part.js';
import { multivariantPlaylist } from './hls/multivariant-playlist.js';
import { LastKey } from './last-key.js';
import type { PackagingKit } from './packaging-kit.js';
import { type OpenedSet, openFirst, unsized } from './set/opened-set.js';
import { pathsOf, type SetPlace } from './set-place.js';
import { childQuery, passedOn } from './url/child-query.js';
import type { Manifest } from './url/packaged-path.js';
import type { ClipTimes } from './url/version.js';

const TYPES: Readonly<Record<Manifest['kind'], string>> = {
  hls: PLAYLIST,
  dash: 'application/dash+xml',
};

/** The multivariant playlist or MPD of a film or a set. */
export class ManifestView implements View {
  readonly path: string;
  readonly others: readonly string[];
  readonly hint = HEADER;
  readonly #lastKey = new LastKey();

  constructor(
    private readonly kit: PackagingKit,
    private readonly place: SetPlace,
    private readonly kind: Manifest['kind'],
    private readonly clip: ClipTimes | undefined,
  ) {
    [this.path, ...this.others] = pathsOf(place) as [string, ...string[]];
  }

  /** A set is there as long as one of its films is. */
  open(request: ContentRequest, content: Content): OpenObject | OpenStream | Promise<OpenObject | OpenStream> {
    const { set, members } = this.place;
    if (set.kind !== 'urlset') return content.open(request);
    const films = members!.filter(({ kind }) => kind === 'film').map(({ path }) => path);
    return perform(openFirst(content, films, request));
  }

  make(opened: OpenObject | OpenStream, request: ContentRequest, stage: ViewStage): MadeView | Promise<MadeView> {
    if (opened.kind === 'stream') throw unsized();
    return this.place.members?.length === 1
      ? this.#ofFilm(opened, request, stage)
      : perform(this.#ofSet(opened, request, stage));
  }

  /** A film on its own whose manifest is kept needs nothing but its head. */
  #ofFilm(opened: OpenObject, request: ContentRequest, stage: ViewStage): MadeView | Promise<MadeView> {
    const query = passedOn(request);
    const key = this.#lastKey.of(opened, query, () => this.#key(new OpenedMedia(opened).identity, query));
    const known = this.kit.rendered.get(key);
    return known !== undefined ? { kind: 'file', opened, ...known } : perform(this.#ofSet(opened, request, stage));
  }

  *#ofSet(opened: OpenObject, request: ContentRequest, stage: ViewStage): Reading<MadeView> {
    const set = yield* this.kit.open(opened, this.place, request, stage);
    try {
      const answer = yield* this.#answer(set, opened, request, stage);
      return { kind: 'file', opened: set.asOne(set.films[0]!.opened), ...answer };
    } catch (error) {
      set.release();
      throw error;
    }
  }

  *#answer(set: OpenedSet, opened: OpenObject, request: ContentRequest, { packager }: ViewStage): Reading<AnswerFile> {
    const { kit, place, clip } = this;
    const identities = set.members.map(open => open?.media.identity ?? '').join(' ');
    const list = place.members === undefined ? `${new OpenedMedia(opened).identity} ` : '';
    const key = this.#key(list + identities, passedOn(request));
    const known = kit.rendered.get(key);
    if (known !== undefined) return known;
    const version = { hash: kit.hashOf(set, opened, place), clip };
    const { presentation } = yield* kit.sets.present(place.file, version, set, packager);
    const query = childQuery(passedOn(request));
    const text =
      this.kind === 'hls' ? multivariantPlaylist(presentation, query) : mpd(presentation, kit.options.dash, query);
    const bytes = Buffer.from(text);
    const tag = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
    const head = { contentType: TYPES[this.kind], tag, isForEver: false };
    const answer = answerFile(set.films[0]!.opened, [literal(bytes)], head);
    kit.rendered.set(key, answer, answerWeight(answer, key));
    return answer;
  }

  #key(identities: string, query: string): string {
    const { start, end } = this.clip ?? {};
    // A set of one file calls its tracks otherwise than the file on its own.
    return `${identities} ${this.kind} ${this.place.file} ${start}-${end}?${query}`;
  }
}
