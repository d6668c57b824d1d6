/**
 * How URLs call a track: `v1` is the first video track of a film, `f2-a1` the first sound track of a set's second file.
 */
export interface TrackName {
  /** Place of the file in its set, from 1; 0 for a film on its own, whose tracks have no such prefix. */
  readonly file: number;
  readonly kind: 'v' | 'a' | 's';
  /** Place among the tracks of its kind, from 1. */
  readonly number: number;
}

const NAME = /^(?:f([1-9]\d?)-)?([vas])([1-9]\d?)$/;

/** The name that `text` is; undefined when it is none. */
export function parseTrackName(text: string): TrackName | undefined {
  const [, file = '0', kind, number] = NAME.exec(text) ?? [];
  if (kind === undefined) return undefined;
  return { file: Number(file), kind: kind as TrackName['kind'], number: Number(number) };
}

/** The name as it stands in URLs. */
export function trackNameText({ file, kind, number }: TrackName): string {
  return file === 0 ? `${kind}${number}` : `f${file}-${kind}${number}`;
}
