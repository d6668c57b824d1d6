import { isatty } from 'node:tty';
import { destination, pino, stdSerializers } from 'pino';
import type { Log } from './log-type.js';
import { redact } from './redact.js';

/** Standard error: the log's place, so that standard output is free for the access log. */
const STDERR = 2;
/** Bytes of lines that wait for a slow reader; more are dropped, so that neither memory nor players suffer. */
const WAITING_MAX = 16 * 1024 * 1024;
/** Writes of at most this size to a pipe are never mixed with those of other processes (POSIX PIPE_BUF). */
const PIPE_WRITE_MAX = 4096;

/** How a process logs. */
export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** `auto` is text on a terminal and JSON elsewhere. */
  readonly format: 'auto' | 'json' | 'text';
  /** What this process is, such as `supervisor` or `worker 1`; stands in each line. */
  readonly process: string;
  /** File descriptor; standard error unless a test says otherwise. */
  readonly fd?: number;
}

/** A log that belongs to a process. */
export interface ProcessLog extends Log {
  setLevel(level: LogOptions['level']): void;
  /** Writes what waits, synchronously; for the moment before the process ends. */
  flush(): void;
}

/** Opens the log of a process. Secrets in fields and URLs are left out of its lines. */
export function createLog({ level, format, process: name, fd = STDERR }: LogOptions): ProcessLog {
  const lines = new LineSink({ fd });
  const asText = format === 'text' || (format === 'auto' && isatty(fd));
  const logger = pino(
    {
      level,
      base: { pid: process.pid, process: name },
      messageKey: 'text',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause, err: stdSerializers.errWithCause },
    },
    { write: (line: string) => lines.write(asText ? toText(redact(line)) : redact(line)) },
  );
  return {
    debug: (fields, text) => logger.debug(fields, text),
    info: (fields, text) => logger.info(fields, text),
    warn: (fields, text) => logger.warn(fields, text),
    error: (fields, text) => logger.error(fields, text),
    setLevel: next => {
      logger.level = next;
    },
    flush: () => lines.flush(),
  };
}

/** A JSON line as a person reads it: time, severity, process, sentence, fields, and the error's stack beneath. */
function toText(line: string): string {
  const { time, level, process: name, text, pid: _, error, ...fields } = JSON.parse(line);
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const stack =
    error === undefined ? '' : `\n    ${String(error.stack ?? error.message ?? error).replaceAll('\n', '\n    ')}`;
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${name}: ${text}${rest.join('')}${stack}\n`;
}

/** Where a `LineSink` writes: a file by its name, or an open descriptor. */
export type LineTarget = string | { readonly fd: number };

/**
 * Whole lines to a file or descriptor, appended and buffered, off the event loop. Several processes may append to one file.
 * A target that fails or is slow costs lines, which are counted, and nothing else.
 */
export class LineSink {
  /** Times that a line or a write was lost because the target failed or was slow. */
  dropped = 0;
  readonly #stream;
  readonly #isFile: boolean;

  /**
   * @param target a file (made when missing) or a descriptor
   * @param options `buffer`: bytes gathered before a write, which then is at most a second late; 0 writes each line at once
   * @throws the system's error when the file can't be opened
   */
  constructor(target: LineTarget, { buffer = 0 }: { buffer?: number } = {}) {
    this.#isFile = typeof target === 'string';
    this.#stream = destination({
      ...(typeof target === 'string' ? { dest: target, mode: 0o640 } : { dest: target.fd, maxWrite: PIPE_WRITE_MAX }),
      sync: false,
      minLength: Math.min(buffer, PIPE_WRITE_MAX - 1),
      maxLength: WAITING_MAX,
      periodicFlush: buffer > 0 ? 1000 : 0,
    });
    this.#stream.on('drop', () => {
      this.dropped++;
    });
    this.#stream.on('error', () => {
      this.dropped++;
    });
  }

  /** @param line ends with a line feed */
  write(line: string): void {
    this.#stream.write(line);
  }

  /** Opens the file again by its name, after somebody has renamed it. */
  reopen(): void {
    if (this.#isFile) this.#stream.reopen();
  }

  /** Writes what waits, synchronously, as far as the target takes it. */
  flush(): void {
    try {
      this.#stream.flushSync();
    } catch {
      this.dropped++;
    }
  }

  /** Writes what waits and closes the file. */
  close(): void {
    this.flush();
    this.#stream.destroy();
  }
}
