import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { codecString } from '../codec/codec-string.js';
import { parseSampleEntry } from '../codec/sample-entry.js';
import { soundOf } from '../codec/sound.js';
import { COMPILE_BUDGET, MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { readAll } from '../io/reading.js';
import { type Box, boxBody, boxBodySize, parseBoxes } from '../mp4/box/box.js';
import { BoxScan } from '../mp4/box/box-scan.js';
import { headerNumber } from '../mp4/box/header-box.js';

/** How the samples of a track are coded, for people. */
export interface SampleDescription {
  readonly codec: string;
  readonly details: string;
}

const DESCRIPTION_MAX = 1024 * 1024;
const UNKNOWN: SampleDescription = { codec: 'unknown', details: '' };

/**
 * What the first entry of each track's `stsd` says, by track id; `yield*` it. Tracks that can't be read are left out.
 */
export function* readSampleDescriptions(source: ByteSource, movieAt: number): Reading<Map<number, SampleDescription>> {
  const scan = new BoxScan(MeteredSource.over(source, COMPILE_BUDGET));
  const found = new Map<number, SampleDescription>();
  for (const trak of yield* scan.children(yield* scan.box(movieAt, source.size))) {
    if (trak.type !== 'trak') continue;
    try {
      const tkhd = yield* descend(scan, trak, ['tkhd']);
      const stsd = yield* descend(scan, trak, ['mdia', 'minf', 'stbl', 'stsd']);
      if (!tkhd || !stsd || boxBodySize(stsd) > DESCRIPTION_MAX) continue;
      const bytes = yield* readAll(source, boxBody(stsd), boxBodySize(stsd));
      found.set(headerNumber(yield* scan.header('tkhd', tkhd)), describe(bytes));
    } catch (error) {
      if (!(error instanceof EdgeError && error.code === 'unplayable')) throw error;
    }
  }
  return found;
}

function* descend(scan: BoxScan, from: Box, path: readonly string[]): Reading<Box | undefined> {
  let box: Box | undefined = from;
  for (const type of path) box = box && (yield* scan.children(box)).find(child => child.type === type);
  return box;
}

/** @param stsd contents of the box */
function describe(stsd: Uint8Array): SampleDescription {
  const [box] = parseBoxes(stsd, 8, stsd.length);
  if (!box) return UNKNOWN;
  const entry = parseSampleEntry(stsd.subarray(box.offset, box.end));
  const codec = codecString(entry);
  if (entry.kind === 'picture') return { codec, details: `${entry.width} × ${entry.height}` };
  if (entry.kind === 'other') return { codec, details: '' };
  const { channels, sampleRate } = soundOf(entry);
  return { codec, details: `${sampleRate} Hz, ${channels} channel${channels === 1 ? '' : 's'}` };
}
