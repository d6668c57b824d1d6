import { parseTrackName, type TrackName } from './track-name.js';
import { type PackageVersion, parseVersion } from './version.js';

/** What may be asked for of a film beside itself, of whatever version it is. */
export interface Manifest {
  readonly kind: 'hls' | 'dash';
}

/** What may be asked for of one track of one version. Segments and key frames count from 1. */
export type TrackPart =
  | {
      readonly kind: 'playlist' | 'keyFramePlaylist' | 'init' | 'trackFile' | 'subtitleFile';
      readonly track: TrackName;
    }
  | {
      readonly kind: 'segment' | 'keyFrame' | 'subtitleSegment';
      readonly track: TrackName;
      readonly number: number;
    };

/** A path that names something packaged. */
export type PackagedPath =
  /** `file`: path of the film, or of what stands for a set of films. */
  | { readonly file: string; readonly manifest: Manifest }
  | { readonly file: string; readonly version: PackageVersion; readonly part: TrackPart };

/** The name of a last segment that something packaged may have, so that others need no closer look. */
const LEAF =
  /^(?:(?:hls|master)\.m3u8|(?:dash|manifest)\.mpd|init\.mp4|i?[1-9]\d{0,6}\.(?:m4s|vtt)|(?:f\d{1,2}-)?[vas]\d{1,2}(?:-iframes\.m3u8|\.m3u8|\.mp4|\.vtt))$/;

/** What a track's own folder holds, by the kind of track. */
const IN_FOLDER: Readonly<Record<TrackName['kind'], RegExp>> = {
  v: /^(?:(init)\.mp4|(i?)([1-9]\d{0,6})\.m4s)$/,
  a: /^(?:(init)\.mp4|()([1-9]\d{0,6})\.m4s)$/,
  s: /^(?:(init)\.mp4|()([1-9]\d{0,6})\.(?:m4s|vtt))$/,
};

const BESIDE_FOLDER: readonly (readonly [
  end: string,
  kinds: string,
  kind: Extract<TrackPart, { track: TrackName }>['kind'],
])[] = [
  ['-iframes.m3u8', 'v', 'keyFramePlaylist'],
  ['.m3u8', 'vas', 'playlist'],
  ['.mp4', 'va', 'trackFile'],
  ['.vtt', 's', 'subtitleFile'],
];

/**
 * Reads a path by the grammar of docs/packaging.md; undefined when it names nothing packaged. Pure, and quick for paths
 * that are not ours.
 * @param isFile whether a path may be that of a film or a set
 */
export function parsePackagedPath(path: string, isFile: (path: string) => boolean): PackagedPath | undefined {
  const slash = path.lastIndexOf('/');
  const leaf = path.slice(slash + 1);
  if (!LEAF.test(leaf)) return undefined;
  const folder = path.slice(0, slash);
  const manifest = manifestOf(leaf);
  if (manifest !== undefined) return isFile(folder) ? { file: folder, manifest } : undefined;
  return besideFolder(folder, leaf, isFile) ?? inFolder(folder, leaf, isFile);
}

function manifestOf(leaf: string): Manifest | undefined {
  if (leaf === 'hls.m3u8' || leaf === 'master.m3u8') return { kind: 'hls' };
  return leaf === 'dash.mpd' || leaf === 'manifest.mpd' ? { kind: 'dash' } : undefined;
}

/** `FILE/V/v1.m3u8` and the like. */
function besideFolder(folder: string, leaf: string, isFile: (path: string) => boolean): PackagedPath | undefined {
  for (const [end, kinds, kind] of BESIDE_FOLDER) {
    if (!leaf.endsWith(end)) continue;
    const track = parseTrackName(leaf.slice(0, -end.length));
    if (track === undefined || !kinds.includes(track.kind)) return undefined;
    return versioned(folder, { kind, track } as TrackPart, isFile);
  }
  return undefined;
}

/** `FILE/V/v1/7.m4s` and the like. */
function inFolder(folder: string, leaf: string, isFile: (path: string) => boolean): PackagedPath | undefined {
  const slash = folder.lastIndexOf('/');
  const track = parseTrackName(folder.slice(slash + 1));
  const [, init, frame, number] = (track && IN_FOLDER[track.kind].exec(leaf)) ?? [];
  if (track === undefined || (!init && number === undefined)) return undefined;
  const above = folder.slice(0, slash);
  if (init) return versioned(above, { kind: 'init', track }, isFile);
  const kind = leaf.endsWith('.vtt') ? 'subtitleSegment' : frame === 'i' ? 'keyFrame' : 'segment';
  return versioned(above, { kind, track, number: Number(number) }, isFile);
}

function versioned(folder: string, part: TrackPart, isFile: (path: string) => boolean): PackagedPath | undefined {
  const slash = folder.lastIndexOf('/');
  const version = parseVersion(folder.slice(slash + 1));
  const file = folder.slice(0, Math.max(0, slash));
  return version === undefined || !isFile(file) ? undefined : { file, version, part };
}

/** The path below the version's folder that a part has: what `parsePackagedPath` reads. */
export function partPath(part: TrackPart, name: string): string {
  switch (part.kind) {
    case 'playlist':
      return `${name}.m3u8`;
    case 'keyFramePlaylist':
      return `${name}-iframes.m3u8`;
    case 'trackFile':
      return `${name}.mp4`;
    case 'subtitleFile':
      return `${name}.vtt`;
    case 'init':
      return `${name}/init.mp4`;
    case 'segment':
      return `${name}/${part.number}.m4s`;
    case 'keyFrame':
      return `${name}/i${part.number}.m4s`;
    case 'subtitleSegment':
      return `${name}/${part.number}.vtt`;
  }
}
