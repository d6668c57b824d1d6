import type { VirtualFile } from '../../virtual-file/virtual-file.js';

type Fields = readonly (readonly [name: string, value: string])[];

const NONE: Fields = [];
/** Fields of files that are asked for again: the same each time, so that heads that are made of them can be, too. */
const known = new WeakMap<VirtualFile, Fields>();

/** The field that tells where an answer begins; microseconds are as fine as a player needs. */
export function seekFields(file: VirtualFile): Fields {
  const { seekActual } = file;
  if (seekActual === undefined) return NONE;
  let fields = known.get(file);
  if (fields === undefined) {
    fields = [['X-Seek-Actual', String(Number(seekActual.toFixed(6)))]];
    known.set(file, fields);
  }
  return fields;
}
