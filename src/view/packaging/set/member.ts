import { besideFilm, type FileKind, type FileSet, fileKind } from '../url/file-set.js';
import type { TrackName } from '../url/track-name.js';

/** One file of a set. A film on its own is a set of one. */
export interface SetMember {
  readonly path: string;
  readonly kind: FileKind;
  /** BCP 47, where more is known than the file says itself. */
  readonly language: string | undefined;
  /** Name for people, where one is given. */
  readonly label: string | undefined;
  readonly isDefault: boolean;
  readonly isForced: boolean;
  /** Nobody misses it when it is not there. */
  readonly isOptional: boolean;
}

/** Whether a file can have a track of a kind: a film any, a file of subtitles one. */
export function canHave({ kind }: SetMember, track: TrackName): boolean {
  return kind === 'film' || (track.kind === 's' && track.number === 1);
}

/** `film.pt-BR.forced.srt`: what the parts before the extension say. */
const OF_NAME = /\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)(?:\.(forced|sdh|cc|hi))?\.[A-Za-z]+$/;

/** A file of a set, of which only its path is known. */
export function memberAt(path: string, kind: FileKind): SetMember {
  const [, language, mark] = (kind === 'subtitles' && OF_NAME.exec(path)) || [];
  return { path, kind, language, label: undefined, isDefault: false, isForced: mark === 'forced', isOptional: false };
}

/**
 * The files of a set that its path tells.
 * @param suffixes ends of the names of subtitle files beside films
 */
export function membersOf(set: Exclude<FileSet, { kind: 'list' }>, suffixes: readonly string[]): SetMember[] {
  if (set.kind === 'urlset') return set.paths.map(path => memberAt(path, fileKind(path)!));
  const beside = suffixes.map(suffix => ({
    ...memberAt(besideFilm(set.path, suffix), 'subtitles'),
    isOptional: true,
  }));
  return [memberAt(set.path, 'film'), ...beside];
}
