import { boxBody, parseBoxes } from '../../src/media/mp4/box/box.js';

/** The first sample entry of each track of a file, with the track's handler, in the order of the file. */
export function sampleEntries(file: Uint8Array): { readonly handler: string; readonly entry: Uint8Array }[] {
  const find = (from: number, to: number, type: string) => parseBoxes(file, from, to).filter(box => box.type === type);
  const descend = (from: number, to: number, [type = '', ...path]: readonly string[]): number[][] =>
    find(from, to, type).flatMap(box =>
      path.length === 0 ? [[boxBody(box), box.end]] : descend(boxBody(box), box.end, path),
    );
  return descend(0, file.length, ['moov', 'trak']).map(([from = 0, to = 0]) => {
    const [hdlr = 0] = descend(from, to, ['mdia', 'hdlr'])[0]!;
    const [stsd = 0, end = 0] = descend(from, to, ['mdia', 'minf', 'stbl', 'stsd'])[0]!;
    const [entry] = parseBoxes(file, stsd + 8, end);
    return {
      handler: Buffer.from(file.subarray(hdlr + 8, hdlr + 12)).toString('latin1'),
      entry: file.subarray(entry!.offset, entry!.end),
    };
  });
}
