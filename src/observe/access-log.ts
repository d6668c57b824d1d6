import type { AccessEntry } from './access-entry.js';
import { type AccessFormat, accessFormat } from './access-format.js';
import { LineSink, type LineTarget } from './line-sink.js';

/** Bytes of lines gathered before a write. */
const BUFFER = 2048;

/** What an access log is made from. */
export interface AccessLogOptions {
  /** `json`, `combined`, or a template; see `accessFormat`. */
  readonly format: string;
  /** Share of the answers that have a line, from 0 to 1; those with an error always have one. */
  readonly sample: number;
  /** Names of query parameters, beside the usual ones, whose values are left out. */
  readonly secrets?: ReadonlySet<string> | undefined;
}

/** A line per answer. Values of signing parameters in URLs are left out. */
export class AccessLog {
  readonly #lines: LineSink;
  readonly #format: AccessFormat;
  readonly #sample: number;

  /**
   * @param target a file, or `{ fd: 1 }` for standard output
   * @throws EdgeError `bad_config` when the file can't be written
   */
  constructor(target: LineTarget, { format, sample, secrets }: AccessLogOptions) {
    this.#lines = new LineSink(target, { buffer: BUFFER });
    this.#format = accessFormat(format, secrets);
    this.#sample = sample;
  }

  write(entry: AccessEntry): void {
    const isLeftOut = this.#sample < 1 && entry.error === undefined && Math.random() >= this.#sample;
    if (!isLeftOut) this.#lines.write(this.#format(entry));
  }

  /** Lines lost because the target failed or was slow. */
  get dropped(): number {
    return this.#lines.dropped;
  }

  /** Opens the file again, after somebody has renamed it. */
  reopen(): void {
    this.#lines.reopen();
  }

  /** Writes what waits and closes. */
  close(): void {
    this.#lines.close();
  }
}
