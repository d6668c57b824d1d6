import type { VirtualFile } from '../../virtual-file/virtual-file.js';

/** The field that tells where an answer begins; microseconds are as fine as a player needs. */
export function seekFields({ seekActual }: VirtualFile): readonly (readonly [name: string, value: string])[] {
  return seekActual === undefined ? [] : [['X-Seek-Actual', String(Number(seekActual.toFixed(6)))]];
}
