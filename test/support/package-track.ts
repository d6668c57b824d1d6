import type { PackageTrack, SegmentRows } from '../../src/media/packaging/media-package.js';

/** A track of a package with these fields; the others are those of a video track without samples. */
export function packageTrack(fields: Partial<PackageTrack>): PackageTrack {
  return {
    ...{ index: 0, id: 1, kind: 'video', handler: 'vide', timescale: 1000, language: 'und', name: '' },
    ...{ enabled: true, alternateGroup: 0, entry: new Uint8Array(0), defaultDuration: 0, defaultSize: 0 },
    ...{ editMedia: 0, compositionShift: 0, end: 0, openGops: false, syncs: 'first', segments: segmentRows([], []) },
    ...{ matrix: new Uint8Array(36), width: 0, height: 0 },
    ...fields,
  };
}

/**
 * Rows of segments.
 * @param frames samples of each
 * @param ticks that each lasts
 */
export function segmentRows(frames: readonly number[], ticks: readonly number[], fields?: number): SegmentRows {
  const sums = (values: readonly number[]) => {
    const column = new Float64Array(values.length + 1);
    for (const [i, value] of values.entries()) column[i + 1] = column[i]! + value;
    return column;
  };
  const count = frames.length;
  const times = sums(ticks);
  return {
    ...{ count, times, begins: times, samples: sums(frames), bytes: sums(frames) },
    fields: new Uint16Array(count).fill(fields ?? 0),
  };
}
