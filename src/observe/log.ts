import { isatty } from 'node:tty';
import { pino, stdSerializers } from 'pino';
import type { Log } from '../base/log.js';
import { LineSink } from './line-sink.js';
import { redact } from './redact.js';

/** Standard error: the log's place, so that standard output is free for the access log. */
const STDERR = 2;

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
