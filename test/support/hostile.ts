/**
 * Files that are made to cost as much as they can: each family leads one loop of the media readers through as much as
 * it is long.
 */
import { box, makeHead, u32 } from './fmp4.js';

/** A family of hostile files. */
export interface HostileFamily {
  readonly name: string;
  /** @param size bytes, about */
  make(size: number): Buffer;
}

export function full(type: string, version: number, flags: number, ...parts: Uint8Array[]): Buffer {
  return box(type, u32(version * 0x1000000 + flags), ...parts);
}

function many(part: Buffer, size: number): Buffer {
  const count = Math.max(1, Math.floor(size / part.length));
  const bytes = Buffer.alloc(count * part.length);
  for (let i = 0; i < count; i++) part.copy(bytes, i * part.length);
  return bytes;
}

const moof = (...parts: Buffer[]) =>
  box('moof', full('mfhd', 0, 0, u32(1)), box('traf', full('tfhd', 0, 0x20000, u32(1)), ...parts));
const tfdt = (time: number) => full('tfdt', 0, 0, u32(time));
const trun = (samples: number) => full('trun', 0, 0x301, u32(samples, 0), Buffer.alloc(samples * 8));
const lastFragment = Buffer.concat([
  moof(tfdt(0), full('trun', 0, 0x201, u32(1, 100, 4))),
  box('mdat', Buffer.alloc(40)),
]);

/** A `sidx` of `count` equal references. */
function sidx(count: number, reference: readonly [number, number, number], first: number): Buffer {
  const counts = Buffer.alloc(4);
  counts.writeUInt16BE(count, 2);
  const references = Buffer.alloc(count * 12, u32(...reference));
  return full('sidx', 0, 0, u32(1, 1000, 0, first), counts, references);
}

/** Many `sidx`, of which each refers twice to one that is as long as can be. */
function sidxOfSidx(size: number): Buffer {
  const head = makeHead([1], 0);
  const inner = sidx(65_000, [0, 1, 0x90000000], 0);
  const outer = sidx(2, [0x80000000, 0, 0], 0).length;
  const count = Math.max(1, Math.floor((size - inner.length) / outer));
  const shared = head.length + count * outer + 8;
  const tops = Array.from({ length: count }, (_, i) =>
    sidx(2, [0x80000000, 0, 0], shared - head.length - (i + 1) * outer),
  );
  return Buffer.concat([head, ...tops, box('free', inner), lastFragment]);
}

/** A tree of `sidx`: each has as many references to the next level as it can. */
function sidxTree(size: number): Buffer {
  const head = makeHead([1], 0);
  const wide = Math.min(65_000, Math.floor(size / 12 / 7));
  let levels = Buffer.alloc(0);
  // From the last level to the first; each refers to what stands right behind it.
  for (let level = 0; level < 7; level++) {
    levels = Buffer.concat([sidx(wide, [level === 0 ? 0 : 0x80000000, 1, 0], 0), levels]);
  }
  return Buffer.concat([head, levels, lastFragment]);
}

function fragmented(...parts: Buffer[]): Buffer {
  return Buffer.concat([makeHead([1], 0), ...parts, lastFragment]);
}

function mfra(size: number): Buffer {
  const body = Buffer.concat([makeHead([1], 0), lastFragment, lastFragment]);
  const count = Math.floor(Math.min(size, 8_000_000) / 11);
  const entries = Buffer.alloc(count * 11);
  for (let i = 0; i < count; i++) {
    entries.writeUInt32BE(i, i * 11);
    entries.writeUInt32BE(body.length - lastFragment.length, i * 11 + 4);
    entries.fill(1, i * 11 + 8, i * 11 + 11);
  }
  const tfra = full('tfra', 0, 0, u32(1, 0, count), entries);
  return Buffer.concat([body, box('mfra', tfra, full('mfro', 0, 0, u32(8 + tfra.length + 16)))]);
}

/** A progressive movie of one or many tracks with these tables, and media of one byte for each of few samples. */
export function movie(
  tables: (samples: number) => Buffer[],
  { tracks = 1, samples = 1, more = [] as Buffer[], edits = 0, handler = 'vide' } = {},
): Buffer {
  const trak = (id: number) => {
    const stbl = box(
      'stbl',
      full('stsd', 0, 0, u32(1), box('mp4v', Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]), Buffer.alloc(70))),
      ...tables(samples),
    );
    const elst = edits === 0 ? [] : [box('edts', full('elst', 0, 0, u32(edits), many(u32(1, 0, 0x10000), edits * 12)))];
    const mdia = box(
      'mdia',
      full('mdhd', 0, 0, u32(0, 0, 1000, samples * 40, 0)),
      full('hdlr', 0, 0, u32(0), Buffer.from(handler), Buffer.alloc(13)),
      box('minf', stbl),
    );
    return box('trak', full('tkhd', 0, 3, u32(0, 0, id), Buffer.alloc(72)), ...elst, mdia);
  };
  const ids = Array.from({ length: tracks }, (_, i) => i + 1);
  const moov = box(
    'moov',
    full('mvhd', 0, 0, u32(0, 0, 1000, samples * 40), Buffer.alloc(80)),
    ...ids.map(trak),
    ...more,
  );
  return Buffer.concat([box('ftyp', Buffer.from('isom\0\0\0\0isom')), box('mdat', Buffer.alloc(64)), moov]);
}

const MEDIA_AT = 32;
export const table = (type: string, entry: Buffer, count: number) =>
  full(type, 0, 0, u32(count), many(entry, count * entry.length));
const plain = (samples: number) => [
  table('stts', u32(samples, 40), 1),
  table('stsc', u32(1, samples, 1), 1),
  full('stsz', 0, 0, u32(0 + 1, samples)),
  table('stco', u32(MEDIA_AT), 1),
];
const without = (type: string, samples: number) =>
  plain(samples).filter(part => part.toString('latin1', 4, 8) !== type);

/** An FLV file of these tags. */
function flv(...tags: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1'), ...tags]);
}

export function flvTag(type: number, time: number, data: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(data.length, 1, 3);
  head.writeUIntBE(time % 0x1000000, 4, 3);
  return Buffer.concat([head, data, u32(11 + data.length)]);
}

const text = (value: string) =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
const script = (value: Buffer) => flvTag(18, 0, Buffer.concat([Buffer.from([2]), text('onMetaData'), value]));
const nothing = Buffer.from([0, 0, 5]);
const keyFrame = (time: number) => flvTag(9, time, Buffer.from([0x17, 1, 0, 0, 0, 0]));

/** An object in an object, and so on, with `size` bytes of empty properties in the innermost. */
function nested(size: number): Buffer {
  let value = Buffer.concat([Buffer.from([3]), many(nothing, size), Buffer.from([0, 0, 9])]);
  for (let depth = 0; depth < 14; depth++)
    value = Buffer.concat([Buffer.from([3]), text('a'), value, Buffer.from([0, 0, 9])]);
  return value;
}

export const HOSTILE: readonly HostileFamily[] = [
  { name: 'fmp4: sidx of sidx', make: sidxOfSidx },
  { name: 'fmp4: tree of sidx', make: sidxTree },
  { name: 'fmp4: many sidx', make: size => fragmented(many(sidx(0, [0, 0, 0], 0), size)) },
  { name: 'fmp4: empty boxes', make: size => fragmented(many(box('free'), size)) },
  { name: 'fmp4: empty boxes between fragments', make: size => fragmented(lastFragment, many(box('free'), size)) },
  {
    name: 'fmp4: small fragments',
    make: size => fragmented(many(moof(tfdt(0), full('trun', 0, 0x201, u32(1, 64, 0))), size)),
  },
  {
    name: 'fmp4: small fragments without times',
    make: size => fragmented(many(moof(full('trun', 0, 0x200, u32(1, 0))), size)),
  },
  { name: 'fmp4: small fragments without data', make: size => fragmented(many(moof(), size)) },
  {
    name: 'fmp4: fragments of empty track fragments',
    make: size => fragmented(many(box('moof', many(box('traf', full('tfhd', 0, 0, u32(1))), 7000)), size)),
  },
  { name: 'fmp4: large runs', make: size => fragmented(many(moof(tfdt(0), trun(100_000)), size)) },
  { name: 'fmp4: large runs without times', make: size => fragmented(many(moof(trun(100_000)), size)) },
  {
    name: 'fmp4: many runs',
    make: size => fragmented(many(moof(tfdt(0), many(full('trun', 0, 0x201, u32(0, 0)), 20_000)), size)),
  },
  { name: 'fmp4: mfra', make: mfra },
  { name: 'mp4: empty boxes', make: size => Buffer.concat([many(box('free'), size), movie(plain)]) },
  { name: 'mp4: stts', make: size => movie(() => [...without('stts', 1), table('stts', u32(0, 1), size / 8)]) },
  { name: 'mp4: ctts', make: size => movie(samples => [...plain(samples), table('ctts', u32(0, 1), size / 8)]) },
  {
    name: 'mp4: stsz',
    make: size =>
      movie(() => [...without('stsz', 1), full('stsz', 0, 0, u32(0, Math.floor(size / 4)), Buffer.alloc(size))]),
  },
  {
    name: 'mp4: stsc',
    make: size => {
      const count = Math.floor(size / 16);
      const entries = Buffer.alloc(count * 12);
      for (let i = 0; i < count; i++) u32(i + 1, 1, 1).copy(entries, i * 12);
      return movie(() => [
        table('stts', u32(count, 40), 1),
        full('stsc', 0, 0, u32(count), entries),
        full('stsz', 0, 0, u32(1, count)),
        table('stco', u32(MEDIA_AT), count),
      ]);
    },
  },
  {
    name: 'mp4: subs',
    make: size =>
      movie(samples => [...plain(samples), table('subs', Buffer.from([0, 0, 0, 0, 0, 0]), Math.floor(size / 6))]),
  },
  {
    name: 'mp4: sbgp',
    make: size =>
      movie(samples => [
        ...plain(samples),
        full('sbgp', 0, 0, Buffer.from('roll'), u32(size / 8), many(u32(0, 1), size)),
      ]),
  },
  { name: 'mp4: tracks and edits', make: () => movie(plain, { tracks: 127, edits: 1024 }) },
  {
    name: 'mp4: many saiz, saio and subs',
    make: () =>
      movie(samples => [
        ...plain(samples),
        many(
          Buffer.concat([
            full('saiz', 0, 0, Buffer.from([1]), u32(1)),
            full('saio', 0, 0, u32(1, 40)),
            full('subs', 0, 0, u32(0)),
          ]),
          120_000,
        ),
      ]),
  },
  {
    name: 'mp4: udta and meta',
    make: size =>
      movie(plain, {
        more: [
          box('udta', many(box('chpl'), Math.min(size, 40_000))),
          many(box('meta', u32(0), many(box('ilst'), 400)), Math.min(size, 60_000)),
        ],
      }),
  },
  { name: 'flv: smallest tags', make: size => flv(many(flvTag(9, 0, Buffer.from([0x27])), size)) },
  { name: 'flv: key frames', make: size => flv(many(keyFrame(1), size)) },
  {
    name: 'flv: nested script data',
    make: size => flv(many(script(nested(Math.min(size, 4_000_000))), size), keyFrame(0)),
  },
  { name: 'flv: small script data', make: size => flv(many(script(nested(3000)), size), keyFrame(0)) },
  { name: 'flv: large tags', make: size => flv(many(flvTag(9, 0, Buffer.alloc(2100, 0x27)), size)) },
];
