import { fourcc } from '../../../media/mp4/box/box.js';
import { cueLines, escapeCueText } from './cue.js';
import { linesOf } from './text-file.js';
import { cueSettings, headBlocks } from './webvtt.js';

/** The text and the settings of a cue in a sample. */
export interface SampleCue {
  readonly text: string;
  readonly settings: string;
}

/** Bytes of a sample entry before its boxes, and most bytes of a head that are looked at. */
const [ENTRY_HEAD, HEAD_MAX] = [16, 64 * 1024];

/** Sample entries whose samples `sampleCues` reads. */
export type TextSampleType = 'tx3g' | 'text' | 'wvtt';

/** True for the type of a sample entry whose samples can be made cues. */
export function isTextSampleType(type: string): type is TextSampleType {
  return type === 'tx3g' || type === 'text' || type === 'wvtt';
}

/**
 * The cues of a sample, of which most have one; none when nothing is shown, or the bytes are no such sample.
 */
export function sampleCues(type: TextSampleType, sample: Uint8Array): SampleCue[] {
  const cues = type === 'wvtt' ? webVttCues(sample) : timedText(sample);
  return cues.filter(({ text }) => text !== '');
}

/** Blocks of style and regions that a sample entry `wvtt` has in its `vttC`, as a file of WebVTT would. */
export function blocksOfEntry(entry: Uint8Array): string[] {
  const head = fourcc(entry, 4) === 'wvtt' ? new Map(boxesOf(entry.subarray(ENTRY_HEAD))).get('vttC') : undefined;
  return head === undefined ? [] : headBlocks(linesOf(head.subarray(0, HEAD_MAX)));
}

/** 3GPP timed text (TS 26.245 section 5.17), and QuickTime's: a length of two bytes, and text of so many. */
function timedText(sample: Uint8Array): SampleCue[] {
  const length = ((sample[0] ?? 0) << 8) | (sample[1] ?? 0);
  const bytes = sample.subarray(2, 2 + length);
  return [{ text: cueLines(linesOf(bytes), escapeCueText), settings: '' }];
}

/** Cues in boxes (ISO/IEC 14496-30 section 6.6): `vttc`, in which `payl` is text and `sttg` settings. */
function webVttCues(sample: Uint8Array): SampleCue[] {
  const cues: SampleCue[] = [];
  for (const [type, body] of boxesOf(sample)) {
    if (type !== 'vttc') continue;
    const parts = new Map(boxesOf(body));
    const text = linesOf(parts.get('payl') ?? new Uint8Array());
    const settings = linesOf(parts.get('sttg') ?? new Uint8Array()).join(' ');
    cues.push({ text: cueLines(text), settings: cueSettings(settings) });
  }
  return cues;
}

function* boxesOf(bytes: Uint8Array): Generator<[type: string, body: Uint8Array]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > bytes.length) return;
    yield [String.fromCharCode(...bytes.subarray(at + 4, at + 8)), bytes.subarray(at + 8, at + size)];
    at += size;
  }
}
