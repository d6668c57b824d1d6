import { EdgeError, type OriginTrouble } from '../base/errors.js';

/**
 * The error of whoever reads a version of an object that its origin no longer has (`object_changed`).
 * @param what names the object to a player
 * @param trouble origin, URL, expected and found version for the log, where they are known
 */
export function objectChanged(what = 'the object', trouble?: OriginTrouble): EdgeError {
  const message = `${what} changed at the origin while it was being read: ask again`;
  return new EdgeError('object_changed', message, trouble === undefined ? {} : { trouble });
}
