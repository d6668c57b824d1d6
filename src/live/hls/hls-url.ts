import { decodeText } from '../../base/percent.js';

/** The tracks of a stream in URLs: the video and the sound. */
export type HlsTrackName = 'v1' | 'a1';

/** What of a stream a URL asks for. */
export type HlsFile =
  | { readonly kind: 'multivariant' }
  | { readonly kind: 'playlist'; readonly track: HlsTrackName }
  | { readonly kind: 'init'; readonly track: HlsTrackName; readonly number: number }
  | { readonly kind: 'segment'; readonly track: HlsTrackName; readonly number: number }
  | { readonly kind: 'part'; readonly track: HlsTrackName; readonly number: number; readonly part: number };

/** A file of HLS of a stream. */
export interface HlsTarget {
  /** APP/NAME. */
  readonly stream: string;
  readonly file: HlsFile;
}

/** Folder of all but the multivariant playlist, beside it. */
export const FOLDER = 'hls';

const MULTIVARIANT = /^(.+)\/hls\.m3u8$/;
const CHILD = /^(.+)\/hls\/(v1|a1)(?:\.m3u8|\/init-(\d{1,10})\.mp4|\/(\d{1,16})\.m4s|\/(\d{1,16})\.(\d{1,6})\.m4s)$/;

/**
 * What a path asks for; undefined when it is no file of HLS.
 * @param root path of live streams, with a slash at both ends
 */
export function parseHlsPath(root: string, path: string): HlsTarget | undefined {
  if (!path.startsWith(root)) return undefined;
  const below = path.slice(root.length);
  const whole = MULTIVARIANT.exec(below);
  const child = whole === null ? CHILD.exec(below) : null;
  const [, escaped] = whole ?? child ?? [];
  const stream = escaped && decodeText(escaped);
  if (stream === undefined) return undefined;
  if (child === null) return { stream, file: { kind: 'multivariant' } };
  const [, , name, init, segment, parent, part] = child;
  const track = name as HlsTrackName;
  if (init !== undefined) return { stream, file: { kind: 'init', track, number: Number(init) } };
  if (segment !== undefined) return { stream, file: { kind: 'segment', track, number: Number(segment) } };
  if (part !== undefined) return { stream, file: { kind: 'part', track, number: Number(parent), part: Number(part) } };
  return { stream, file: { kind: 'playlist', track } };
}

/** The playlist of a track, as that of another has it. */
export function siblingUri(track: HlsTrackName): string {
  return `${track}.m3u8`;
}

/** Files of a track, as its playlist has them. */
export const fileUris = {
  init: (track: HlsTrackName, number: number) => `${track}/init-${number}.mp4`,
  segment: (track: HlsTrackName, number: number) => `${track}/${number}.m4s`,
  part: (track: HlsTrackName, number: number, part: number) => `${track}/${number}.${part}.m4s`,
};
