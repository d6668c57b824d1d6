/** Sample entries of the codecs that players know, in place of those of `build`, which all are `avc1`. */

const CODECS: Readonly<Record<string, string>> = { vide: 'avc1', soun: 'mp4a', sbtl: 'tx3g', text: 'tx3g' };
const CONTAINERS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

/** The file with the codec in each track that fits its handler. */
export function withCodecs(file: Uint8Array): Uint8Array {
  const bytes = Buffer.from(file);
  let handler = '';
  const walk = (from: number, to: number): void => {
    for (let at = from; at < to; ) {
      const wide = bytes.readUInt32BE(at) === 1;
      const size = wide ? Number(bytes.readBigUInt64BE(at + 8)) : bytes.readUInt32BE(at);
      const type = bytes.toString('latin1', at + 4, at + 8);
      const body = at + (wide ? 16 : 8);
      if (type === 'hdlr') handler = bytes.toString('latin1', body + 8, body + 12);
      if (type === 'stsd') {
        for (let entry = body + 8; entry < at + size; entry += bytes.readUInt32BE(entry))
          bytes.write(CODECS[handler] ?? 'none', entry + 4, 'latin1');
      }
      if (CONTAINERS.has(type)) walk(body, at + size);
      at += size;
    }
  };
  walk(0, bytes.length);
  return new Uint8Array(bytes);
}
