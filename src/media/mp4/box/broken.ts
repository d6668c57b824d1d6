import { EdgeError } from '../../../base/errors.js';

/** The error of a file whose index is broken. */
export function broken(what: string): EdgeError {
  return new EdgeError('unplayable', `can't seek in this file, its index is broken: ${what}`);
}
