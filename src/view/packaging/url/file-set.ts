import { checkPath } from '../../../base/checked-path.js';

/** Extensions of files that may be films: what ISO/IEC 14496-12 and QuickTime files are called. */
const FILM = /[^/]\.(?:mp4|m4v|m4a|m4b|mov|qt|f4v|f4a|3gp|3g2|ismv|isma|cmfv|cmfa)$/i;
const SUBTITLES = /[^/]\.(?:srt|vtt|webvtt)$/i;
const URLSET = '.urlset';
const SET_JSON = /[^/]\.set\.json$/;
/** Most files of a set. */
export const SET_MAX = 32;

/** What a file of a set is, which its name tells. */
export type FileKind = 'film' | 'subtitles';

/** What the file part of a packaged path stands for. */
export type FileSet =
  /** One film on its own. */
  | { readonly kind: 'film'; readonly path: string }
  /** Several files, named by the path itself. */
  | { readonly kind: 'urlset'; readonly paths: readonly string[] }
  /** Several files, named by an object at the origin. */
  | { readonly kind: 'list'; readonly path: string };

/** What a path is by its extension; undefined when a set can't have it. */
export function fileKind(path: string): FileKind | undefined {
  if (FILM.test(path)) return 'film';
  return SUBTITLES.test(path) ? 'subtitles' : undefined;
}

/** True for a path that may be the file part of a packaged path. */
export function isPackagedFile(path: string): boolean {
  return FILM.test(path) || SET_JSON.test(path) || (path.endsWith(URLSET) && urlsetPaths(path) !== undefined);
}

/**
 * What the file part of a packaged path stands for.
 * @param path for which `isPackagedFile` holds
 * @throws EdgeError `bad_request` when the parts of a set come to a path that may not be asked for
 */
export function fileSet(path: string): FileSet {
  if (!path.endsWith(URLSET)) return { kind: SET_JSON.test(path) ? 'list' : 'film', path };
  return { kind: 'urlset', paths: urlsetPaths(path)!.map(checkPath) };
}

/**
 * The files that a path such as `/a/film_,low,high,.mp4.urlset` stands for, as nginx-vod-module has it: what lies
 * before the first comma and behind the last is common to all. Undefined when it is no set of media.
 */
function urlsetPaths(path: string): string[] | undefined {
  const parts = path.slice(0, -URLSET.length).split(',');
  if (parts.length < 3 || parts.length > SET_MAX + 2) return undefined;
  const prefix = parts[0]!;
  const suffix = parts.at(-1)!;
  const paths = parts.slice(1, -1).map(part => prefix + part + suffix);
  return paths.every(each => fileKind(each) !== undefined) && paths.some(each => fileKind(each) === 'film')
    ? paths
    : undefined;
}

/** The path of a file beside a film: the film's without its extension, and `suffix` in its place. */
export function besideFilm(path: string, suffix: string): string {
  return path.slice(0, path.lastIndexOf('.')) + suffix;
}
