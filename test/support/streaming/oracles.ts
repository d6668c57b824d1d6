import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { complaints, type MediaFolder } from '../ffmpeg.js';
import type { Packaged, Rendition, Segment } from './packaged.js';

const run = promisify(execFile);
const LARGE = 256 << 20;

/** A packet as ffprobe reads it. Seconds. */
interface ProbedPacket {
  readonly pts: number;
  readonly dts: number;
  readonly duration: number;
  readonly key: boolean;
  readonly size: number;
  /** SHA-256 of its data. */
  readonly hash: string;
}

/** A stream as ffprobe reads it. */
export interface ProbedStream {
  readonly kind: string;
  /** Seconds of a tick. */
  readonly tick: number;
  /** In the order of decoding. */
  readonly packets: readonly ProbedPacket[];
}

/** All streams of a file or of an address. */
export async function probeStreams(path: string, ...options: readonly string[]): Promise<ProbedStream[]> {
  const entries =
    'stream=index,codec_type,time_base:stream_disposition=attached_pic:packet=stream_index,pts_time,dts_time,duration_time,flags,size,data_hash';
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-of', 'json', '-show_data_hash', 'sha256', '-show_entries', entries, ...options, path],
    { maxBuffer: LARGE },
  );
  const { streams, packets } = JSON.parse(stdout) as {
    streams: { index: number; codec_type: string; time_base: string }[];
    packets: (Record<'pts_time' | 'dts_time' | 'duration_time' | 'flags' | 'size' | 'data_hash', string> & {
      stream_index: number;
    })[];
  };
  return streams.map(({ index, codec_type, time_base }) => {
    const [num = 1, den = 1] = time_base.split('/').map(Number);
    const mine = packets.filter(packet => packet.stream_index === index);
    const times = mine.map(({ pts_time }) => Number(pts_time));
    // Where nothing tells, each lasts until the next, and the last as long as the one before it.
    const gap = (i: number) => times[i + 1]! - times[i]!;
    const lasting = (i: number) => Math.abs((i + 1 < times.length ? gap(i) : gap(i - 1)) || 0);
    return {
      kind: codec_type,
      tick: num / den,
      packets: mine.map(({ dts_time, duration_time, flags, size, data_hash }, i) => ({
        ...{
          pts: times[i]!,
          dts: Number(dts_time ?? times[i]),
          duration: Number(duration_time ?? lasting(i)),
          key: flags.startsWith('K'),
        },
        ...{ size: Number(size), hash: data_hash },
      })),
    };
  });
}

/** A track of a packaged film, as ffprobe reads its init segment and all of its segments one after the other. */
export interface ProbedRendition extends ProbedStream {
  readonly rendition: Rendition;
}

/** Has ffprobe read the renditions. */
export async function probeRenditions({ renditions }: Packaged, folder: MediaFolder): Promise<ProbedRendition[]> {
  return Promise.all(
    renditions.map(async rendition => {
      const whole = Buffer.concat([rendition.init, ...rendition.segments.map(({ bytes }) => bytes)]);
      const [stream, ...more] = await probeStreams(await folder.write(whole, 'mp4'));
      assert.ok(stream !== undefined && more.length === 0, `${rendition.url} is one track`);
      return { ...stream, rendition };
    }),
  );
}

/** Seconds that one moment may be apart in two files: a tick of a movie’s timescale, which edit lists are told in. */
const SKEW = 0.0011;

/**
 * Oracle 1: the packets of the source, each track in order and whole, off by one time for all of them.
 * @param omitted tracks, perhaps of other kinds, that the playlist says are left out
 * @returns that time: what is to be added to a second of the source
 */
export function assertSamePackets(
  source: readonly ProbedStream[],
  probed: readonly ProbedRendition[],
  omitted = 0,
): number {
  const media = source.filter(({ kind, packets }) => /^(video|audio)$/.test(kind) && packets.length > 0);
  const left = new Set(media);
  let shift: number | undefined;
  for (const { rendition, packets } of probed) {
    const same = [...left].find(
      stream => stream.packets[0]?.hash === packets[0]?.hash && stream.packets.length === packets.length,
    );
    const candidates = media.map(({ kind, packets }) => `${kind} of ${packets.length}`).join(', ');
    assert.ok(same, `${rendition.url} has ${packets.length} packets of ${rendition.kind}, the source ${candidates}`);
    left.delete(same);
    for (const [i, packet] of packets.entries()) {
      const expected: ProbedPacket = same.packets[i]!;
      assert.equal(packet.hash, expected.hash, `packet ${i} of ${rendition.url}`);
      shift ??= packet.pts - expected.pts;
      const off = packet.pts - expected.pts - shift;
      assert.ok(Math.abs(off) <= SKEW, `packet ${i} of ${rendition.url} is ${off.toFixed(6)} s off`);
    }
  }
  const missing = [...left].map(({ kind, packets }) => `${kind} of ${packets.length} packets`);
  assert.ok(missing.length <= omitted, `not packaged: ${missing.join(', ')}`);
  return shift!;
}

/** The number of a rendition's file in its set, from 0; 0 for a film on its own. */
export function fileOf({ url }: Rendition): number {
  return Number(/\/f(\d+)-[va]\d+\b/.exec(url)?.[1] ?? 1) - 1;
}

/**
 * Oracle 1 for clips and sets: each track has packets that follow each other in the same file, off by one time for all
 * tracks of it.
 * @param files streams of each file
 */
export function assertPartOfPackets(
  files: readonly (readonly ProbedStream[])[],
  probed: readonly ProbedRendition[],
): void {
  const shifts = new Map<number, number>();
  for (const { rendition, packets } of probed) {
    const file = fileOf(rendition);
    const streams = files[file]!.filter(({ kind }) => kind === rendition.kind);
    const found = streams.flatMap(stream =>
      stream.packets.flatMap((_, at) => {
        const same = packets.every(({ hash }, i) => stream.packets[at + i]?.hash === hash);
        return same ? [stream.packets.slice(at, at + packets.length)] : [];
      }),
    );
    const known = shifts.get(file);
    const isInTime = (part: readonly ProbedPacket[]) =>
      packets.every(({ pts }, i) => Math.abs(pts - part[i]!.pts - (known ?? packets[0]!.pts - part[0]!.pts)) <= SKEW);
    assert.ok(found.length > 0, `the ${packets.length} packets of ${rendition.url} are in its file, in order`);
    const part = found.find(isInTime);
    const off = found.map(each => packets[0]!.pts - each[0]!.pts - (known ?? 0));
    assert.ok(part, `${rendition.url} is off by ${off} s from other tracks of its file, or goes off`);
    if (known === undefined) shifts.set(file, packets[0]!.pts - part[0]!.pts);
  }
}

/** Hashes of the decoded frames of one stream, in order of presentation. */
export async function frameHashes(path: string, map: string, ...options: readonly string[]): Promise<string[]> {
  const format = map.includes('a')
    ? ['-f', 'framemd5', '-c:a', 'pcm_s16le']
    : ['-f', 'framemd5', '-fps_mode', 'passthrough'];
  const { stdout, stderr } = await run(
    'ffmpeg',
    ['-nostdin', '-v', 'error', '-threads', '1', ...options, '-i', path, '-map', map, ...format, '-'],
    { maxBuffer: LARGE },
  );
  assert.equal(stderr, '', `${path}: ${stderr}`);
  return stdout
    .split('\n')
    .flatMap(line => (line === '' || line.startsWith('#') ? [] : [line.split(',').at(-1)!.trim()]));
}

/** Frames of sound at the beginning that only prime the decoder, which demuxers of playlists may show or lack. */
const PRIMING = 3;

/** Oracle 2: another's client of HLS or DASH decodes the frames that it decodes of the source. */
export async function assertSameFrames(
  source: string,
  url: string,
  map = '0:v:0',
  options: readonly string[] = [],
): Promise<void> {
  const [expected, found] = await Promise.all([frameHashes(source, map, ...options), frameHashes(url, map)]);
  if (map.includes('v')) {
    assert.deepEqual(found, expected, `pictures of ${url}`);
    return;
  }
  // What the priming is depends on who reads it, and so does what a decoder gives until it is primed.
  const tail = expected.slice(PRIMING);
  const at = found.indexOf(tail[0]!);
  assert.ok(at >= 0 && at <= 2 * PRIMING, `sound of ${url} begins as the source's`);
  assert.deepEqual(found.slice(at, at + tail.length), tail, `sound of ${url}`);
}

/** Oracle 2 for clips: the pictures that the file has there. */
export async function assertPartOfPictures(source: string, url: string): Promise<void> {
  const [expected, whole] = await Promise.all([frameHashes(source, '0:v:0'), frameHashes(url, '0:v:0')]);
  // Pictures that lean on one behind the end have that behind them.
  const found = whole.slice(0, -REORDERED);
  const at = expected.indexOf(found[0]!);
  assert.ok(found.length > 5 && at >= 0, `${url} begins with a picture of the file, and has ${found.length}`);
  assert.deepEqual(found, expected.slice(at, at + found.length), `pictures of ${url}`);
  const behind = whole.slice(found.length).map(hash => expected.indexOf(hash, at));
  assert.ok(
    behind.every((place, i) => place > (behind[i - 1] ?? at)),
    `the end of ${url}`,
  );
}

/** Pictures that may stand behind the last one of a clip, since others lean on them. */
const REORDERED = 3;

/** Oracle 3: each segment decodes alone behind its init segment. */
export async function assertEachDecodes({ renditions }: Packaged, folder: MediaFolder): Promise<void> {
  for (const { init, segments, url } of renditions) {
    const paths: string[] = [];
    for (const { bytes } of segments) paths.push(await folder.write(Buffer.concat([init, bytes]), 'mp4'));
    for (let at = 0; at < paths.length; at += BATCH)
      assert.equal(await complaints(...paths.slice(at, at + BATCH)), '', `segments from ${at} on of ${url}`);
  }
}

const BATCH = 16;

/** Pictures at the end by whose distances the last one may last, where none lasts as long as another. */
const GOP = 8;

/** Seconds by which a duration in a playlist may differ from that of its media, as decimals are rounded. */
const ROUNDING = 0.001;

/**
 * How a manifest counts the time of segments: HLS by decoding (`tfdt`), since its players know of no edit list, DASH
 * and `sidx` by presentation.
 */
export type Timeline = 'decoding' | 'presentation';

/** Where each segment begins, as its packets tell, and where the last one ends. */
function boundariesOf({ rendition, packets }: ProbedRendition, timeline: Timeline): number[] {
  const counts = sampleCounts(rendition);
  const begins: number[] = [];
  let at = 0;
  for (const count of counts) {
    const mine = packets.slice(at, at + count);
    assert.equal(mine.length, count, `${rendition.url} has the packets that its moof boxes tell of`);
    // What comes before 0 primes the decoder, and is not shown.
    const shown = () => Math.max(0, Math.min(...mine.map(({ pts }) => pts)));
    begins.push(timeline === 'decoding' ? mine[0]!.dts : shown());
    at += count;
  }
  assert.equal(at, packets.length, `samples of ${rendition.url}`);
  const ends = packets.map(({ pts, dts, duration }) => (timeline === 'decoding' ? dts : pts) + duration);
  return [...begins, Math.max(...ends)];
}

/** Samples of each segment. */
export function sampleCounts({ segments }: Rendition): number[] {
  return segments.map(({ bytes }) => sampleCount(bytes));
}

/** Samples of all track runs of a segment. */
function sampleCount(segment: Buffer): number {
  let count = 0;
  for (const moof of boxesIn(segment, 0, segment.length, 'moof'))
    for (const traf of boxesIn(segment, moof.body, moof.end, 'traf'))
      for (const trun of boxesIn(segment, traf.body, traf.end, 'trun')) count += segment.readUInt32BE(trun.body + 4);
  return count;
}

/** Boxes of a type in `[from, to)`. */
function boxesIn(bytes: Buffer, from: number, to: number, type: string): { at: number; body: number; end: number }[] {
  const found = [];
  for (let at = from; at < to; ) {
    const size = bytes.readUInt32BE(at);
    assert.ok(size >= 8 && at + size <= to, `a box of ${size} bytes at ${at}`);
    if (bytes.toString('latin1', at + 4, at + 8) === type) found.push({ at, body: at + 8, end: at + size });
    at += size;
  }
  return found;
}

/**
 * Oracle 4, times: what a manifest says of durations is so, segment by segment and in sum.
 * @param durations seconds, as it says
 */
export function assertLasting(found: ProbedRendition, durations: readonly number[], timeline: Timeline): void {
  const { url } = found.rendition;
  const boundaries = boundariesOf(found, timeline);
  assert.equal(durations.length, boundaries.length - 1, `segments of ${url}`);
  // How long the last packet lasts is told by the file, by its edit list and by the codec, which differ.
  const ends = found.packets
    .map(({ pts }) => pts)
    .sort((a, b) => a - b)
    .slice(-GOP);
  const gaps = ends.slice(1).map((pts, i) => pts - ends[i]!);
  const last = ROUNDING + Math.max(...gaps, ...found.packets.map(packet => packet.duration));
  for (const [i, duration] of durations.entries()) {
    const real = boundaries[i + 1]! - boundaries[i]!;
    const tolerance = i === durations.length - 1 ? last : ROUNDING;
    assert.ok(Math.abs(duration - real) <= tolerance, `segment ${i} of ${url} lasts ${real} s, not ${duration} s`);
  }
  const whole = boundaries.at(-1)! - boundaries[0]!;
  const rounding = ROUNDING * durations.length + last;
  assert.ok(Math.abs(sum(durations) - whole) <= rounding, `${url} lasts ${whole} s, not ${sum(durations)} s`);
}

/** The same of playlists, whose EXT-X-TARGETDURATION is as RFC 8216 section 4.3.3.1 has it. */
export function assertDurations(probed: readonly ProbedRendition[]): void {
  for (const found of probed) {
    const { segments, playlist, url } = found.rendition;
    const durations = segments.map(({ duration }) => duration);
    assertLasting(found, durations, playlist === undefined ? 'presentation' : 'decoding');
    if (playlist === undefined) continue;
    const longest = Math.max(...segments.map(({ duration }) => Math.round(duration)));
    assert.ok(playlist.targetDuration! >= longest, `${url}: ${playlist.targetDuration} s, segments of ${longest} s`);
    assert.ok(
      playlist.targetDuration! <= longest + 1,
      `${url}: ${playlist.targetDuration} s, segments of ${longest} s`,
    );
    assert.equal(playlist.endList, true, `${url} ends`);
  }
}

/**
 * Bits a second of a rendition: on average, and of those segments in a row that last half to one and a half times
 * `target` seconds and have most (RFC 8216 section 4.1).
 */
export function bitratesOf(
  { segments }: Rendition,
  target: number,
): { readonly peak: number; readonly average: number } {
  const rate = (part: readonly Segment[]) =>
    (sum(part.map(({ bytes }) => bytes.length)) * 8) / sum(part.map(({ duration }) => duration));
  let peak = 0;
  for (let from = 0; from < segments.length; from++) {
    for (let to = from + 1; to <= segments.length; to++) {
      const part = segments.slice(from, to);
      const duration = sum(part.map(segment => segment.duration));
      if (duration > target * 1.5) break;
      if (duration >= target / 2) peak = Math.max(peak, rate(part));
    }
  }
  const average = rate(segments);
  return { peak: peak || average, average };
}

/** Oracle 4, rates: BANDWIDTH and AVERAGE-BANDWIDTH of a variant are within 10 % of what was measured. */
export function assertBandwidth({ renditions }: Packaged): void {
  for (const rendition of renditions) {
    const parts = [rendition];
    const { url, playlist } = rendition;
    const { BANDWIDTH: peak, 'AVERAGE-BANDWIDTH': average, AUDIO: group } = rendition.attributes;
    const target = playlist?.targetDuration ?? Math.max(...rendition.segments.map(({ duration }) => duration));
    // Members of groups have no rate of their own.
    if (peak === undefined) continue;
    const sounds = renditions.filter(other => group !== undefined && other.attributes.GROUP === group);
    const loudest = sounds.sort((a, b) => bitratesOf(b, target).peak - bitratesOf(a, target).peak)[0];
    if (loudest !== undefined) parts.push(loudest);
    near(Number(peak), sum(parts.map(part => bitratesOf(part, target).peak)), `BANDWIDTH of ${url}`);
    if (average !== undefined)
      near(Number(average), sum(parts.map(part => bitratesOf(part, target).average)), `AVERAGE-BANDWIDTH of ${url}`);
  }
}

function near(told: number, measured: number, what: string): void {
  assert.ok(Math.abs(told / measured - 1) <= 0.1, `${what} is ${told}, measured ${measured.toFixed(0)}`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
