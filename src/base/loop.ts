import { EdgeError } from './errors.js';

/**
 * Whether a request has come through an edge before.
 * @param field value of CDN-Loop, '' where there is none (RFC 8586)
 * @param name of the edge there
 */
export function hasGoneThrough(field: string, name: string): boolean {
  return field !== '' && field.split(',').some(entry => entry.split(';', 1)[0]!.trim() === name);
}

/** Why such a request is refused. */
export function loopError(): EdgeError {
  return new EdgeError('loop_detected', 'the request has come through this edge before: an origin leads back to it');
}
