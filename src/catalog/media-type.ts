import mime from 'mime';

/** What an origin says when it does not know. */
const UNKNOWN =
  /^\s*(application\/(octet-stream|x-download|force-download|unknown)|binary\/octet-stream|unknown\/unknown)\b/i;

/**
 * Content-Type for players: the origin's, or by the path's extension when the origin has none of use. The only importer
 * of mime.
 * @param path percent-encoded
 */
export function mediaType(sent: string | undefined, path: string): string {
  if (sent !== undefined && /^[\x21-\x7e]+\/[\x20-\x7e]+$/.test(sent) && !UNKNOWN.test(sent)) return sent;
  const name = path.slice(path.lastIndexOf('/') + 1);
  return mime.getType(name) ?? 'application/octet-stream';
}
