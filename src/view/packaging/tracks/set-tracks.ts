import { EdgeError } from '../../../base/errors.js';
import { type Reading, whenThere } from '../../../media/io/reading.js';
import type { TrackAttributes } from '../../../media/packaging/attributes.js';
import type { MediaPackage, MediaPackager, PackageTrack } from '../../../media/packaging/media-package.js';
import type { TrackFile, TrackFiles } from '../../../media/packaging/track-file.js';
import type { MediaObject } from '../../../media/seek/media.js';
import { familyOf } from '../presentation/groups.js';
import { type Labelled, labelsOf, languageTag } from '../presentation/labels.js';
import type { KeyFrameRow, PresentedMedia, PresentedText } from '../presentation/presentation.js';
import type { SetMember } from '../set/member.js';
import { isLasting, leftOut, type OpenMember } from '../set/opened-set.js';
import { trackNameText } from '../url/track-name.js';
import { keyFrameRow, namedTracks, presentTrack } from './film-tracks.js';

/** A track as it is gathered: its label is found when all are there. */
type Unlabelled<T> = Omit<T, 'label'> & { readonly title: string };

/** A film of a set, cut. */
export interface CutFilm {
  readonly member: SetMember;
  readonly media: MediaObject;
  /** Place in the set, from 1; 0 for a film on its own. */
  readonly file: number;
  readonly pack: MediaPackage;
}

/** Gathers the tracks of a set's films and subtitles, in the order in which players are told of them. */
export class SetTracks {
  readonly notes: string[] = [];
  readonly #videos: Unlabelled<PresentedMedia>[] = [];
  readonly #audios: (Unlabelled<PresentedMedia> & { readonly isEnabled: boolean })[] = [];
  readonly #texts: Unlabelled<Omit<PresentedText, 'begins' | 'timescale'>>[] = [];
  /** Sound and text that files before have, too: files of a set differ in their pictures. */
  readonly #had = new Set<string>();

  constructor(
    private readonly files: TrackFiles,
    private readonly packager: MediaPackager,
  ) {}

  get hasVideo(): boolean {
    return this.#videos.length > 0;
  }

  /** Adds the tracks of a film; one that can't be described is left out. */
  *addFilm({ member, media: object, file, pack }: CutFilm): Reading<void> {
    const had = [...this.#had];
    const own = new Map<string, number>();
    for (const { id, handler, reason } of pack.omitted) {
      this.notes.push(leftOut(`${member.path} track ${id} (${handler})`, { message: reason }));
    }
    for (const { track, name } of namedTracks(pack, file)) {
      const { label, language, isDefault } = member;
      const common = {
        name: trackNameText(name),
        title: label ?? track.name,
        language: languageTag(language ?? track.language),
      };
      try {
        if (track.kind === 'text') {
          if (this.#isNew(['text', common.language, common.title], own, had)) {
            const size = track.segments.bytes[track.segments.count]!;
            this.#texts.push({ ...common, kind: 'text', isDefault, isForced: false, size, isWhole: false });
          }
          continue;
        }
        const trackFile = this.files.of(track);
        const keyFrames = track.kind === 'video' ? yield* this.#keyFrames(object, track, trackFile) : undefined;
        const media = { ...presentTrack(track, trackFile, keyFrames), ...common };
        if (track.kind === 'video') this.#videos.push({ ...media, isDefault });
        else {
          const { codecs, channels } = media.attributes;
          const isNew = this.#isNew([familyOf(codecs), channels, common.language, common.title], own, had);
          if (isNew) this.#audios.push({ ...media, isDefault, isEnabled: track.enabled });
        }
      } catch (error) {
        if (!isLasting(error)) throw error;
        this.notes.push(leftOut(`${member.path} track ${track.id}`, error));
      }
    }
  }

  /** Adds a file of subtitles. */
  addText({ member, opened }: OpenMember, file: number): void {
    this.#texts.push({
      name: trackNameText({ file, kind: 's', number: 1 }),
      kind: 'text',
      title: member.label ?? '',
      language: languageTag(member.language ?? 'und'),
      isDefault: member.isDefault,
      isForced: member.isForced,
      size: opened.object.size,
      isWhole: true,
    });
  }

  /**
   * All tracks, named for people.
   * @throws EdgeError `unplayable` when there is nothing to see or hear
   */
  present(titles: boolean): { videos: PresentedMedia[]; audios: PresentedMedia[]; texts: PresentedText[] } {
    const reference = this.#videos[0] ?? this.#audios[0];
    if (reference === undefined) {
      throw new EdgeError('unplayable', this.notes[0] ?? 'expected a track of pictures or sound, found none');
    }
    const { begins, timescale } = reference;
    // What files say of their own tracks holds as long as the set does not say which sound is to be played.
    const isChosen = this.#audios.some(({ isDefault }) => isDefault);
    const audios = this.#audios.map(({ isEnabled, isDefault, ...audio }) => ({
      ...audio,
      isDefault: isChosen ? isDefault : isEnabled,
    }));
    return {
      videos: labelled(this.#videos, titles),
      audios: labelled(audios, titles),
      texts: labelled(this.#texts, titles).map(text => ({ ...text, begins, timescale })),
    };
  }

  *#keyFrames(object: MediaObject, track: PackageTrack, file: TrackFile): Reading<KeyFrameRow | undefined> {
    return keyFrameRow(yield* whenThere(this.packager.keyFrames(object, track)), track, file);
  }

  /** Whether no file before has such a track; within one file all are kept. */
  #isNew(parts: readonly unknown[], own: Map<string, number>, had: readonly string[]): boolean {
    const kind = JSON.stringify(parts);
    const number = (own.get(kind) ?? 0) + 1;
    own.set(kind, number);
    this.#had.add(`${kind} ${number}`);
    return !had.includes(`${kind} ${number}`);
  }
}

function labelled<T extends Labelled & { readonly attributes?: TrackAttributes }>(
  tracks: readonly T[],
  titles: boolean,
): (Omit<T, 'title'> & { label: string })[] {
  const grouped = tracks.map(track => ({ ...track, group: track.attributes && familyOf(track.attributes.codecs) }));
  const labels = labelsOf(grouped, titles);
  return tracks.map(({ title: _, ...track }, i) => ({ ...track, label: labels[i]! }));
}
