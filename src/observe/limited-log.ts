import type { Log } from '../base/log.js';

/** Milliseconds of one window. */
const WINDOW = 10_000;
/** Lines of one kind in a window; of further ones only the last is told, with their number, when the window closes. */
const LINES = 10;
/** Most kinds that are told apart. */
const KINDS_MAX = 1000;

/** A kind of lines in its window. */
interface Window {
  lines: number;
  /** Lines that were held back, and the last of them. */
  more: number;
  last: object;
}

/** A line that was written. */
export interface ToldLine {
  readonly text: string;
  readonly fields: object;
}

/** Warnings that come as often as players ask: each kind is written a few times, and then counted. */
export class LimitedLog {
  readonly #log: Log;
  readonly #told: ((line: ToldLine) => void) | undefined;
  readonly #windows = new Map<string, Window>();

  /** @param told takes the lines, too */
  constructor(log: Log, told?: (line: ToldLine) => void) {
    this.#log = log;
    this.#told = told;
  }

  /**
   * @param kind lines of one kind share a limit
   * @param text the same for all lines
   */
  warn(kind: string, fields: object, text: string): void {
    const key = this.#windows.size < KINDS_MAX || this.#windows.has(kind) ? kind : '';
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = { lines: 0, more: 0, last: fields };
      this.#windows.set(key, window);
      setTimeout(() => this.#close(key, text), WINDOW).unref();
    }
    if (++window.lines <= LINES) this.#write(fields, text);
    else {
      window.more++;
      window.last = fields;
    }
  }

  #close(key: string, text: string): void {
    const { more, last } = this.#windows.get(key)!;
    this.#windows.delete(key);
    if (more > 0) this.#write({ ...last, count: more }, text);
  }

  #write(fields: object, text: string): void {
    this.#log.warn(fields, text);
    this.#told?.({ text, fields });
  }
}
