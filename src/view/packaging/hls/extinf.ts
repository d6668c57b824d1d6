import { DURATION_UNIT } from '../presentation/durations.js';

const DIGITS = Math.log10(DURATION_UNIT);

/** The tag of a segment's duration (RFC 8216 section 4.3.2.1). */
export function extinf(duration: number): string {
  return `#EXTINF:${Math.floor(duration / DURATION_UNIT)}.${String(duration % DURATION_UNIT).padStart(DIGITS, '0')},`;
}
