/** Most characters of a note. */
const NOTE_MAX = 300;

/** A note as one line of visible characters, which neither begins a tag of a playlist nor ends a comment of XML. */
export function noteLine(note: string): string {
  const line = note.replace(/[^\x21-\x7e]+/g, ' ').replace(/-{2,}/g, '-');
  return line.length > NOTE_MAX ? `${line.slice(0, NOTE_MAX)} ...` : line;
}
