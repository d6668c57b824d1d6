/**
 * When a track begins, as a tag behind which its first segment stands (RFC 8216 section 4.3.2.6): a film's own time
 * counts from 1970. Shaka Player takes the first segments of all tracks for the beginning where they have no dates.
 * @param begin ticks
 */
export function programDate(begin: number, timescale: number): string {
  return `#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.round((begin / timescale) * 1000)).toISOString()}`;
}
