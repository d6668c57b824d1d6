import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { COMPILE_BUDGET, MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { readAll } from '../io/reading.js';
import { type Box, boxBody, boxBodySize, parseBoxes, u32 } from '../mp4/box/box.js';
import { BoxScan } from '../mp4/box/box-scan.js';
import { headerNumber } from '../mp4/box/header-box.js';
import { codecString } from './codec-string.js';

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

/**
 * Bytes of the fields of visual and audio sample entries before their boxes (ISO/IEC 14496-12 sections 12.1.3 and
 * 12.2.3).
 */
const [VISUAL, AUDIO] = [78, 28];

/** @param stsd contents of the box */
function describe(stsd: Uint8Array): SampleDescription {
  const [entry] = parseBoxes(stsd, 8, stsd.length);
  if (!entry) return UNKNOWN;
  const body = boxBody(entry);
  const u16 = (at: number) => stsd[at]! * 256 + stsd[at + 1]!;
  const inside = (fields: number) => {
    try {
      return parseBoxes(stsd, body + fields, entry.end);
    } catch {
      return [];
    }
  };
  const isSound = AUDIO_CODECS.test(entry.type);
  const boxes = inside(isSound ? AUDIO : VISUAL);
  const codec = codecString(entry.type, stsd, boxes);
  if (isSound && boxBodySize(entry) >= AUDIO) {
    const channels = u16(body + 16);
    const rate = Math.floor(u32(stsd, body + 24) / 65536);
    return { codec, details: `${rate} Hz, ${channels} channel${channels === 1 ? '' : 's'}` };
  }
  const isPicture = VISUAL_CODECS.test(entry.type) || codec !== entry.type;
  if (!isPicture || boxBodySize(entry) < VISUAL) return { codec: entry.type, details: '' };
  return { codec, details: `${u16(body + 24)} × ${u16(body + 26)}` };
}

const VISUAL_CODECS = /^(avc\d|hvc1|hev1|av01|vp0[89]|mp4v|mjpg|encv|dvh[1e]|apc[nhso])$/;
const AUDIO_CODECS = /^(mp4a|ac-3|ec-3|Opus|fLaC|alac|enca|sowt|twos|lpcm|\.mp3|samr)$/;
