/**
 * Reads movies back, box by box and without any of the code under test, into plain lists. Throws on anything out of
 * order.
 */

/** A track as its tables tell. */
export interface ParsedTrack {
  readonly id: number;
  readonly handler: string;
  readonly timescale: number;
  /** Of `mdhd`, and of `tkhd` in movie units. */
  readonly mediaDuration: number;
  readonly duration: number;
  readonly edits: readonly { readonly duration: number; readonly media: number; readonly rate: number }[];
  readonly samples: readonly ParsedSample[];
  /**
   * Fields of `cslg`: composition to decode shift, least and greatest offset, first composition time, end of the last.
   */
  readonly cslg: readonly number[] | undefined;
  readonly boxes: readonly string[];
  /** Entries of `senc`, or of its forerunner, in hexadecimal, and where it stands. */
  readonly senc: { readonly entries: string; readonly count: number; readonly parent: string } | undefined;
}

/** A sample as all tables tell. */
export interface ParsedSample {
  readonly delta: number;
  readonly offset: number;
  readonly sync: boolean;
  readonly bytes: string;
  readonly description: number;
  readonly depends: number | undefined;
  readonly padding: number | undefined;
  readonly group: number | undefined;
  readonly parts: string | undefined;
  readonly auxiliary: string | undefined;
}

/** A movie. */
export interface ParsedMovie {
  readonly topLevel: readonly string[];
  readonly timescale: number;
  readonly duration: number;
  readonly tracks: readonly ParsedTrack[];
}

type Hex = (from: number, to: number) => string;

interface Box {
  readonly type: string;
  readonly body: Buffer;
}

function boxesIn(bytes: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.length; ) {
    const small = bytes.readUInt32BE(at);
    const header = small === 1 ? 16 : 8;
    const size = small === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : small;
    if (size < header || at + size > bytes.length)
      throw new Error(`a box of ${size} bytes at ${at} of ${bytes.length}`);
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), body: bytes.subarray(at + header, at + size) });
    at += size;
  }
  return boxes;
}

function find(bytes: Buffer, path: string): Buffer | undefined {
  let body: Buffer | undefined = bytes;
  for (const type of path.split('/')) body = body && boxesIn(body).find(box => box.type === type)?.body;
  return body;
}

function need(bytes: Buffer, path: string): Buffer {
  const found = find(bytes, path);
  if (found === undefined) throw new Error(`no ${path}`);
  return found;
}

/** Reads a movie. */
export function parseMovie(file: Uint8Array): ParsedMovie {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const topLevel = boxesIn(bytes).map(box => box.type);
  return parseMoov(need(bytes, 'moov'), topLevel, (from, to) => {
    if (to > bytes.length) throw new Error(`bytes ${from} to ${to} of ${bytes.length}`);
    return bytes.toString('hex', from, to);
  });
}

/**
 * Reads the contents of a movie box.
 * @param topLevel types of the file's boxes
 * @param hex gives bytes of the file
 */
export function parseMoov(
  moov: Buffer,
  topLevel: readonly string[],
  hex: (from: number, to: number) => string,
): ParsedMovie {
  const mvhd = need(moov, 'mvhd');
  const wide = mvhd[0] === 1;
  return {
    topLevel,
    timescale: mvhd.readUInt32BE(wide ? 20 : 12),
    duration: wide ? Number(mvhd.readBigUInt64BE(24)) : mvhd.readUInt32BE(16),
    tracks: boxesIn(moov)
      .filter(box => box.type === 'trak')
      .map(box => parseTrack(box.body, hex)),
  };
}

function parseTrack(trak: Buffer, hex: Hex): ParsedTrack {
  const tkhd = need(trak, 'tkhd');
  const mdhd = need(trak, 'mdia/mdhd');
  const stbl = need(trak, 'mdia/minf/stbl');
  const elst = find(trak, 'edts/elst');
  if (tkhd[0] !== 0 || mdhd[0] !== 0 || (elst?.[0] ?? 0) !== 0) throw new Error('wide headers are not expected');
  const edits = Array.from({ length: elst?.readUInt32BE(4) ?? 0 }, (_, i) => ({
    duration: elst!.readUInt32BE(8 + i * 12),
    media: elst!.readInt32BE(12 + i * 12),
    rate: elst!.readUInt32BE(16 + i * 12),
  }));
  return {
    id: tkhd.readUInt32BE(12),
    handler: need(trak, 'mdia/hdlr').toString('latin1', 8, 12),
    timescale: mdhd.readUInt32BE(12),
    mediaDuration: mdhd.readUInt32BE(16),
    duration: tkhd.readUInt32BE(20),
    edits,
    samples: parseSamples(stbl, hex),
    cslg: shiftOf(find(stbl, 'cslg')),
    boxes: boxesIn(stbl).map(box => box.type),
    senc: sencOf(stbl, 'stbl') ?? sencOf(trak, 'trak'),
  };
}

function sencOf(parent: Buffer, name: string): ParsedTrack['senc'] {
  const [senc, uuid] = [find(parent, 'senc'), find(parent, 'uuid')];
  const body = senc ?? uuid?.subarray(16);
  return body && { entries: body.toString('hex', 8), count: body.readUInt32BE(4), parent: name };
}

function shiftOf(cslg: Buffer | undefined): number[] | undefined {
  if (cslg === undefined) return undefined;
  const wide = cslg[0] === 1;
  if (cslg.length !== (wide ? 44 : 24)) throw new Error('cslg has another length');
  const field = (i: number) => (wide ? Number(cslg.readBigInt64BE(4 + i * 8)) : cslg.readInt32BE(4 + i * 4));
  return [0, 1, 2, 3, 4].map(field);
}

function words(table: Buffer, from: number, count: number): number[] {
  if (table.length !== from + count * 4)
    throw new Error(`a table of ${table.length} bytes has ${count} words from ${from}`);
  return Array.from({ length: count }, (_, i) => table.readUInt32BE(from + i * 4));
}

function runValues(table: Buffer | undefined, head = 4): number[] | undefined {
  if (table === undefined) return undefined;
  const pairs = words(table, head + 4, table.readUInt32BE(head) * 2);
  const values: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === 0) throw new Error('an empty run');
    for (let n = pairs[i]!; n > 0; n--) values.push(pairs[i + 1]!);
  }
  return values;
}

function sizesOf(stbl: Buffer): number[] {
  const stsz = find(stbl, 'stsz');
  if (stsz !== undefined) {
    const [same, count] = [stsz.readUInt32BE(4), stsz.readUInt32BE(8)];
    return same > 0 ? new Array<number>(count).fill(same) : words(stsz, 12, count);
  }
  const stz2 = need(stbl, 'stz2');
  const [bits, count] = [stz2[7]!, stz2.readUInt32BE(8)];
  if (stz2.length !== 12 + Math.ceil((count * bits) / 8)) throw new Error('stz2 has another length');
  return Array.from({ length: count }, (_, i) =>
    bits === 16 ? stz2.readUInt16BE(12 + i * 2) : bits === 8 ? stz2[12 + i]! : nibble(stz2, 12, i),
  );
}

function nibble(bytes: Buffer, from: number, i: number): number {
  const pair = bytes[from + (i >> 1)]!;
  return i % 2 === 0 ? pair >> 4 : pair & 15;
}

function offsetsOf(stbl: Buffer, narrow: string, wide: string | undefined): number[] | undefined {
  const table = find(stbl, narrow) ?? (wide === undefined ? undefined : find(stbl, wide));
  if (table === undefined) return undefined;
  const head = wide === undefined ? 4 + kindOf(table).length / 2 : 4;
  const count = table.readUInt32BE(head);
  const isWide = wide === undefined ? table[0] === 1 : find(stbl, narrow) === undefined;
  if (!isWide) return words(table, head + 4, count);
  const pairs = words(table, head + 4, count * 2);
  return Array.from({ length: count }, (_, i) => pairs[i * 2]! * 2 ** 32 + pairs[i * 2 + 1]!);
}

function parseSamples(stbl: Buffer, hex: Hex): ParsedSample[] {
  const deltas = runValues(find(stbl, 'stts')) ?? [];
  const sizes = sizesOf(stbl);
  const count = sizes.length;
  if (deltas.length !== count) throw new Error(`stts has ${deltas.length} samples, stsz ${count}`);
  const offsets = runValues(find(stbl, 'ctts'));
  if (offsets !== undefined && offsets.length !== count)
    throw new Error(`ctts has ${offsets.length} samples, stsz ${count}`);
  const stss = find(stbl, 'stss');
  const sync = stss && new Set(words(stss, 8, stss.readUInt32BE(4)));
  for (const number of sync ?? [])
    if (number < 1 || number > count) throw new Error(`sync sample ${number} of ${count}`);
  const sdtp = find(stbl, 'sdtp');
  if (sdtp !== undefined && sdtp.length !== 4 + count) throw new Error('sdtp has another length');
  const padb = find(stbl, 'padb');
  const sbgp = find(stbl, 'sbgp');
  const groups = runValues(sbgp, sbgp?.[0] === 1 ? 12 : 8);
  const parts = partsOf(find(stbl, 'subs'));
  const { places, chunkOf, descriptionOf } = placesOf(stbl, sizes);
  const auxiliary = auxiliaryOf(stbl, hex, chunkOf);
  return sizes.map((size, i) => {
    const place = places[i]!;
    return {
      delta: deltas[i]!,
      offset: (offsets?.[i] ?? 0) | 0,
      sync: sync?.has(i + 1) ?? true,
      bytes: hex(place, place + size),
      description: descriptionOf[i]!,
      depends: sdtp?.[4 + i],
      padding: padb === undefined ? undefined : nibble(padb, 8, i) & 7,
      group: groups?.[i],
      parts: parts?.get(i + 1),
      auxiliary: auxiliary?.[i],
    };
  });
}

function placesOf(stbl: Buffer, sizes: readonly number[]) {
  const chunks = offsetsOf(stbl, 'stco', 'co64')!;
  const stsc = need(stbl, 'stsc');
  const entries = words(stsc, 8, stsc.readUInt32BE(4) * 3);
  const [places, chunkOf, descriptionOf]: number[][] = [[], [], []];
  for (let entry = 0; entry < entries.length; entry += 3) {
    if (entry === 0 ? entries[0] !== 1 : entries[entry]! <= entries[entry - 3]!)
      throw new Error('stsc is not in order');
    const next = entries[entry + 3] ?? chunks.length + 1;
    if (next > chunks.length + 1) throw new Error('stsc speaks of too many chunks');
    for (let chunk = entries[entry]!; chunk < next; chunk++) {
      let at = chunks[chunk - 1]!;
      for (let n = entries[entry + 1]!; n > 0; n--) {
        chunkOf!.push(chunk - 1);
        descriptionOf!.push(entries[entry + 2]!);
        places!.push(at);
        at += sizes[places!.length - 1]!;
      }
    }
  }
  if (places!.length !== sizes.length)
    throw new Error(`the chunks have ${places!.length} samples, stsz ${sizes.length}`);
  return { places: places!, chunkOf: chunkOf!, descriptionOf: descriptionOf! };
}

function partsOf(subs: Buffer | undefined): Map<number, string> | undefined {
  if (subs === undefined) return undefined;
  const found = new Map<number, string>();
  const size = subs[0] === 1 ? 10 : 8;
  let [at, sample] = [8, 0];
  for (let left = subs.readUInt32BE(4); left > 0; left--) {
    sample += subs.readUInt32BE(at);
    const end = at + 6 + subs.readUInt16BE(at + 4) * size;
    found.set(sample, subs.toString('hex', at + 6, end));
    at = end;
  }
  if (at !== subs.length) throw new Error('subs has another length');
  return found;
}

/** Type and parameter of `saiz` or `saio`, in hexadecimal; '' when it does not say. */
function kindOf(table: Buffer): string {
  return (table[3]! & 1) === 1 ? table.toString('hex', 4, 12) : '';
}

function auxiliaryOf(stbl: Buffer, hex: Hex, chunkOf: readonly number[]): string[] | undefined {
  const saiz = find(stbl, 'saiz');
  const offsets = offsetsOf(stbl, 'saio', undefined);
  if (saiz === undefined || offsets === undefined) return undefined;
  const kind = kindOf(saiz);
  if (kind !== kindOf(need(stbl, 'saio'))) throw new Error('saiz and saio are of different kinds');
  const head = 4 + kind.length / 2;
  const [common, count] = [saiz[head]!, saiz.readUInt32BE(head + 1)];
  if (saiz.length !== head + 5 + (common === 0 ? count : 0) || count !== chunkOf.length)
    throw new Error('saiz has another length');
  let at = 0;
  return chunkOf.map((chunk, i) => {
    if (i === 0 || (offsets.length > 1 && chunk !== chunkOf[i - 1])) at = offsets[offsets.length > 1 ? chunk : 0]!;
    const size = common === 0 ? saiz[head + 5 + i]! : common;
    at += size;
    return hex(at - size, at);
  });
}
