import { noteLine } from '../presentation/note.js';

/** Fragmented MP4 outside I-frame playlists takes 6; what came with 7 may stand in any of ours (RFC 8216 section 7). */
const VERSION = 7;

/**
 * The lines that every playlist begins with.
 * @param isIndependent whether each segment can be decoded without those before it
 * @param notes become comments
 */
export function headLines(isIndependent: boolean, notes: readonly string[] = []): string[] {
  const lines = ['#EXTM3U', `#EXT-X-VERSION:${VERSION}`];
  if (isIndependent) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  return [...lines, ...notes.map(note => `# ${noteLine(note)}`)];
}

/** Lines as the text of a playlist. */
export function playlistText(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
