import { EdgeError } from '../../../base/errors.js';
import type { MeteredSource } from '../../../media/io/metered-source.js';
import type { Reading } from '../../../media/io/reading.js';
import { CUES_MAX, type Cue, cueLines, inOrder, milliseconds, type SubtitleText } from './cue.js';
import { lineWork } from './text-file.js';

const TIMING =
  /^\s*(?:(\d{2,4}):)?(\d{2}):(\d{2})\.(\d{3})\s+-->\s+(?:(\d{2,4}):)?(\d{2}):(\d{2})\.(\d{3})(?:\s+(.*))?$/;
const SETTING = /^(?:vertical|line|position|size|align|region):[\w.,%-]{1,100}$/;
/** Most characters of all blocks before the cues, since each segment has them. */
const BLOCKS_MAX = 16 * 1024;
/** A time within a cue at which its text goes on. */
const INNER_TIME = /<\d{2,4}:\d{2}(?::\d{2})?\.\d{3}>/g;

/**
 * Reads a WebVTT file; `yield*` it.
 * @param work is told what the lines cost
 * @throws EdgeError `unplayable` when it does not begin as one
 */
export function* parseWebVtt(lines: readonly string[], work: MeteredSource): Reading<SubtitleText> {
  if (!/^WEBVTT(?:[ \t]|$)/.test(lines[0] ?? '')) {
    throw new EdgeError('unplayable', 'expected subtitles that begin with WEBVTT');
  }
  const cues: Cue[] = [];
  const blocks = new HeadBlocks();
  for (const block of blocksOf(lines)) {
    if (cues.length === CUES_MAX) break;
    for (const line of block) work.spend(lineWork(line));
    yield* work.breathe();
    const cue = cueOf(block, cues.length + 1);
    if (cue !== undefined) cues.push(cue);
    else if (cues.length === 0) blocks.add(block);
  }
  return { blocks: blocks.texts, cues: inOrder(cues) };
}

/** Blocks of style and regions of the lines that a file begins with. */
export function headBlocks(lines: readonly string[]): string[] {
  const blocks = new HeadBlocks();
  for (const block of blocksOf(lines)) blocks.add(block);
  return blocks.texts;
}

/** Gathers blocks of style and regions, up to a size. */
class HeadBlocks {
  readonly texts: string[] = [];
  #size = 0;

  /** Takes a block that is one of these. */
  add(block: readonly string[]): void {
    if (!/^(?:STYLE|REGION)[ \t]*$/.test(block[0]!)) return;
    const text = cueLines(block);
    this.#size += text.length;
    if (this.#size <= BLOCKS_MAX) this.texts.push(text);
  }
}

/** Runs of lines that are not empty, without the first, which is the header. */
function* blocksOf(lines: readonly string[]): Generator<string[]> {
  let block: string[] = [];
  let isHeader = true;
  for (const line of lines) {
    if (line !== '') {
      block.push(line);
      continue;
    }
    if (block.length > 0 && !isHeader) yield block;
    if (block.length > 0) isHeader = false;
    block = [];
  }
  if (block.length > 0 && !isHeader) yield block;
}

function cueOf(block: readonly string[], number: number): Cue | undefined {
  const at = block[0]!.includes('-->') ? 0 : 1;
  const times = TIMING.exec(block[at] ?? '');
  if (times === null) return undefined;
  const start = milliseconds(times[1], times[2]!, times[3]!, times[4]!);
  const end = milliseconds(times[5], times[6]!, times[7]!, times[8]!);
  const text = cueLines(block.slice(at + 1));
  if (end <= start || text === '') return undefined;
  const id = at === 1 ? cueLines([block[0]!]) : '';
  return { id: id === '' ? String(number) : id, start, end, settings: cueSettings(times[9] ?? ''), text };
}

/** Those settings of a text that are settings, as a cue may have them. */
export function cueSettings(text: string): string {
  return text
    .split(/\s+/)
    .filter(setting => SETTING.test(setting))
    .join(' ');
}

/** What a part of subtitles is of. */
export interface SubtitleWindow {
  /** Milliseconds of the film at which the window begins and ends; cues that reach into it are part of it. */
  readonly from: number;
  readonly to: number;
}

/** The first line, and the moment of the media that the times of a segment count from (RFC 8216 section 3.5). */
const SEGMENT_HEAD = 'WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n';
const FILE_HEAD = 'WEBVTT\n';

/**
 * Writes the cues of a window, each whole, with the times and the id that it has in every other window.
 * @param isSegment whether it is one of several, which players put in place by the media's clock
 */
export function webVtt({ blocks, cues }: SubtitleText, { from, to }: SubtitleWindow, isSegment: boolean): string {
  const parts = [isSegment ? SEGMENT_HEAD : FILE_HEAD, ...blocks.map(block => `${block}\n`)];
  for (const { id, start, end, settings, text } of cues) {
    if (start >= to) break;
    if (end <= from) continue;
    parts.push(`${id}\n${timestamp(start)} --> ${timestamp(end)}${settings && ` ${settings}`}\n${text}\n`);
  }
  return parts.join('\n');
}

/** Subtitles that begin `by` milliseconds earlier, without what is over by then. */
export function shifted({ blocks, cues }: SubtitleText, by: number): SubtitleText {
  if (by === 0) return { blocks, cues };
  return {
    blocks,
    cues: cues
      .filter(({ end }) => end > by)
      .map(cue => ({
        ...cue,
        start: Math.max(0, cue.start - by),
        end: cue.end - by,
        text: cue.text.replace(INNER_TIME, ''),
      })),
  };
}

function timestamp(time: number): string {
  const seconds = Math.floor(time / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${two(hours)}:${two(minutes)}:${two(seconds % 60)}.${String(time % 1000).padStart(3, '0')}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
