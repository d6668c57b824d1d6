import {
  auxiliaryBytes,
  hasSubSamples,
  isEncrypted,
  type ModelMovie,
  type ModelSample,
  type ModelTrack,
  sampleBytes,
} from './model.js';

/** Writes movies byte by byte, without any of the code under test (ISO/IEC 14496-12). */

function u8(...values: number[]): Buffer {
  return Buffer.from(values.map(value => value & 0xff));
}

function u16(value: number): Buffer {
  return u8(value >> 8, value);
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function i64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

/** A box; `wide` gives it a 64-bit size. */
export function box(type: string, wide: boolean, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const name = Buffer.from(type, 'latin1');
  return wide
    ? Buffer.concat([u32(1), name, u64(body.length + 16), body])
    : Buffer.concat([u32(body.length + 8), name, body]);
}

/**
 * The file of a movie.
 * @param quirky whether its tracks have their quirks; without them the file says the same by the book
 */
export function build(movie: ModelMovie, quirky = false): Uint8Array {
  if (!quirky) return build({ ...movie, tracks: movie.tracks.map(straight) }, true);
  const fileType = box('ftyp', false, Buffer.from('isom'), u32(512), Buffer.from('isomiso2mp41'));
  const media = placeMedia(movie);
  const draft = moov(
    movie,
    media.map(() => 0),
    media,
  );
  const lengthOfMovie = draft.length;
  const boxes: Buffer[][] = Array.from({ length: movie.mediaBoxes }, (_, i) =>
    media.filter(({ mediaBox }) => mediaBox === i).map(({ bytes }) => bytes),
  );
  const header = movie.wideBoxes ? 16 : 8;
  const before = movie.movie === 'first' ? 0 : movie.movie === 'last' ? boxes.length : Math.ceil(boxes.length / 2);
  let at = fileType.length;
  let movieStart = 0;
  const starts = boxes.map((parts, i) => {
    if (i === before) {
      movieStart = at;
      at += lengthOfMovie;
    }
    const start = at + header;
    at = start + parts.reduce((sum, part) => sum + part.length, 0);
    return start;
  });
  if (before === boxes.length) movieStart = at;
  const within = boxes.map(() => 0);
  let inMovie = 0;
  const offsets = media.map(part => {
    if (part.mediaBox === IN_MOVIE) {
      const uuid = movie.tracks[part.track]!.form.auxiliary === 'uuid';
      inMovie = draft.indexOf(uuid ? SENC_TYPE : 'senc', inMovie) + (uuid ? SENC_TYPE.length + 8 : SENC_HEAD);
      // What a quirk leads to is not read.
      return part.lies ? movieStart - 24 : movieStart + inMovie;
    }
    const offset = starts[part.mediaBox]! + within[part.mediaBox]!;
    within[part.mediaBox]! += part.bytes.length;
    return offset;
  });
  const files: Uint8Array[] = [fileType];
  const index = moov(movie, offsets, media);
  boxes.forEach((parts, i) => {
    if (i === before) files.push(index);
    files.push(box('mdat', movie.wideBoxes, ...parts));
  });
  if (before === boxes.length) files.push(index);
  return new Uint8Array(Buffer.concat(files));
}

function straight(track: ModelTrack): ModelTrack {
  return { ...track, form: { ...track.form, quirk: 'none' } };
}

/** Stands for the movie box among the numbers of media boxes. */
const IN_MOVIE = -1;
/** Type of the `uuid` box that came before `senc`. */
const SENC_TYPE = Buffer.from('a2394f525a9b4f14a2446c427c648df4', 'hex');
/** Bytes of `senc` from its type on to its entries. */
const SENC_HEAD = 12;

/** A chunk, or the auxiliary information of a chunk or track. */
interface Part {
  readonly track: number;
  readonly kind: 'chunk' | 'auxiliary';
  /** Number among its kind in the track. */
  readonly number: number;
  readonly bytes: Buffer;
  readonly mediaBox: number;
  /** Whether the offset that is told is wrong. */
  readonly lies?: boolean;
}

function auxiliaryOf({ samples, form }: ModelTrack, number: number, from: number, to: number): Buffer {
  const bytes = ({ auxiliary }: ModelSample, i: number) => auxiliaryBytes(form, number, from + i, auxiliary);
  return Buffer.concat(samples.slice(from, to).map(bytes));
}

function placeMedia(movie: ModelMovie): Part[] {
  const perTrack = movie.tracks.map((track, t) => {
    const parts: Omit<Part, 'mediaBox'>[] = [];
    const auxiliary = (from: number, to: number) => auxiliaryOf(track, t, from, to);
    if (track.form.auxiliary === 'run')
      parts.push({ track: t, kind: 'auxiliary', number: 0, bytes: auxiliary(0, track.samples.length) });
    let sample = 0;
    for (const [number, count] of track.chunks.entries()) {
      if (track.form.auxiliary === 'chunks')
        parts.push({ track: t, kind: 'auxiliary', number, bytes: auxiliary(sample, sample + count) });
      const bytes = track.samples.slice(sample, sample + count).map(({ size }, i) => sampleBytes(t, sample + i, size));
      parts.push({ track: t, kind: 'chunk', number, bytes: Buffer.concat(bytes) });
      sample += count;
    }
    return parts;
  });
  const ordered: Omit<Part, 'mediaBox'>[] = [];
  const longest = Math.max(...perTrack.map(parts => parts.length));
  if (movie.order === 'tracks') ordered.push(...perTrack.flat());
  else
    for (let i = 0; i < longest; i++) for (const parts of perTrack) if (parts[i] !== undefined) ordered.push(parts[i]!);
  if (movie.order === 'backwards') ordered.reverse();
  const perBox = Math.ceil(ordered.length / movie.mediaBoxes);
  const placed: Part[] = ordered.map((part, i) => ({ ...part, mediaBox: Math.floor(i / perBox) }));
  movie.tracks.forEach(({ form }, track) => {
    if (form.auxiliary !== 'movie' && !isEncrypted(form)) return;
    const lies = isEncrypted(form) && form.quirk === 'offsets of auxiliary information that lead elsewhere';
    placed.push({ track, kind: 'auxiliary', number: 0, bytes: Buffer.alloc(0), mediaBox: IN_MOVIE, lies });
  });
  return placed;
}

function moov(movie: ModelMovie, offsets: readonly number[], media: readonly Part[]): Buffer {
  const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
  const mvhd = box(
    'mvhd',
    false,
    u32(0, 1, 2, movie.timescale, 4242, 0x10000),
    u16(0x100),
    Buffer.alloc(10),
    matrix,
    Buffer.alloc(24, 7),
    u32(9),
  );
  const traks = movie.tracks.map((track, t) => {
    const of = (kind: Part['kind']) => {
      const placed = media.map((part, i) => ({ ...part, offset: offsets[i]! }));
      const mine = placed.filter(part => part.track === t && part.kind === kind);
      return mine.sort((a, b) => a.number - b.number).map(({ offset }) => offset);
    };
    return trak(movie, track, t, of('chunk'), of('auxiliary'));
  });
  const chapter = (seconds: number, title: string) =>
    Buffer.concat([u64(seconds * 1e7), u8(title.length), Buffer.from(title)]);
  const chapters = [chapter(0, 'One'), chapter(1, 'Two'), chapter(4, '')];
  const chpl = box('chpl', false, u32(1 << 24, 0), u8(chapters.length), ...chapters);
  const udta = box('udta', false, box('\u00a9nam', false, u16(4), u16(0), Buffer.from('Film')), chpl);
  return box('moov', movie.wideBoxes, mvhd, ...traks, udta);
}

function trak(
  movie: ModelMovie,
  track: ModelTrack,
  number: number,
  chunks: readonly number[],
  auxiliary: readonly number[],
): Buffer {
  const wide = movie.wideBoxes;
  const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
  const tkhd = box('tkhd', false, u32(3, 1, 2, number + 1, 0, 777, 0, 0, 0), u32(0), matrix, u32(160 << 16, 90 << 16));
  const scale = (duration: number) => Math.floor((duration * movie.timescale) / 1000);
  const elst = track.edits.map(({ duration, media }) => u32(scale(duration), media, 0x10000));
  const more = track.form.quirk === 'too many edits said' ? 3 : 0;
  const edts =
    track.edits.length === 0
      ? []
      : [box('edts', false, box('elst', false, u32(0, track.edits.length + more), ...elst))];
  const mdhd = box('mdhd', false, u32(0, 1, 2, track.timescale, 5), u32(0x55c40000));
  const hdlr = box('hdlr', false, u32(0, 0), Buffer.from(track.handler), Buffer.alloc(13));
  const dinf = box('dinf', false, box('dref', false, u32(0, 1), box('url ', false, u32(1))));
  const { form } = track;
  const flags = isEncrypted(form) && hasSubSamples(form) ? 2 : 0;
  const entries = auxiliaryOf(track, number, 0, track.samples.length);
  const sencBody = [u32(flags, track.samples.length), entries];
  const senc = form.auxiliary === 'uuid' ? box('uuid', false, SENC_TYPE, ...sencBody) : box('senc', false, ...sencBody);
  const inTable = ['movie', 'senc', 'uuid'].includes(form.auxiliary);
  const inside = inTable ? [senc] : [];
  const inTrack = form.auxiliary === 'senc of the track' ? [senc] : [];
  const stbl = box('stbl', wide, ...tables(track, chunks, auxiliary), ...inside);
  const minf = box('minf', wide, box('nmhd', false, u32(0)), dinf, stbl);
  return box('trak', wide, tkhd, ...edts, box('mdia', wide, mdhd, hdlr, minf), ...inTrack);
}

/** Neighbours with the same value become a run. */
function runs(values: readonly number[]): [count: number, value: number][] {
  const found: [number, number][] = [];
  for (const value of values) {
    const last = found[found.length - 1];
    if (last !== undefined && last[1] === value) last[0]++;
    else found.push([1, value]);
  }
  return found;
}

function runTable(type: string, versionAndFlags: Buffer, values: readonly number[], fewer = 0): Buffer {
  const found = runs(values.slice(0, values.length - fewer));
  return box(type, false, versionAndFlags, u32(found.length, ...found.flat()));
}

/** How many of the last values, but not all, are `value`. */
function atEnd(values: readonly number[], value: number | undefined): number {
  const other = values.findLastIndex(each => each !== value);
  return Math.min(values.length - 1, values.length - 1 - other);
}

function tables(
  { samples, chunks, descriptions, form }: ModelTrack,
  offsets: readonly number[],
  auxiliary: readonly number[],
): Buffer[] {
  const deltas = samples.map(({ delta }) => delta);
  const entry = (type: string) => box(type, false, Buffer.alloc(6), u16(1), Buffer.alloc(70));
  const found = [
    box('stsd', false, u32(0, 2), entry('avc1'), entry('avc1')),
    runTable(
      'stts',
      u32(0),
      deltas,
      // The last duration goes on.
      form.quirk === 'times that stop early' ? Math.max(0, atEnd(deltas, deltas.at(-1)) - 1) : 0,
    ),
  ];
  if (form.ctts) {
    found.push(
      runTable(
        'ctts',
        u32(form.compositionVersion << 24),
        samples.map(({ offset }) => offset),
        form.quirk === 'offsets that stop early'
          ? atEnd(
              samples.map(({ offset }) => offset),
              0,
            )
          : 0,
      ),
    );
    if (form.cslg) found.push(compositionShift(samples, form.cslgVersion));
  }
  if (form.stss) {
    const first = form.quirk === 'sync samples from 0' ? 0 : 1;
    const sync = samples.flatMap((sample, i) => (sample.sync ? [i + first] : []));
    if (form.quirk === 'sync samples past the end') sync.push(samples.length + 1, samples.length + 700);
    found.push(box('stss', false, u32(0, sync.length, ...sync)));
  }
  const unused = form.quirk === 'unused chunks' ? [0xffff_0000, 0, 5] : [];
  const emptyRun = form.quirk === 'an empty last run of chunks' && chunks.length > 1;
  found.push(chunkTable(chunks, descriptions, emptyRun), sizeTable(samples, form));
  const places = [...offsets, ...unused];
  const wideOffsets = form.wideOffsets ? places.map(u64) : places.map(offset => u32(offset));
  found.push(box(form.wideOffsets ? 'co64' : 'stco', false, u32(0, places.length), ...wideOffsets));
  if (form.sdtp) found.push(box('sdtp', false, u32(0), u8(...samples.map(({ depends }) => depends))));
  if (form.padb)
    found.push(box('padb', false, u32(0, samples.length), nibbles(samples.map(({ depends }) => depends & 7))));
  if (form.sbgp) {
    found.push(box('sgpd', false, u32(1 << 24), Buffer.from('test'), u32(2, 2), u16(1), u16(2)));
    found.push(
      runTable(
        'sbgp',
        Buffer.concat([u32(form.typed ? 1 << 24 : 0), Buffer.from('test'), form.typed ? u32(7) : u32()]),
        samples.map(({ group }) => group),
      ),
    );
  }
  if (form.subs) found.push(subSamples(samples, form.subsVersion));
  if (form.auxiliary !== 'none') {
    const kind = form.typed ? Buffer.concat([Buffer.from('cenc'), u32(5)]) : u32();
    const flags = form.typed ? 1 : 0;
    const sizes = form.sameAuxiliary ? u32() : u8(...samples.map(sample => sample.auxiliary));
    const common = form.sameAuxiliary ? samples[0]!.auxiliary : 0;
    found.push(box('saiz', false, u32(flags), kind, u8(common), u32(samples.length), sizes));
    const places = form.wideOffsets ? auxiliary.map(u64) : auxiliary.map(offset => u32(offset));
    const version = form.wideOffsets ? 1 << 24 : 0;
    found.push(box('saio', false, u32(version + flags), kind, u32(auxiliary.length), ...places));
  }
  return found;
}

/** `cslg` of exact numbers. */
function compositionShift(samples: readonly ModelSample[], version: 0 | 1): Buffer {
  let time = 0;
  let [first, end] = [Number.POSITIVE_INFINITY, 0];
  for (const { delta, offset } of samples) {
    first = Math.min(first, time + offset);
    end = Math.max(end, time + offset + delta);
    time += delta;
  }
  const offsets = samples.map(({ offset }) => offset);
  const least = Math.min(...offsets);
  const fields = [Math.max(0, -least), least, Math.max(...offsets), first, end];
  return box('cslg', false, u32(version << 24), version === 1 ? Buffer.concat(fields.map(i64)) : u32(...fields));
}

function chunkTable(chunks: readonly number[], descriptions: readonly number[], emptyRun: boolean): Buffer {
  const entries: number[][] = [];
  chunks.forEach((count, i) => {
    const last = entries[entries.length - 1];
    if (last === undefined || last[1] !== count || last[2] !== descriptions[i])
      entries.push([i + 1, count, descriptions[i]!]);
  });
  // It may stand at the last chunk where the run before it holds there too.
  const last = entries.at(-1)!;
  if (emptyRun && last[0]! < chunks.length) entries.push([chunks.length, 0, last[2]!]);
  return box('stsc', false, u32(0, entries.length, ...entries.flat()));
}

function sizeTable(samples: readonly ModelSample[], { sizeBits, sameSize, quirk }: ModelTrack['form']): Buffer {
  const sizes = samples.map(({ size }) => size);
  if (quirk === 'more sizes than samples') sizes.push(1, 1);
  if (sameSize) return box('stsz', false, u32(0, sizes[0]!, sizes.length));
  if (sizeBits === 32) return box('stsz', false, u32(0, 0, sizes.length, ...sizes));
  const entries = sizeBits === 16 ? Buffer.concat(sizes.map(u16)) : sizeBits === 8 ? u8(...sizes) : nibbles(sizes);
  return box('stz2', false, u32(0, sizeBits, sizes.length), entries);
}

function nibbles(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(Math.ceil(values.length / 2));
  values.forEach((value, i) => {
    bytes[i >> 1]! |= i % 2 === 0 ? value << 4 : value;
  });
  return bytes;
}

function subSamples(samples: readonly ModelSample[], version: 0 | 1): Buffer {
  const entries: Buffer[] = [];
  let before = 0;
  samples.forEach(({ parts }, i) => {
    if (parts.length === 0) return;
    const bodies = parts.map(size => Buffer.concat([version === 1 ? u32(size) : u16(size), u8(1, 0), u32(i)]));
    entries.push(Buffer.concat([u32(i + 1 - before), u16(parts.length), ...bodies]));
    before = i + 1;
  });
  return box('subs', false, u32(version << 24, entries.length), ...entries);
}
