import { box } from './build.js';

/** A QuickTime film of one sound track, whose samples are counted one by one whatever its packets are. */
export interface QuickTimeSound {
  readonly codec: string;
  /** Of the sound sample description. */
  readonly version: 0 | 1 | 2;
  readonly channels: number;
  readonly bits: number;
  readonly rate: number;
  /** Samples and bytes of a packet, as they are. */
  readonly packetSamples: number;
  readonly packetBytes: number;
  /** What a description of version 1 or 2 says of them; as they are when left out. */
  readonly said?: readonly [samples: number, bytes: number];
  /** Size of a sample that `stsz` says. */
  readonly sampleSize: number;
  /** Packets of each chunk. */
  readonly chunks: readonly number[];
}

const u16 = (...values: number[]) => Buffer.concat(values.map(value => Buffer.from([value >> 8, value & 255])));
const u32 = (...values: number[]) => Buffer.concat(values.map(value => u16((value >>> 16) & 0xffff, value & 0xffff)));

function description({
  codec,
  version,
  channels,
  bits,
  rate,
  packetSamples,
  packetBytes,
  said,
}: QuickTimeSound): Buffer {
  const [samples, bytes] = said ?? [packetSamples, packetBytes];
  const head = Buffer.concat([Buffer.alloc(6), u16(1)]);
  if (version === 2) {
    const real = Buffer.alloc(8);
    real.writeDoubleBE(rate);
    const rest = [u32(72), real, u32(channels, 0x7f00_0000, bits, 0xc, bytes, samples)];
    return box(codec, false, head, u16(2, 0, 0, 0, 3, 16, 0xfffe, 0), u32(0x10000), ...rest);
  }
  const common = [u16(version, 0, 0, 0, channels, bits, 0, 0), u32(rate << 16)];
  const long = version === 1 ? [u32(samples, bytes / channels, bytes, 2)] : [];
  return box(codec, false, head, ...common, ...long);
}

/** The bytes of packet `n`; they tell it from the others. */
export function packetOf({ packetBytes }: QuickTimeSound, n: number): Buffer {
  return Buffer.from(Array.from({ length: packetBytes }, (_, i) => (n * 37 + (n >> 7) * 11 + i * 5) & 0xff));
}

/** Writes the film: media, then the movie box. */
export function quickTimeSound(sound: QuickTimeSound): Buffer {
  const { rate, packetSamples, packetBytes, sampleSize, chunks } = sound;
  const packets = chunks.reduce((sum, count) => sum + count, 0);
  const samples = packets * packetSamples;
  const type = box('ftyp', false, Buffer.from('qt  '), u32(0x200), Buffer.from('qt  '));
  const media = box('mdat', false, ...Array.from({ length: packets }, (_, n) => packetOf(sound, n)));
  let at = type.length + 8;
  const offsets = chunks.map(count => {
    at += count * packetBytes;
    return at - count * packetBytes;
  });
  const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
  const perChunk = chunks.flatMap((count, i) => [i + 1, count * packetSamples, 1]);
  const stbl = box(
    'stbl',
    false,
    box('stsd', false, u32(0, 1), description(sound)),
    box('stts', false, u32(0, 1, samples, 1)),
    box('stsc', false, u32(0, chunks.length, ...perChunk)),
    box('stsz', false, u32(0, sampleSize, samples)),
    box('stco', false, u32(0, chunks.length, ...offsets)),
  );
  const dinf = box('dinf', false, box('dref', false, u32(0, 1), box('alis', false, u32(1))));
  const minf = box('minf', false, box('smhd', false, u32(0, 0)), dinf, stbl);
  const mdhd = box('mdhd', false, u32(0, 0, 0, rate, samples, 0));
  const mdia = box('mdia', false, mdhd, box('hdlr', false, u32(0), Buffer.from('mhlrsoun'), Buffer.alloc(13)), minf);
  const duration = Math.floor((samples * 600) / rate);
  const tkhd = box('tkhd', false, u32(15, 0, 0, 1, 0, duration, 0, 0, 0, 0x100_0000), matrix, u32(0, 0));
  const mvhd = box(
    'mvhd',
    false,
    u32(0, 0, 0, 600, duration, 0x10000),
    u16(0x100),
    Buffer.alloc(10),
    matrix,
    Buffer.alloc(24),
    u32(2),
  );
  return Buffer.concat([type, media, box('moov', false, mvhd, box('trak', false, tkhd, mdia))]);
}
