import { EdgeError } from '../../base/errors.js';
import { type Box, boxBody, boxBodySize, parseBox, parseBoxes, u32 } from '../mp4/box/box.js';

/** A sample entry of `stsd` (ISO/IEC 14496-12 section 8.5.2): its fields, and the configurations inside. */
export interface SampleEntry {
  /** Four characters: `avc1`, `mp4a` … */
  readonly type: string;
  /** What its fields are those of; `other` when they are not known. */
  readonly kind: 'picture' | 'sound' | 'other';
  /** Of a picture, in pixels as they are coded; 0 otherwise. */
  readonly width: number;
  readonly height: number;
  /** Of sound, as the fields say, which may be wrong for what is compressed; 0 otherwise. */
  readonly channels: number;
  /** Hertz. */
  readonly sampleRate: number;
  /** Byte of the entry at which the boxes inside begin; 0 when that is not known. */
  readonly from: number;
  /** Contents of the boxes inside, by type; the first of each. */
  readonly boxes: ReadonlyMap<string, Uint8Array>;
}

/** Bytes of the fields before the boxes (ISO/IEC 14496-12 sections 12.1.3 and 12.2.3). */
const [PICTURE, SOUND] = [78, 28];
/** Bytes that versions of QuickTime's sound descriptions have beyond those. */
const MORE_SOUND: readonly number[] = [0, 16, 36];

const PICTURES =
  /^(avc\d|hvc1|hev1|av01|vp0[89]|mp4v|s263|mjp[2a-b]|mjpg|jpeg|png |vvc1|vvi1|encv|dv[ah][1ev]|dav1|ap[c4][nhsox])$/;
const SOUNDS =
  /^(mp4a|ac-[34]|ec-3|Opus|fLaC|alac|enca|dts[cehlx]|mlpa|sowt|twos|lpcm|ipcm|fpcm|[iu]law|alaw|in24|in32|fl32|fl64|\.mp3|samr|sawb)$/;

/**
 * Reads a sample entry.
 * @param entry the box, whole
 * @param handler of its track, which tells what an entry of a rare type is; left out where it is not known
 * @throws EdgeError `unplayable` when it is no box, or ends within its fields
 */
export function parseSampleEntry(entry: Uint8Array, handler?: string): SampleEntry {
  const box = parseBox(entry, 0, 0, entry.length);
  const kind = kindOf(box.type, handler);
  const body = boxBody(box);
  const fields = { width: 0, height: 0, channels: 0, sampleRate: 0 };
  if (kind === 'other') return { type: box.type, kind, ...fields, from: 0, boxes: NONE };
  const size = kind === 'picture' ? PICTURE : SOUND;
  if (boxBodySize(box) < size)
    throw new EdgeError('unplayable', `the file is broken: a sample entry of ${boxBodySize(box)} bytes`);
  if (kind === 'picture') {
    const [width, height] = [u16(entry, body + 24), u16(entry, body + 26)];
    const from = body + PICTURE;
    return { type: box.type, kind, ...fields, width, height, from, boxes: inside(entry, from, box.end) };
  }
  const version = u16(entry, body + 8);
  const isLong = version === 2 && boxBodySize(box) >= SOUND + 36;
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const channels = isLong ? u32(entry, body + 40) : u16(entry, body + 16);
  const sampleRate = isLong ? Math.round(view.getFloat64(body + 32)) : u16(entry, body + 24);
  let from = body + SOUND + (MORE_SOUND[version] ?? 0);
  let boxes = inside(entry, from, box.end);
  // The version may be that of QuickTime's description in a file that has none of its fields.
  if (boxes.size === 0 && version !== 0) {
    from = body + SOUND;
    boxes = inside(entry, from, box.end);
  }
  return {
    type: box.type,
    kind,
    ...fields,
    channels: Math.min(channels, CHANNELS_MAX),
    sampleRate: Number.isFinite(sampleRate) ? Math.max(0, sampleRate) : 0,
    from,
    boxes,
  };
}

const NONE: ReadonlyMap<string, Uint8Array> = new Map();
/** No more are told of. */
const CHANNELS_MAX = 255;

function kindOf(type: string, handler: string | undefined): SampleEntry['kind'] {
  if (handler === 'vide' || (handler === undefined && PICTURES.test(type))) return 'picture';
  if (handler === 'soun' || (handler === undefined && SOUNDS.test(type))) return 'sound';
  return 'other';
}

/** Contents of the boxes in `[from, to)`, and of those inside QuickTime's `wave`; none when they are broken. */
function inside(bytes: Uint8Array, from: number, to: number): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const box of boxesOf(bytes, from, to)) {
    const contents = bytes.subarray(boxBody(box), box.end);
    if (!found.has(box.type)) found.set(box.type, contents);
    if (box.type !== 'wave') continue;
    for (const inner of boxesOf(contents, 0, contents.length))
      if (!found.has(inner.type)) found.set(inner.type, contents.subarray(boxBody(inner), inner.end));
  }
  return found;
}

function boxesOf(bytes: Uint8Array, from: number, to: number): readonly Box[] {
  try {
    return parseBoxes(bytes, from, to);
  } catch (error) {
    if (error instanceof EdgeError) return [];
    throw error;
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}
