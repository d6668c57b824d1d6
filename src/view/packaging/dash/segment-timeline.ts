import type { PresentedMedia } from '../presentation/presentation.js';
import { element } from './xml.js';

/** When segments begin and how long they last (ISO/IEC 23009-1 section 5.3.9.6), in ticks; equal ones are one entry. */
export function segmentTimeline({ begins }: Pick<PresentedMedia, 'begins'>): string {
  const entries: { t: number | undefined; d: number; r: number }[] = [];
  for (let row = 0; row + 1 < begins.length; row++) {
    const d = begins[row + 1]! - begins[row]!;
    const last = entries.at(-1);
    if (last?.d === d) last.r++;
    else entries.push({ t: row === 0 ? begins[row]! : undefined, d, r: 0 });
  }
  return element(
    'SegmentTimeline',
    {},
    entries.map(({ t, d, r }) => element('S', { t, d, r: r === 0 ? undefined : r })),
  );
}
