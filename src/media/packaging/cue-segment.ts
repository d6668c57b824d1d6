import { SAMPLE_DURATION, SAMPLE_SIZE } from '../fmp4/moof.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import { type InitTrack, initSegment } from './init-segment.js';
import { type Fragment, segmentHead } from './media-segment.js';
import { SYNC } from './source-track.js';

/*
 * Tracks of WebVTT cues in MP4, which are made (ISO/IEC 14496-30 section 7): samples follow each other without a gap,
 * each with all the cues that are shown then.
 */

/** A cue, on the clock of its track. */
export interface TimedCue {
  /** Number that tells it from all other cues of the track, wherever it is sent. */
  readonly source: number;
  readonly id: string;
  /** Ticks; `end` is after `start`. */
  readonly start: number;
  readonly end: number;
  /** Cue settings of WebVTT; '' for none. */
  readonly settings: string;
  /** Cue text of WebVTT. */
  readonly text: string;
}

/** What players are told of a track of cues. */
export interface CueTrack {
  /** Ticks per second. */
  readonly timescale: number;
  readonly language: string;
  readonly name: string;
  /** Ticks at which it ends. */
  readonly end: number;
  /** What stands before the cues in a file of WebVTT, such as `WEBVTT`, without the last line break. */
  readonly head: string;
}

const IDENTITY = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000];
const DEFAULTS = { defaultDuration: 0, defaultSize: 0 };
const FIELDS = SAMPLE_DURATION | SAMPLE_SIZE;
/** Bytes of a segment from which on nothing more is shown: cues of a hostile file may overlap as they like. */
const BYTES_MAX = 4 * 1024 * 1024;
/** A sample in which nothing is shown: `vtte`. */
const NOTHING = boxOf('vtte', () => {});

/** The init segment of a track of cues. */
export function cueInit({ timescale, language, name, end, head }: CueTrack): Uint8Array {
  const matrix = new BoxWriter(36);
  for (const number of IDENTITY) matrix.u32(number);
  const entry = boxOf('wvtt', writer => {
    writer.zeros(6);
    writer.u16(1);
    writer.bytes(boxOf('vttC', config => config.bytes(Buffer.from(head))));
  });
  const track: InitTrack = {
    ...{ kind: 'text', handler: 'text', timescale, language, name, alternateGroup: 0 },
    ...{ matrix: matrix.take(), width: 0, height: 0, editMedia: 0, end, syncs: 'all', ...DEFAULTS },
  };
  return initSegment(track, entry);
}

/**
 * A segment of a track of cues. A cue that is shown before or after it, too, is in those segments as well.
 * @param number of the segment, from 1
 * @param cues in the order of their starts
 * @param from ticks at which the segment begins; @param to at which it ends
 */
export function cueSegment(number: number, cues: readonly TimedCue[], from: number, to: number): Uint8Array {
  const shown = cues.filter(({ start, end }) => end > from && start < to);
  const edges = new Set([from, to]);
  for (const { start, end } of shown) edges.add(Math.max(from, start)).add(Math.min(to, end));
  const times = [...edges].sort((a, b) => a - b);
  const count = times.length - 1;
  const [durations, sizes] = [new Uint32Array(count), new Uint32Array(count)];
  const samples: Uint8Array[] = [];
  // Cues are taken up as they begin and dropped as they end, so that none is looked at again and again.
  let [next, active, bytes] = [0, [] as TimedCue[], 0];
  for (let i = 0; i < count; i++) {
    const [begin, end] = [times[i]!, times[i + 1]!];
    active = active.filter(cue => cue.end > begin);
    while (next < shown.length && shown[next]!.start <= begin) active.push(shown[next++]!);
    const sample = active.length === 0 || bytes > BYTES_MAX ? NOTHING : Buffer.concat(active.map(cueBox));
    bytes += sample.length;
    durations[i] = end - begin;
    sizes[i] = sample.length;
    samples.push(sample);
  }
  const fragment: Fragment = { sequence: number, time: from, fields: FIELDS, syncs: 'all', samples: count, bytes };
  const flags = new Uint32Array(count).fill(SYNC);
  const run = { count, durations, sizes, flags, compositions: new Int32Array(count) };
  return Buffer.concat([segmentHead(DEFAULTS, fragment, run), ...samples]);
}

/** `vttc`: a cue of a sample. */
function cueBox({ source, id, settings, text }: TimedCue): Uint8Array {
  return boxOf('vttc', writer => {
    writer.bytes(boxOf('vsid', part => part.u32(source)));
    writer.bytes(boxOf('iden', part => part.bytes(Buffer.from(id))));
    if (settings !== '') writer.bytes(boxOf('sttg', part => part.bytes(Buffer.from(settings))));
    writer.bytes(boxOf('payl', part => part.bytes(Buffer.from(text))));
  });
}

function boxOf(type: string, contents: (writer: BoxWriter) => void): Uint8Array {
  const writer = new BoxWriter(256);
  const mark = writer.open(type);
  contents(writer);
  writer.close(mark);
  return writer.take();
}
