import type { MeteredSource } from '../../../media/io/metered-source.js';
import type { Reading } from '../../../media/io/reading.js';
import { CUES_MAX, type Cue, cueLines, escapeCueText, inOrder, milliseconds, type SubtitleText } from './cue.js';
import { lineWork } from './text-file.js';

const TIMING =
  /^\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})\s*-->\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})(?:\s|$)/;
const NUMBER = /^\s*\d{1,9}\s*$/;
/** What stands between braces is an override of SubStation Alpha's, such as `{\an8}`: at the top. */
const OVERRIDE = /\{\\[^{}]{0,100}\}/g;
const AT_TOP = /\{\\an[789]\}/;
/** Tags that cue text has, too. */
const KEPT_TAG = /^<\/?[biu]>$/i;
const TAG = /(<\/?[A-Za-z][^<>]{0,200}>)/;

/**
 * The cues of a SubRip file. Whatever follows a line of times up to the next one is a cue's text, so that neither
 * missing numbers nor empty lines lose any; `yield*` it.
 * @param work is told what the lines cost
 */
export function* parseSrt(lines: readonly string[], work: MeteredSource): Reading<SubtitleText> {
  const cues: Cue[] = [];
  let from = 0;
  let times: RegExpExecArray | null = null;
  const end = (to: number) => {
    const cue = times && cueOf(times, lines.slice(from, to), cues.length + 1);
    if (cue) cues.push(cue);
  };
  for (let at = 0; at < lines.length && cues.length < CUES_MAX; at++) {
    const line = lines[at]!;
    work.spend(lineWork(line));
    yield* work.breathe();
    const found = line.includes('-->') ? TIMING.exec(line) : null;
    if (found === null) continue;
    // The number of this cue is no text of the one before.
    end(at > from && NUMBER.test(lines[at - 1]!) ? at - 1 : at);
    times = found;
    from = at + 1;
  }
  if (cues.length < CUES_MAX) end(lines.length);
  return { blocks: [], cues: inOrder(cues) };
}

function cueOf(times: RegExpExecArray, lines: readonly string[], number: number): Cue | undefined {
  const start = milliseconds(times[1], times[2]!, times[3]!, times[4]!);
  const end = milliseconds(times[5], times[6]!, times[7]!, times[8]!);
  if (end <= start) return undefined;
  const text = cueLines(lines, cueText);
  if (text === '') return undefined;
  return {
    id: String(number),
    start,
    end,
    settings: lines.slice(0, 2).some(line => AT_TOP.test(line.slice(0, 200))) ? 'line:0' : '',
    text,
  };
}

function cueText(line: string): string {
  return line
    .replace(OVERRIDE, '')
    .split(TAG)
    .map((part, index) => {
      if (index % 2 === 0) return escapeCueText(part);
      return KEPT_TAG.test(part) ? part.toLowerCase() : '';
    })
    .join('');
}
