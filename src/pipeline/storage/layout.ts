/**
 * Keys of the storage. Uploads and films have one id: that of the upload. Films stand apart, so that an edge can have
 * them as its origin and nothing else.
 */
export const UPLOADS = 'uploads/';
const FILMS = 'films/';

/** What an id looks like; it is a name of a folder and of a job. */
export const ID = /^[0-9a-f]{32}$/;

/** Under which everything of an upload lies. */
export function uploadPrefix(id: string): string {
  return `${UPLOADS}${id}/`;
}

/** What is known of an upload from its beginning. */
export function infoKey(id: string): string {
  return `${uploadPrefix(id)}info.json`;
}

/** Stands for a whole upload. */
export function manifestKey(id: string): string {
  return `${uploadPrefix(id)}manifest.json`;
}

/** Under which everything of a film lies. */
export function filmPrefix(id: string): string {
  return `${FILMS}${id}/`;
}

/** Under which the outputs of one attempt lie. */
export function attemptPrefix(id: string, attempt: string): string {
  return `${filmPrefix(id)}${attempt}/`;
}

/** Names the attempt that counts; who writes it first has published the film. */
export function winnerKey(id: string): string {
  return `${filmPrefix(id)}winner.json`;
}
