/** A piece of subtitles. */
export interface Cue {
  /** Without line breaks and `-->`; the same wherever the cue is sent. */
  readonly id: string;
  /** Milliseconds. */
  readonly start: number;
  /** Milliseconds; after `start`. */
  readonly end: number;
  /** Cue settings of WebVTT; '' for none. */
  readonly settings: string;
  /** Cue text of WebVTT: lines that are not empty and hold no `-->`. */
  readonly text: string;
}

/** All of a file of subtitles. */
export interface SubtitleText {
  /** Blocks of style and regions that stand before the cues, each without an empty line. */
  readonly blocks: readonly string[];
  /** In the order of their starts. */
  readonly cues: readonly Cue[];
}

/** Most cues of a file, which are half a day of talk; what follows is left out. */
export const CUES_MAX = 20_000;
/** Most characters and lines of a cue; what follows is not even looked at. */
const TEXT_MAX = 4096;
const LINES_MAX = 64;
/** Lines that are as cue text what they are as plain text. */
const PLAIN = /^[\x20-\x25\x27-\x3b=\x3f-\x7a|~\xa0-\uffff]*$/;

/** Cues in the order of their starts; those of equal starts as they were. */
export function inOrder(cues: readonly Cue[]): Cue[] {
  return [...cues].sort((a, b) => a.start - b.start);
}

/**
 * Lines as a cue has them: none empty, none that ends it or begins another, nothing that can't be seen.
 * @param textOf makes cue text of a line that is something else
 */
export function cueLines(lines: readonly string[], textOf: (line: string) => string = line => line): string {
  const kept = lines.slice(0, LINES_MAX).map(line => {
    const start = line.slice(0, TEXT_MAX).trimEnd();
    return PLAIN.test(start) ? start : textOf(start.replace(/\p{Cc}/gu, '')).replaceAll('-->', '--&gt;');
  });
  return kept
    .filter(line => line.trim() !== '')
    .join('\n')
    .slice(0, TEXT_MAX);
}

/** Plain text as cue text. */
export function escapeCueText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Hours, minutes, seconds and thousandths, as texts, in milliseconds. */
export function milliseconds(hours: string | undefined, minutes: string, seconds: string, thousandths: string): number {
  return (
    (Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 + Number(thousandths.padEnd(3, '0'))
  );
}
