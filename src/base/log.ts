/**
 * The log as modules see it: fields first, then one short sentence without the fields' values. Never called per block.
 * An `error` field (or `err`) may hold an Error; it is written with its code and causes.
 */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A log that writes nothing, for tests and for commands that report by other means. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
