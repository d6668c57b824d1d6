import type { Log } from '../base/log.js';

/* The other end of `ChildProcess`: what a process does towards the one that has started it. */

/** A line of the log, which the parent writes. */
export interface LogReport {
  readonly kind: 'log';
  readonly level: keyof Log;
  readonly fields: object;
  readonly text: string;
}

/**
 * Tells the parent something. One that is gone, or dies at this moment, is no error: `disconnect` tells of it.
 * @param done called in either case
 */
export function tellParent(message: object, done: () => void = () => {}): void {
  if (process.connected) process.send!(message, undefined, undefined, () => done());
  else done();
}

/** A log whose lines the parent writes, by `LogReport`. */
export function parentLog(): Log {
  const logger =
    (level: keyof Log): Log['info'] =>
    (fields, text) =>
      tellParent({ kind: 'log', level, fields: { ...fields, pid: process.pid }, text } satisfies LogReport);
  return { debug: logger('debug'), info: logger('info'), warn: logger('warn'), error: logger('error') };
}

/** Leaves it to the parent to say when to stop: a signal to the whole group (Ctrl-C) must not be heard before it. */
export function ignoreStopSignals(): void {
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
}
