import { EdgeError } from '../../base/errors.js';
import { parseSampleEntry } from '../codec/sample-entry.js';
import { fourcc, u32 } from '../mp4/box/box.js';
import type { TrackKind } from './media-package.js';

/** Sample entries that players of HLS and DASH may know, by kind of track. */
const CODECS: Readonly<Record<TrackKind, readonly string[]>> = {
  video: [
    'avc1',
    'avc3',
    'hvc1',
    'hev1',
    'dvh1',
    'dvhe',
    'dva1',
    'dvav',
    'av01',
    'dav1',
    'vp08',
    'vp09',
    'mp4v',
    'vvc1',
    'vvi1',
  ],
  audio: ['mp4a', 'ac-3', 'ec-3', 'ac-4', 'Opus', 'fLaC', 'alac', '.mp3', 'mhm1', 'dtsc', 'dtse', 'dtsx'],
  text: ['tx3g', 'text', 'wvtt'],
};
const ENCRYPTED = new Set(['encv', 'enca', 'enct', 'encs']);

/** Why a track with this sample entry can't be packaged; undefined when it can. */
export function refusalOfEntry(kind: TrackKind, handler: string, entry: Uint8Array): string | undefined {
  const type = fourcc(entry, 4);
  const printable = type.replace(/[^ -~]/g, '?');
  if (ENCRYPTED.has(type)) return 'it is encrypted';
  if (type === 'stpp') return 'it is TTML, of which nothing is made yet';
  if (!CODECS[kind].includes(type)) return `players do not know its codec "${printable}"`;
  if (u32(entry, 0) !== entry.length || entry.length < 16) return `its sample entry "${printable}" is broken`;
  try {
    parseSampleEntry(entry, handler);
    return undefined;
  } catch (error) {
    if (error instanceof EdgeError) return error.message;
    throw error;
  }
}
