import { join } from 'node:path';
import type { Config } from '../../config/schema.js';
import type { Rendition } from './ladder.js';
import { CONTAINERS, type SourceFacts } from './source-facts.js';
import { runTool } from './tool.js';

/** Microseconds of one track that lie together: the tables have one entry for each such run. */
const CHUNK = 500_000;
/** Most bytes of an output beside its bit rate. */
const SLACK = 1024 * 1024 * 1024;

/** What ffmpeg tells of itself that changes while it works. */
const MOVING: ReadonlySet<string> = new Set(['frame', 'out_time_us', 'total_size']);

/** Path of a rendition's file. */
export function renditionFile(folder: string, { quality }: Rendition): string {
  return join(folder, `film_${quality}.mp4`);
}

/** Arguments of the one ffmpeg that decodes a source once and makes all renditions of it. */
export function encodeArguments(
  source: string,
  folder: string,
  facts: SourceFacts,
  renditions: readonly Rendition[],
  { keyframes, preset }: Config['transcode'],
): string[] {
  const rate = facts.rate.join('/');
  const outputs = renditions.flatMap((rendition, index) => [
    ...['-map', `[v${index}]`],
    ...(facts.audio === undefined ? [] : ['-map', `0:${facts.audio}`]),
    ...['-c:v', 'libx264', '-preset', preset, '-crf', '22', '-pix_fmt', 'yuv420p', '-profile:v', 'high'],
    ...['-maxrate', String(rendition.bitRate), '-bufsize', String(2 * rendition.bitRate)],
    // Key frames at the same times in all renditions, and nowhere else; no picture refers across them.
    ...['-g', '100000', '-sc_threshold', '0', '-flags', '+cgop'],
    ...['-force_key_frames', `expr:gte(t,n_forced*${keyframes / 1000})`],
    ...(facts.audio === undefined ? [] : ['-c:a', 'aac', '-b:a', '128k', '-ac', '2', '-ar', '48000']),
    ...['-map_metadata', '-1', '-map_chapters', '-1', '-movflags', '+faststart', '-chunk_duration', String(CHUNK)],
    ...['-video_track_timescale', String(facts.rate[0] * (facts.rate[1] === 1 ? 1000 : 1)), '-f', 'mp4'],
    renditionFile(folder, rendition),
  ]);
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-progress', 'pipe:1', '-stats_period', '1'],
    ...['-protocol_whitelist', 'file', '-format_whitelist', CONTAINERS, '-fflags', '+genpts', '-i', source],
    ...['-filter_complex', pictureFilter(facts, rate, renditions), ...outputs],
  ];
}

function pictureFilter({ video, isInterlaced, isHdr }: SourceFacts, rate: string, renditions: readonly Rendition[]) {
  const common = [
    ...(isInterlaced ? ['bwdif=deint=interlaced'] : []),
    `fps=${rate}:start_time=0`,
    ...(isHdr ? ['zscale=t=linear:npl=100', 'format=gbrpf32le', 'zscale=p=bt709', 'tonemap=hable:desat=0'] : []),
    ...(isHdr ? ['zscale=t=bt709:m=bt709:r=tv'] : []),
    'format=yuv420p',
    `split=${renditions.length}`,
  ];
  const names = renditions.map((_, index) => `[s${index}]`).join('');
  const scaled = renditions.map(
    ({ width, height }, index) => `[s${index}]scale=${width}:${height},setsar=1[v${index}]`,
  );
  return [`[0:${video}]${common.join(',')}${names}`, ...scaled].join(';');
}

/**
 * Makes all renditions.
 * @param progress told from 0 to 1
 * @throws Error when ffmpeg hangs or fails; the source may be good, and another try may do
 */
export async function encode(
  args: readonly string[],
  facts: SourceFacts,
  renditions: readonly Rendition[],
  { memory, timeout }: Config['transcode'],
  signal: AbortSignal,
  progress: (share: number) => void,
): Promise<void> {
  const largest = Math.max(...renditions.map(({ bitRate }) => bitRate + 256_000));
  const told = new Map<string, string>();
  const { code, hung, complaints } = await runTool({
    program: 'ffmpeg',
    args,
    memory,
    fileSize: Math.ceil((largest / 8) * facts.duration * 1.5) + SLACK,
    timeout,
    signal,
    line(line) {
      const [name, value = ''] = line.split('=');
      if (name === 'out_time_us') progress(Math.min(1, Math.max(0, Number(value) / 1e6 / facts.duration) || 0));
      // Only what moves counts: a hung ffmpeg may tell the same again and again.
      const moves = MOVING.has(name!) && told.get(name!) !== value;
      if (moves) told.set(name!, value);
      return moves || (name === 'progress' && value === 'end');
    },
  });
  if (hung) throw new Error(`ffmpeg stood still for ${timeout / 1000} s and was ended`);
  if (code !== 0)
    throw new Error(`ffmpeg failed (${code ?? 'killed'}): ${complaints.slice(-500) || 'it says nothing'}`);
}
