/** Changes boxes of an MP4 file whose movie box stands first, byte by byte and without any of the code under test. */

const CONTAINERS = ['moov', 'trak', 'mdia', 'minf', 'stbl', 'edts', 'udta'];

/** Where the contents of the first box of that type begin, after the box `after` when it is given. */
export function body(bytes: Buffer, type: string, after = 0): number {
  const at = bytes.indexOf(type, after, 'latin1');
  if (at < 0) throw new Error(`no ${type}`);
  return at + 4;
}

/**
 * The file with other contents of the first box of that type from `after` on; sizes around it and chunk offsets follow.
 */
export function replaced(file: Buffer, type: string, contents: Uint8Array, after = 0): Buffer {
  const at = body(file, type, after) - 8;
  const size = file.readUInt32BE(at);
  const head = Buffer.from(file.subarray(at, at + 8));
  head.writeUInt32BE(contents.length + 8);
  const delta = contents.length + 8 - size;
  const bytes = Buffer.from(file);
  const grow = (from: number, to: number): void => {
    for (let box = from; to - box >= 8; box += bytes.readUInt32BE(box)) {
      const end = box + file.readUInt32BE(box);
      if (end === box) return;
      const isAround = box < at && end > at && CONTAINERS.includes(file.toString('latin1', box + 4, box + 8));
      if (isAround) {
        grow(box + 8, end);
        bytes.writeUInt32BE(end - box + delta, box);
        return;
      }
    }
  };
  grow(0, file.length);
  const whole = Buffer.concat([bytes.subarray(0, at), head, contents, bytes.subarray(at + size)]);
  for (let from = whole.indexOf('moov'); ; ) {
    const stco = whole.indexOf('stco', from) + 4;
    if (stco < 4) return whole;
    for (let i = whole.readUInt32BE(stco + 4); i > 0; i--) {
      const offset = whole.readUInt32BE(stco + 4 + i * 4);
      if (offset > at && offset + delta <= whole.length) whole.writeUInt32BE(offset + delta, stco + 4 + i * 4);
    }
    from = stco;
  }
}
