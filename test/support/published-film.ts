import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { RtmpPublisher } from './rtmp-publisher.js';
import { sampleEntries } from './sample-entries.js';

const run = promisify(execFile);

/** What a publisher sends of a film: data of a tag of FLV. */
export interface PublishedTag {
  readonly type: 8 | 9;
  /** Milliseconds. */
  readonly timestamp: number;
  readonly data: Buffer;
}

/** A film as a publisher that speaks Enhanced RTMP sends it. */
export interface PublishedFilm {
  /** Configurations of the codecs. */
  readonly headers: readonly PublishedTag[];
  readonly frames: readonly PublishedTag[];
  /** Packets of each track as `packetsOf` tells them of what becomes of it. */
  readonly packets: Readonly<Record<'v' | 'a', readonly string[]>>;
}

interface ProbedPacket {
  readonly pts_time: string;
  readonly dts_time: string;
  readonly flags: string;
  readonly data_hash: string;
  readonly pos?: string;
  readonly size: string;
}

const ms = (time: string) => Math.round(Number(time) * 1000);

async function probed(file: string, track: 'v' | 'a'): Promise<ProbedPacket[]> {
  const entries = 'packet=pts_time,dts_time,flags,data_hash,pos,size';
  const options = ['-v', 'error', '-select_streams', track, '-show_data_hash', 'md5', '-of', 'json'];
  // Edit lists cut what a publisher sends.
  if (file.endsWith('.mp4')) options.push('-ignore_editlist', '1');
  const { stdout } = await run('ffprobe', [...options, '-show_entries', entries, file], { maxBuffer: 1 << 26 });
  return (JSON.parse(stdout) as { packets: ProbedPacket[] }).packets;
}

/** Packets of a file's track: times of decoding and presentation in milliseconds, whether it is a key frame, a hash. */
export async function packetsOf(file: string, track: 'v' | 'a'): Promise<string[]> {
  const packets = await probed(file, track);
  return packets.map(({ pts_time, dts_time, flags, data_hash }) =>
    packetText(ms(dts_time), ms(pts_time), flags.startsWith('K'), data_hash),
  );
}

function packetText(dts: number, pts: number, isKey: boolean, hash: string): string {
  return `${dts} ${pts} ${isKey ? 'K' : '_'} ${hash}`;
}

/** The same packets, as many milliseconds later. */
export function shifted(packets: readonly string[], milliseconds: number): string[] {
  return packets.map(packet => {
    const [dts = '', pts = '', ...rest] = packet.split(' ');
    return [Number(dts) + milliseconds, Number(pts) + milliseconds, ...rest].join(' ');
  });
}

/** Codecs by their sample entries: the box of the configuration, and how many bytes of a full box stand before it. */
const VIDEO: Readonly<Record<string, { readonly box: string; readonly skip: number; readonly isComposed: boolean }>> = {
  avc1: { box: 'avcC', skip: 0, isComposed: true },
  hvc1: { box: 'hvcC', skip: 0, isComposed: true },
  av01: { box: 'av1C', skip: 0, isComposed: false },
  vp09: { box: 'vpcC', skip: 4, isComposed: false },
};

/**
 * Reads an MP4 file that ffmpeg made, not fragmented, as packets of Enhanced RTMP v2 (veovera): FourCC headers for all
 * codecs, with a composition time where it is not 0 (CodedFrames), and without one elsewhere (CodedFramesX).
 */
export async function publishedFilm(file: string): Promise<PublishedFilm> {
  const bytes = await readFile(file);
  const entries = sampleEntries(bytes);
  const headers: PublishedTag[] = [];
  const frames: PublishedTag[] = [];
  const tracks: Record<'v' | 'a', ProbedPacket[]> = { v: [], a: [] };
  for (const { handler } of entries) {
    const track = handler === 'vide' ? 'v' : 'a';
    tracks[track] = await probed(file, track);
  }
  const least = Math.min(...Object.values(tracks).flatMap(packets => packets.map(({ dts_time }) => ms(dts_time))));
  const packets: Record<'v' | 'a', string[]> = { v: [], a: [] };
  for (const { handler, entry } of entries) {
    const isVideo = handler === 'vide';
    const fourcc = Buffer.from(entry.subarray(4, 8));
    const codec = fourcc.toString('latin1');
    const [type, track] = isVideo ? ([9, 'v'] as const) : ([8, 'a'] as const);
    const head = (packet: number, isKey: boolean) =>
      Buffer.concat([Buffer.of(isVideo ? 0x80 | ((isKey ? 1 : 2) << 4) | packet : 0x90 | packet), fourcc]);
    const config = isVideo ? videoConfig(Buffer.from(entry), codec) : soundConfig(Buffer.from(entry), codec);
    headers.push({ type, timestamp: 0, data: Buffer.concat([head(0, true), config]) });
    for (const { dts_time, pts_time, flags, pos, size, data_hash } of tracks[track]) {
      const [dts, pts] = [ms(dts_time) - least, ms(pts_time) - least];
      const isKey = flags.startsWith('K');
      const data = bytes.subarray(Number(pos), Number(pos) + Number(size));
      const isComposed = isVideo && VIDEO[codec]!.isComposed && pts !== dts;
      const composition = Buffer.of((pts - dts) >> 16, (pts - dts) >> 8, pts - dts);
      const [packet, ...before] = isComposed ? [1, composition] : [isVideo && VIDEO[codec]!.isComposed ? 3 : 1];
      frames.push({ type, timestamp: dts, data: Buffer.concat([head(packet, isKey), ...before, data]) });
      const hash = `MD5:${createHash('md5').update(data).digest('hex')}`;
      if (hash !== data_hash) throw new Error(`${file} does not have its packets where ffprobe says`);
      packets[track].push(packetText(dts, pts, isKey, hash));
    }
  }
  frames.sort((a, b) => a.timestamp - b.timestamp || b.type - a.type);
  return { headers, frames, packets };
}

/** Sends a film again and again, by its timestamps, in real time. */
export function publishInTime(publisher: RtmpPublisher, { headers, frames }: PublishedFilm): NodeJS.Timeout {
  const begun = performance.now();
  const lasts = frames.at(-1)!.timestamp + 40;
  let count = 0;
  for (const { type, data } of headers) publisher.media(type, 0, data);
  return setInterval(() => {
    for (; ; count++) {
      const { type, timestamp, data } = frames[count % frames.length]!;
      const time = timestamp + Math.floor(count / frames.length) * lasts;
      if (time > performance.now() - begun) return;
      publisher.media(type, time, data);
    }
  }, 10);
}

/** What stands in a box of a sample entry. */
function boxIn(entry: Buffer, type: string): Buffer {
  const at = entry.indexOf(type, 8, 'latin1');
  if (at < 0) throw new Error(`a sample entry without ${type}`);
  return entry.subarray(at + 4, at - 4 + entry.readUInt32BE(at - 4));
}

function videoConfig(entry: Buffer, codec: string): Buffer {
  const { box, skip } = VIDEO[codec]!;
  return boxIn(entry, box).subarray(skip);
}

/** AudioSpecificConfig of AAC, or the identification header of Opus (RFC 7845 section 5.1), whose box is big-endian. */
function soundConfig(entry: Buffer, codec: string): Buffer {
  if (codec === 'mp4a') {
    const esds = boxIn(entry, 'esds');
    // DecoderSpecificInfo, whose length has four bytes.
    const at = esds.indexOf(Buffer.of(5, 0x80, 0x80, 0x80));
    return esds.subarray(at + 5, at + 5 + esds[at + 4]!);
  }
  const box = boxIn(entry, 'dOps');
  const head = Buffer.alloc(19);
  head.write('OpusHead', 'latin1');
  head[8] = 1;
  head[9] = box[1]!;
  head.writeUInt16LE(box.readUInt16BE(2), 10);
  head.writeUInt32LE(box.readUInt32BE(4), 12);
  head.writeInt16LE(box.readInt16BE(8), 16);
  return head;
}
