import { RefusedSource } from './refused-source.js';
import { runTool, type ToolEnd, type ToolOptions } from './tool.js';

/** Kinds of containers that are taken, by the names of ffmpeg's readers: none that names other files. */
export const CONTAINERS = 'mov,matroska,avi,flv,mpegts,mpeg,ogg,asf,mxf,wtv,dv,rm,m4v,h264,hevc';

/** Most tracks of a file; each costs memory before anything is known of it. */
const TRACKS_MAX = 32;
/** Most pixels of a picture. */
const PIXELS_MAX = 8192 * 4320;
/** Longest film, in seconds. */
const DURATION_MAX = 24 * 3600;
/** Rates that pictures are shown at. */
const RATES = [
  [10, 1],
  [12, 1],
  [15, 1],
  [20, 1],
  [24000, 1001],
  [24, 1],
  [25, 1],
  [30000, 1001],
  [30, 1],
] as const;

/** What a source truly is, as counted. */
export interface SourceFacts {
  /** Number of the video track, among those of the file. */
  readonly video: number;
  /** Number of the sound track; undefined when there is none. */
  readonly audio: number | undefined;
  /** As it is shown, after turning. */
  readonly width: number;
  readonly height: number;
  /** Seconds between the first and the last picture, the last one's own time included. */
  readonly duration: number;
  readonly pictures: number;
  /** Frames a second that are made of it, as a fraction. */
  readonly rate: readonly [number, number];
  readonly isInterlaced: boolean;
  /** True when its brightness goes beyond what usual screens show (PQ or HLG). */
  readonly isHdr: boolean;
  /** What the file says that is not so. */
  readonly remarks: readonly string[];
}

interface Stream {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly sample_aspect_ratio?: string;
  readonly field_order?: string;
  readonly color_transfer?: string;
  readonly nb_frames?: string;
  readonly duration?: string;
  readonly disposition?: { readonly attached_pic?: number; readonly default?: number };
  readonly side_data_list?: readonly { readonly rotation?: number }[];
}

type Limits = Pick<ToolOptions, 'memory' | 'timeout' | 'signal'>;

/**
 * Looks at a file, and counts its pictures: headers lie.
 * @throws RefusedSource when no film can be made of it
 */
export async function sourceFacts(file: string, limits: Limits): Promise<SourceFacts> {
  const { streams, duration: claimed } = await describeFile(file, limits);
  if (streams.length > TRACKS_MAX)
    throw new RefusedSource(`expected at most ${TRACKS_MAX} tracks, found ${streams.length}`);
  const isPicture = ({ codec_type, disposition }: Stream) => codec_type === 'video' && disposition?.attached_pic !== 1;
  const video = preferred(streams.filter(isPicture));
  if (video === undefined) throw new RefusedSource('expected a video, found a file without moving pictures');
  const { width = 0, height = 0 } = video;
  if (width < 16 || height < 16 || width * height > PIXELS_MAX) {
    throw new RefusedSource(`expected pictures of 16 to 8192 pixels, found ${width} × ${height}`);
  }
  const audio = preferred(streams.filter(each => each.codec_type === 'audio' && each.codec_name !== undefined));
  const counted = await countPackets(file, video.index, limits);
  if (counted.count === 0) throw new RefusedSource('expected pictures, found a track without any');
  if (counted.duration > DURATION_MAX) throw new RefusedSource('expected a film of at most 24 hours');
  const isTurned =
    Math.abs(video.side_data_list?.find(each => each.rotation !== undefined)?.rotation ?? 0) % 180 === 90;
  const [across = 1, down = 1] = (video.sample_aspect_ratio ?? '1:1').split(':').map(Number);
  const shown = Math.round(width * (across > 0 && down > 0 ? across / down : 1));
  return {
    video: video.index,
    audio: audio?.index,
    width: isTurned ? height : shown,
    height: isTurned ? shown : height,
    duration: counted.duration,
    pictures: counted.count,
    rate: outputRate(counted.rate),
    isInterlaced: ['tt', 'bb', 'tb', 'bt'].includes(video.field_order ?? ''),
    isHdr: ['smpte2084', 'arib-std-b67'].includes(video.color_transfer ?? ''),
    remarks: remarksOn(claimed, Number(video.nb_frames), counted),
  };
}

/** Packets of a track and how much time they fill, counted; key frames by their times in milliseconds. */
export interface CountedPackets {
  readonly count: number;
  readonly duration: number;
  /** Pictures a second. */
  readonly rate: number;
  readonly keyFrames: readonly number[];
}

/** Counts the packets of a track. @throws RefusedSource when they can't be read */
export async function countPackets(file: string, track: number, limits: Limits): Promise<CountedPackets> {
  let count = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let own = 0;
  const keyFrames: number[] = [];
  const end = await runTool({
    ...limits,
    program: 'ffprobe',
    fileSize: 0,
    args: [
      ...[
        '-v',
        'error',
        '-protocol_whitelist',
        'file',
        '-format_whitelist',
        CONTAINERS,
        '-select_streams',
        String(track),
      ],
      ...['-show_entries', 'packet=pts_time,dts_time,duration_time,flags', '-of', 'csv=p=0', file],
    ],
    line(line) {
      const [pts = '', dts = '', duration = '', flags = ''] = line.split(',');
      const time = Number.parseFloat(pts === 'N/A' ? dts : pts);
      // Lines without a packet stand between those of some containers.
      if (!Number.isFinite(time) || flags.includes('D')) return true;
      count += 1;
      first = Math.min(first, time);
      if (time >= last) own = Number(duration) || 0;
      last = Math.max(last, time);
      if (flags.startsWith('K') && keyFrames.length < 1_000_000) keyFrames.push(Math.round(time * 1000));
      return true;
    },
  });
  refuseUnread(end);
  if (count === 0) return { count, duration: 0, rate: 0, keyFrames };
  const span = last - first;
  const rate = span > 0 ? (count - 1) / span : 25;
  return { count, duration: span + (own > 0 && own < 10 ? own : 1 / rate), rate, keyFrames };
}

async function describeFile(file: string, limits: Limits): Promise<{ streams: Stream[]; duration: number }> {
  let text = '';
  const end = await runTool({
    ...limits,
    program: 'ffprobe',
    fileSize: 0,
    args: [
      ...['-v', 'error', '-protocol_whitelist', 'file', '-format_whitelist', CONTAINERS],
      ...['-show_streams', '-show_entries', 'format=duration', '-of', 'json', file],
    ],
    line(line) {
      if (text.length < 1_000_000) text += line;
      return true;
    },
  });
  refuseUnread(end);
  try {
    const { streams = [], format } = JSON.parse(text) as { streams?: Stream[]; format?: { duration?: string } };
    if (streams.length > 0) return { streams, duration: Number(format?.duration) };
  } catch {
    // What there is to say is below.
  }
  throw new RefusedSource('expected a video, found something else or a damaged file');
}

/** @throws when ffprobe has not come to an end: RefusedSource when the file held it up, another when it was killed */
function refuseUnread({ code, hung }: ToolEnd): void {
  if (hung) throw new RefusedSource('expected a file that can be read, its reader stands still');
  if (code === null) throw new Error('ffprobe was killed');
}

/** The track that a player would take. */
function preferred(streams: readonly Stream[]): Stream | undefined {
  return streams.find(({ disposition }) => disposition?.default === 1) ?? streams[0];
}

/** The usual rate that is nearest; rates above 30 are halved until they fit. */
function outputRate(counted: number): readonly [number, number] {
  let rate = counted;
  while (rate > 31) rate /= 2;
  const distance = ([top, bottom]: readonly [number, number]) => Math.abs(top / bottom - rate);
  return [...RATES].sort((a, b) => distance(a) - distance(b))[0]!;
}

function remarksOn(claimed: number, frames: number, { count, duration }: CountedPackets): string[] {
  const remarks: string[] = [];
  if (claimed > 0 && Math.abs(claimed - duration) > Math.max(1, duration / 50)) {
    remarks.push(`the file says ${claimed.toFixed(1)} s, its pictures fill ${duration.toFixed(1)} s`);
  }
  if (frames > 0 && count < frames) remarks.push(`the file is cut off: ${count} of ${frames} pictures are there`);
  return remarks;
}
