/** Fragmented MP4 files made of a model, and a reader of such files that shares no code with src/. */
import assert from 'node:assert/strict';

/** A sample of a fragment. */
export interface TestSample {
  readonly duration: number;
  readonly compositionOffset: number;
  readonly sync: boolean;
  readonly data: Buffer;
}

/** A run of samples of one track. */
export interface TestRun {
  readonly track: number;
  /** `baseMediaDecodeTime`. */
  readonly time: number;
  readonly samples: readonly TestSample[];
}

/** One `moof` and its `mdat`. */
export type TestFragment = readonly TestRun[];

/** How a file is laid out. */
export interface TestLayout {
  /** `absolute`: `base_data_offset`; `moof`: default-base-is-moof; `none`: neither. */
  readonly base: 'absolute' | 'moof' | 'none';
  readonly index: 'sidx' | 'nested sidx' | 'mfra' | 'none';
  readonly tfdt: 0 | 1 | undefined;
  /** Whether boxes stand before each `moof`. */
  readonly leading: boolean;
  /** Ticks of media before presentation begins, of track 1. */
  readonly edit: number;
}

/** Ticks per second of track 1 (video) and track 2 (audio). */
export const TIMESCALES = [1000, 8000] as const;

export function u32(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(number >>> 0, i * 4);
  return bytes;
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

/** A box of parts. */
export function box(type: string, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(8 + body.length), Buffer.from(type, 'latin1'), body]);
}

function full(type: string, version: number, flags: number, ...parts: Uint8Array[]): Buffer {
  return box(type, u32(version * 0x1000000 + flags), ...parts);
}

function track(id: number, edit: number): Buffer {
  const timescale = TIMESCALES[id - 1]!;
  const entry = box(id === 1 ? 'avc1' : 'mp4a', u32(0, 1), Buffer.alloc(70));
  const stbl = box(
    'stbl',
    full('stsd', 0, 0, u32(1), entry),
    ...['stts', 'stsc', 'stco'].map(type => full(type, 0, 0, u32(0))),
    full('stsz', 0, 0, u32(0, 0)),
  );
  const handler = Buffer.from(id === 1 ? 'vide' : 'soun');
  const mdia = box(
    'mdia',
    full('mdhd', 0, 0, u32(0, 0, timescale, 0, 0)),
    full('hdlr', 0, 0, u32(0), handler, Buffer.alloc(13)),
    box('minf', stbl),
  );
  const edts = edit > 0 ? [box('edts', full('elst', 0, 0, u32(1, 0, edit, 0x10000)))] : [];
  return box('trak', full('tkhd', 0, 3, u32(0, 0, id), Buffer.alloc(72)), ...edts, mdia);
}

function moov(tracks: readonly number[], edit: number): Buffer {
  const mvhd = full('mvhd', 0, 0, u32(0, 0, 600, 0), Buffer.alloc(80));
  const trex = tracks.map(id => full('trex', 0, 0, u32(id, 1, 0, 0, id === 1 ? 0x10000 : 0)));
  return box('moov', mvhd, ...tracks.map(id => track(id, id === 1 ? edit : 0)), box('mvex', ...trex));
}

/** `ftyp` and `moov` of a film of these tracks. */
export function makeHead(tracks: readonly number[], edit: number): Buffer {
  return Buffer.concat([box('ftyp', Buffer.from('iso6\0\0\0\0iso6')), moov(tracks, edit)]);
}

/** A `moof` that will stand at `at`, and its `mdat`. */
function fragmentBoxes(fragment: TestFragment, at: number, sequence: number, { base, tfdt }: TestLayout): Buffer {
  const make = (moofSize: number) => {
    let data = moofSize + 8;
    const trafs = fragment.map((run, i) => {
      const flags = { absolute: 1, moof: 0x20000, none: 0 }[base];
      const tfhd = full('tfhd', 0, flags, u32(run.track), base === 'absolute' ? u64(at) : Buffer.alloc(0));
      const times = tfdt === undefined ? [] : [full('tfdt', tfdt, 0, tfdt === 1 ? u64(run.time) : u32(run.time))];
      // With neither base, the first run counts from the moof and the others from the end of the data before them.
      const offset = base === 'none' && i > 0 ? 0 : data;
      const entries = run.samples.flatMap(sample => [
        sample.duration,
        sample.data.length,
        sample.sync ? 0 : 0x10000,
        sample.compositionOffset,
      ]);
      const trun = full('trun', 1, 0xf01, u32(run.samples.length, offset), u32(...entries));
      for (const sample of run.samples) data += sample.data.length;
      return box('traf', tfhd, ...times, trun);
    });
    return box('moof', full('mfhd', 0, 0, u32(sequence)), ...trafs);
  };
  const moof = make(make(0).length);
  return Buffer.concat([moof, box('mdat', ...fragment.flatMap(({ samples }) => samples.map(({ data }) => data)))]);
}

/** A file of these fragments. */
export function makeFragmented(
  fragments: readonly TestFragment[],
  layout: TestLayout,
): { bytes: Buffer; starts: number[] } {
  const tracks = [...new Set(fragments.flat().map(run => run.track))].sort();
  const head = makeHead(tracks, layout.edit);
  const leading = layout.leading
    ? Buffer.concat([box('styp', Buffer.from('msdh\0\0\0\0')), box('prft', Buffer.alloc(20))])
    : Buffer.alloc(0);
  const place = (from: number) => {
    const starts: number[] = [];
    const parts: Buffer[] = [];
    let at = from;
    fragments.forEach((fragment, i) => {
      starts.push(at);
      const part = Buffer.concat([leading, fragmentBoxes(fragment, at + leading.length, i + 1, layout)]);
      parts.push(part);
      at += part.length;
    });
    return { starts, body: Buffer.concat(parts), end: at };
  };
  const indexSize = makeIndex(
    fragments,
    layout,
    fragments.map(() => 0),
    0,
  ).length;
  const { starts, body, end } = place(head.length + indexSize);
  const index = makeIndex(fragments, layout, starts, end);
  const mfra =
    layout.index === 'mfra'
      ? makeMfra(
          fragments,
          tracks,
          starts.map(start => start + leading.length),
        )
      : Buffer.alloc(0);
  return { bytes: Buffer.concat([head, index, body, mfra]), starts };
}

/** The run of track 1, or of the only track. */
function leadRun(fragment: TestFragment): TestRun {
  return fragment.find(run => run.track === 1) ?? fragment[0]!;
}

function presentation(run: TestRun): number {
  return run.time + run.samples[0]!.compositionOffset;
}

function makeIndex(
  fragments: readonly TestFragment[],
  layout: TestLayout,
  starts: readonly number[],
  end: number,
): Buffer {
  if (layout.index !== 'sidx' && layout.index !== 'nested sidx') return Buffer.alloc(0);
  const track = leadRun(fragments[0]!).track;
  // A reference takes the fragments of other tracks along that follow one of the first track.
  const leads = fragments.flatMap((fragment, i) => {
    const run = fragment.find(candidate => candidate.track === track);
    return run ? [{ run, start: starts[i]! }] : [];
  });
  const times = leads.map(({ run }) => presentation(run));
  times.push(times.at(-1)! + leads.at(-1)!.run.samples.reduce((sum, { duration }) => sum + duration, 0));
  const references = leads.map(({ run, start }, i) => [
    (leads[i + 1]?.start ?? end) - start,
    times[i + 1]! - times[i]!,
    run.samples[0]!.sync ? 0x90000000 : 0,
  ]);
  const sidx = (from: number, to: number) =>
    full(
      'sidx',
      0,
      0,
      u32(track, TIMESCALES[track - 1]!, times[from]!, 0),
      u32(to - from),
      u32(...references.slice(from, to).flat()),
    );
  if (layout.index === 'sidx') return sidx(0, leads.length);
  // The first half is told by an index of its own, which stands right behind the first one.
  const half = Math.ceil(leads.length / 2);
  const inner = sidx(0, half);
  const media = references.slice(0, half).reduce((sum, [size]) => sum + size!, 0);
  const outer = [[0x80000000 + inner.length + media, times[half]! - times[0]!, 0], ...references.slice(half)];
  return Buffer.concat([
    full('sidx', 0, 0, u32(track, TIMESCALES[track - 1]!, times[0]!, 0), u32(outer.length), u32(...outer.flat())),
    inner,
  ]);
}

function makeMfra(fragments: readonly TestFragment[], tracks: readonly number[], moofs: readonly number[]): Buffer {
  const tfras = tracks.map(track => {
    const entries = fragments.flatMap((fragment, i) => {
      const run = fragment.find(candidate => candidate.track === track);
      return run ? [[u64(presentation(run)), u64(moofs[i]!), Buffer.from([1, 1, 1])]] : [];
    });
    return full('tfra', 1, 0, u32(track, 0, entries.length), ...entries.flat());
  });
  const size = 8 + tfras.reduce((sum, tfra) => sum + tfra.length, 0) + 16;
  return box('mfra', ...tfras, full('mfro', 0, 0, u32(size)));
}

/** A sample as a reader finds it. */
export interface FoundSample {
  readonly track: number;
  readonly time: number | undefined;
  readonly data: string;
}

/** A file as a reader finds it. */
export interface FoundFile {
  readonly types: string[];
  readonly samples: FoundSample[];
  /**
   * Sizes, durations and first words of the references of the first `sidx`, its time, and where what it refers to
   * begins.
   */
  readonly sidx:
    | { time: number; at: number; references: { size: number; duration: number; sap: boolean }[] }
    | undefined;
  /** Absolute offsets of all `moof`, and of the first of the boxes that stand before each. */
  readonly segments: number[];
}

/** Reads a file that must be right to the last byte; sample data are those that each `trun` points at. */
export function readFragmented(bytes: Buffer): FoundFile {
  const found: FoundFile = { types: [], samples: [], sidx: undefined, segments: [] };
  let sidx: FoundFile['sidx'];
  let segment: number | undefined;
  for (const { type, at, end } of boxes(bytes, 0, bytes.length)) {
    found.types.push(type);
    if (type === 'styp' || type === 'prft') segment ??= at;
    if (type === 'sidx') {
      const version = bytes[at + 8];
      const wide = version === 1 ? 8 : 0;
      const count = bytes.readUInt16BE(at + 30 + wide);
      const references = Array.from({ length: count }, (_, i) => ({
        size: bytes.readUInt32BE(at + 32 + wide + i * 12),
        duration: bytes.readUInt32BE(at + 36 + wide + i * 12),
        sap: bytes[at + 40 + wide + i * 12]! >= 0x90,
      }));
      sidx ??= {
        time: wide ? Number(bytes.readBigUInt64BE(at + 20)) : bytes.readUInt32BE(at + 20),
        at: end,
        references,
      };
    }
    if (type !== 'moof') continue;
    found.segments.push(...(segment === undefined ? [at] : [segment, at]));
    segment = undefined;
    readMoof(bytes, at, end, found.samples);
  }
  return { ...found, sidx };
}

function* boxes(bytes: Buffer, from: number, to: number): Generator<{ type: string; at: number; end: number }> {
  for (let at = from; at < to; ) {
    const end = at + bytes.readUInt32BE(at);
    assert.ok(end >= at + 8 && end <= to, `the box at ${at} fits`);
    yield { type: bytes.toString('latin1', at + 4, at + 8), at, end };
    at = end;
  }
}

function readMoof(bytes: Buffer, moof: number, end: number, samples: FoundSample[]): void {
  let after = moof;
  for (const traf of boxes(bytes, moof + 8, end)) {
    if (traf.type !== 'traf') continue;
    let [track, base, time]: [number, number, number | undefined] = [0, after, undefined];
    for (const { type, at } of boxes(bytes, traf.at + 8, traf.end)) {
      const flags = bytes.readUIntBE(at + 9, 3);
      if (type === 'tfhd') {
        track = bytes.readUInt32BE(at + 12);
        if (flags & 1) base = Number(bytes.readBigUInt64BE(at + 16));
        else if (flags & 0x20000) base = moof;
      } else if (type === 'tfdt') {
        time = bytes[at + 8] === 1 ? Number(bytes.readBigUInt64BE(at + 12)) : bytes.readUInt32BE(at + 12);
      } else if (type === 'trun') {
        assert.equal(flags, 0xf01);
        let data = base + bytes.readInt32BE(at + 16);
        for (let i = 0; i < bytes.readUInt32BE(at + 12); i++) {
          const entry = at + 20 + i * 16;
          const size = bytes.readUInt32BE(entry + 4);
          assert.ok(data >= 0 && data + size <= bytes.length, `sample data at ${data} are in the file`);
          samples.push({ track, time, data: bytes.toString('base64', data, data + size) });
          if (time !== undefined) time += bytes.readUInt32BE(entry);
          data += size;
        }
        after = data;
      }
    }
  }
}
