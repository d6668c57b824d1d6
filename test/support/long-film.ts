/** Long films without an index, as they come from recorders: gigabytes, of which only what readers look at is there. */
import type { ByteSource } from '../../src/base/byte-source.js';
import { EdgeError } from '../../src/base/errors.js';
import { box, makeHead, TIMESCALES, u32 } from './fmp4.js';
import { flvTag, full, movie, table } from './hostile.js';

const HOUR = 3600;

/** Bytes that stand somewhere in each period of a film; the rest of it are zeros. */
interface Piece {
  /** Bytes from the beginning of the period. */
  readonly at: number;
  readonly length: number;
  make(period: number): Buffer;
}

/** A head, and then periods that are alike but for their times. */
class PeriodicFilm implements ByteSource {
  readonly size: number;
  reads = 0;

  constructor(
    private readonly head: Buffer,
    private readonly count: number,
    private readonly period: number,
    private readonly pieces: readonly Piece[],
  ) {
    this.size = head.length + count * period;
  }

  read(offset: number, length: number): Uint8Array {
    this.reads++;
    const end = offset + length;
    if (offset < 0 || end > this.size) throw new EdgeError('unplayable', `bytes ${offset} to ${end} of ${this.size}`);
    const bytes = new Uint8Array(length);
    const put = (at: number, part: Uint8Array) => {
      const [from, to] = [Math.max(at, offset), Math.min(at + part.length, end)];
      if (from < to) bytes.set(part.subarray(from - at, to - at), from - offset);
    };
    put(0, this.head);
    const first = Math.max(0, Math.floor((offset - this.head.length) / this.period));
    for (let i = first; i < this.count && this.head.length + i * this.period < end; i++) {
      const start = this.head.length + i * this.period;
      let low = 0;
      for (let high = this.pieces.length; low < high; ) {
        const middle = (low + high) >> 1;
        const { at, length: size } = this.pieces[middle]!;
        if (start + at + size <= offset) low = middle + 1;
        else high = middle;
      }
      for (; low < this.pieces.length && start + this.pieces[low]!.at < end; low++)
        put(start + this.pieces[low]!.at, this.pieces[low]!.make(i));
    }
    return bytes;
  }
}

/**
 * Fragmented MP4 of two tracks in each `moof`, without `sidx` and `mfra`.
 * @param frames pictures of a fragment, 25 a second
 * @param bitrate bits per second
 * @param tables whether the decoding times are left out, so that the index must hold every fragment
 */
export function longFragments(hours: number, frames: number, bitrate: number, tables = false): ByteSource {
  const milliseconds = frames * 40;
  const ticks = TIMESCALES.map(timescale => (milliseconds * timescale) / 1000);
  const stride = Math.floor((bitrate / 8 / 1000) * milliseconds);
  const sound = frames * 2 * 40;
  const make = (sync: boolean, length: number) => {
    const media = stride - length - 8;
    const traf = (track: number, samples: number, first: number, at: number) => {
      const entries = Array.from({ length: samples }, () => [ticks[track]! / samples, 40]).flat();
      entries[1] = first;
      const time = tables ? [] : [full('tfdt', 0, 0, u32(0))];
      const trun = full('trun', 0, 0x305, u32(samples, at, sync || track > 0 ? 0 : 0x10000), u32(...entries));
      return box('traf', full('tfhd', 0, 0x20020, u32(track + 1, 0x10000)), ...time, trun);
    };
    return box(
      'moof',
      full('mfhd', 0, 0, u32(1)),
      traf(0, frames, media - sound - (frames - 1) * 40, length + 8),
      traf(1, frames * 2, 40, stride - sound),
    );
  };
  const templates = [true, false].map(sync => {
    const moof = make(sync, make(sync, 0).length);
    const bytes = Buffer.concat([moof, u32(stride - moof.length), Buffer.from('mdat')]);
    const first = bytes.indexOf('tfdt');
    return { bytes, times: tables ? [] : [first + 8, bytes.indexOf('tfdt', first + 1) + 8] };
  });
  const fragment = (i: number) => {
    const { bytes, times } = templates[i % 4 === 0 ? 0 : 1]!;
    for (const [track, at] of times.entries()) bytes.writeUInt32BE(i * ticks[track]!, at);
    return bytes;
  };
  const pieces = [{ at: 0, length: templates[0]!.bytes.length, make: fragment }];
  return new PeriodicFilm(makeHead([1, 2], 0), Math.floor((hours * HOUR * 1000) / milliseconds), stride, pieces);
}

/** FLV without a key-frame table: 25 pictures and 43 frames of sound a second, a key frame every second. */
function longFlv(hours: number, bitrate: number): ByteSource {
  const head = Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1');
  const sound = 300;
  const picture = Math.floor((bitrate / 8 - 43 * (sound + 15)) / 25) - 15;
  const pieces: Piece[] = [];
  let at = 0;
  const add = (type: number, time: number, first: readonly number[], size: number) => {
    const head = flvTag(type, 0, Buffer.from(first)).subarray(0, 11 + first.length);
    head.writeUIntBE(size, 1, 3);
    const make = (period: number) => {
      const stamp = period * 1000 + time;
      head.writeUIntBE(stamp % 0x1000000, 4, 3);
      head[7] = Math.floor(stamp / 0x1000000);
      return head;
    };
    pieces.push({ at, length: head.length, make });
    at += 11 + size;
    const trailer = u32(11 + size);
    pieces.push({ at, length: 4, make: () => trailer });
    at += 4;
  };
  const tags = [
    ...Array.from({ length: 25 }, (_, i) => ({ time: i * 40, picture: true })),
    ...Array.from({ length: 43 }, (_, i) => ({ time: Math.floor((i * 1000) / 43), picture: false })),
  ].sort((a, b) => a.time - b.time || Number(b.picture) - Number(a.picture));
  for (const tag of tags) {
    if (tag.picture) add(9, tag.time, [tag.time === 0 ? 0x17 : 0x27, 1, 0, 0, 0], picture);
    else add(8, tag.time, [0xaf, 1], sound);
  }
  return new PeriodicFilm(head, hours * HOUR, at, pieces);
}

/** A movie in memory whose media are zeros behind it. */
class FrontedFilm implements ByteSource {
  readonly size: number;
  reads = 0;

  constructor(
    private readonly movie: Buffer,
    media: number,
  ) {
    this.size = movie.length + media;
  }

  read(offset: number, length: number): Uint8Array {
    this.reads++;
    if (offset < 0 || offset + length > this.size)
      throw new EdgeError('unplayable', `bytes ${offset}+${length} of ${this.size}`);
    const bytes = new Uint8Array(length);
    bytes.set(this.movie.subarray(offset, offset + length));
    return bytes;
  }
}

/** Words, most significant byte first. */
function words(count: number, word: (i: number) => number): Buffer {
  const bytes = Buffer.allocUnsafe(count * 4);
  for (let i = 0; i < count; i++) bytes.writeUInt32BE(word(i) >>> 0, i * 4);
  return bytes;
}

/** Progressive MP4 of 50 pictures a second, each of them a chunk with a time and an offset of its own. */
function longProgressive(hours: number): ByteSource {
  const samples = hours * HOUR * 50;
  const film = movie(
    () => [
      full(
        'stts',
        0,
        0,
        u32(samples),
        words(samples * 2, i => (i % 2 === 0 ? 1 : 19 + ((i >> 1) & 1) * 2)),
      ),
      full(
        'ctts',
        0,
        0,
        u32(samples),
        words(samples * 2, i => (i % 2 === 0 ? 1 : (i >> 1) & 1)),
      ),
      full(
        'stss',
        0,
        0,
        u32(Math.ceil(samples / 100)),
        words(Math.ceil(samples / 100), i => i * 100 + 1),
      ),
      table('stsc', u32(1, 1, 1), 1),
      full(
        'stsz',
        0,
        0,
        u32(0, samples),
        words(samples, i => 1000 + (i & 7)),
      ),
      full(
        'co64',
        0,
        0,
        u32(samples),
        words(samples * 2, i =>
          i % 2 === 0 ? Math.floor(((i >> 1) * 1010 + 2 ** 28) / 2 ** 32) : (i >> 1) * 1010 + 2 ** 28,
        ),
      ),
    ],
    { samples: Math.floor((samples * 20) / 40) },
  );
  return new FrontedFilm(film, samples * 1010 + 2 ** 28);
}

/** An audio book: a frame of sound every 23 ms, 22 of them to a chunk, and 255 chapters. */
function longAudioBook(hours: number): ByteSource {
  const samples = Math.floor((hours * HOUR * 1000) / 23);
  const chunks = Math.ceil(samples / 22);
  const chapters = Array.from({ length: 255 }, (_, i) => {
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(Math.floor((i * hours * HOUR) / 255)) * 10_000_000n);
    return Buffer.concat([time, Buffer.from([7]), Buffer.from('Chapter')]);
  });
  const chpl = full('chpl', 1, 0, Buffer.from([0, 0, 0, 0, 255]), ...chapters);
  const film = movie(
    () => [
      table('stts', u32(samples, 23), 1),
      table('stsc', u32(1, 22, 1), 1),
      full(
        'stsz',
        0,
        0,
        u32(0, samples),
        words(samples, i => 180 + (i & 15)),
      ),
      full(
        'stco',
        0,
        0,
        u32(chunks),
        words(chunks, i => 2 ** 26 + i * 22 * 196),
      ),
    ],
    { samples: Math.floor((samples * 23) / 40), more: [box('udta', chpl)], handler: 'soun' },
  );
  return new FrontedFilm(film, chunks * 22 * 196 + 2 ** 26);
}

/** Films that must be cut, whatever they cost to find the way through. */
export const LONG_FILMS: readonly { readonly name: string; readonly seconds: number; make(): ByteSource }[] = [
  { name: 'FLV of 8 h without a table, 1 Mbit/s', seconds: 8 * HOUR, make: () => longFlv(8, 1e6) },
  { name: 'FLV of 8 h without a table, 256 kbit/s', seconds: 8 * HOUR, make: () => longFlv(8, 256e3) },
  { name: 'fragments of 1 s, 8 h', seconds: 8 * HOUR, make: () => longFragments(8, 25, 1e6) },
  { name: 'fragments of 2 frames, 8 h, 1 Mbit/s', seconds: 8 * HOUR, make: () => longFragments(8, 2, 1e6) },
  { name: 'fragments of 2 frames, 8 h, 500 kbit/s', seconds: 8 * HOUR, make: () => longFragments(8, 2, 500e3) },
  { name: 'fragments of 1 s without times, 8 h', seconds: 8 * HOUR, make: () => longFragments(8, 25, 1e6, true) },
  { name: 'a chunk a frame, 24 h', seconds: 24 * HOUR, make: () => longProgressive(24) },
  { name: 'audio book of 30 h', seconds: 30 * HOUR, make: () => longAudioBook(30) },
];
