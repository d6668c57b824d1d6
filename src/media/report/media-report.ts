/** What a person wants to know of a media file before serving it. Times in seconds. */
export interface MediaReport {
  /** For people: `MP4`, `fragmented MP4`, `FLV`. */
  readonly format: string;
  /** Where what a seek needs stands in the file, in words. */
  readonly layout: string;
  readonly duration: number;
  readonly tracks: readonly TrackReport[];
}

/** One track. */
export interface TrackReport {
  readonly id: number;
  /** `video`, `audio`, or the handler type of another kind. */
  readonly kind: string;
  /** As in a `codecs` parameter, as far as known. */
  readonly codec: string;
  /** Size of the picture, or rate and channels of the sound; empty when not known. */
  readonly details: string;
  /** Undefined when only the whole film's is known. */
  readonly duration: number | undefined;
  readonly samples: number | undefined;
  /** Where a cut may begin; undefined when this track does not decide that. */
  readonly keyFrames: Distances | undefined;
  /** The tables that tell of the samples. */
  readonly tables: readonly TableReport[];
}

/** How far apart the points of a row are, and how many they are. */
export interface Distances {
  readonly count: number;
  readonly shortest: number;
  readonly average: number;
  readonly longest: number;
}

/** A table of a track. */
export interface TableReport {
  readonly type: string;
  readonly entries: number;
  /** Of the entries. */
  readonly bytes: number;
}

/**
 * How far apart points are; the last one's distance is that to the end.
 * @param times rising, in units of 1 / `timescale` s
 * @param end in the same units
 */
export function distancesOf(times: ArrayLike<number>, end: number, timescale: number): Distances | undefined {
  if (times.length === 0) return undefined;
  let [shortest, longest] = [Number.POSITIVE_INFINITY, 0];
  for (let i = 0; i < times.length; i++) {
    const distance = Math.max(0, (times[i + 1] ?? end) - times[i]!);
    shortest = Math.min(shortest, distance);
    longest = Math.max(longest, distance);
  }
  const average = Math.max(0, end - times[0]!) / times.length;
  return {
    count: times.length,
    shortest: shortest / timescale,
    average: average / timescale,
    longest: longest / timescale,
  };
}

/** A kind of track for people. */
export function kindOf(handler: string): string {
  return (
    { vide: 'video', soun: 'audio', sbtl: 'subtitles', text: 'text', subt: 'subtitles', tmcd: 'timecode' }[handler] ??
    handler
  );
}
