import type { CacheOutcome } from '../base/cache-outcome.js';
import { LineSink, type LineTarget } from './line-sink.js';
import { redactUrl } from './redact.js';

/** Bytes of lines gathered before a write. */
const BUFFER = 2048;

/** One answer, as the access log tells it. Undefined fields are left out of the line. */
export interface AccessEntry {
  /** When the request came, in milliseconds since 1970. */
  readonly time: number;
  /** Address of the player. */
  readonly client: string;
  readonly method: string;
  /** Host field. */
  readonly host: string;
  /** Path with query, as the player sent it. */
  readonly url: string;
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  /** Seconds from the request to the last byte, or to the moment the player left. */
  readonly seconds: number;
  /** Seconds from the request to the first byte. */
  readonly ttfb: number | undefined;
  /** How the answer ended: whole, because the player left, or cut by the edge. */
  readonly end: 'whole' | 'left' | 'cut';
  readonly outcome: CacheOutcome | undefined;
  /** Range field. */
  readonly range: string | undefined;
  readonly referer: string | undefined;
  readonly agent: string | undefined;
}

/** A JSON line per answer. Values of signing parameters in URLs are left out. */
export class AccessLog {
  readonly #lines: LineSink;
  readonly #worker: number;
  readonly #secrets: ReadonlySet<string> | undefined;

  /**
   * @param target a file, or `{ fd: 1 }` for standard output
   * @param worker number of the worker, in each line
   * @param secrets names of query parameters, beside the usual ones, whose values are left out
   * @throws EdgeError `bad_config` when the file can't be written
   */
  constructor(target: LineTarget, worker: number, secrets?: ReadonlySet<string>) {
    this.#lines = new LineSink(target, { buffer: BUFFER });
    this.#worker = worker;
    this.#secrets = secrets;
  }

  write(entry: AccessEntry): void {
    const { time, url, referer, ...rest } = entry;
    const line = {
      time: new Date(time).toISOString(),
      worker: this.#worker,
      ...rest,
      url: redactUrl(url, this.#secrets),
      referer: referer === undefined ? undefined : redactUrl(referer, this.#secrets),
    };
    this.#lines.write(`${JSON.stringify(line)}\n`);
  }

  /** Lines lost because the target failed or was slow. */
  get dropped(): number {
    return this.#lines.dropped;
  }

  /** Opens the file again, after logrotate has renamed it. */
  reopen(): void {
    this.#lines.reopen();
  }

  /** Writes what waits and closes. */
  close(): void {
    this.#lines.close();
  }
}
