import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MediaFolder } from '../ffmpeg.js';

const run = promisify(execFile);

/** A film as ffmpeg packages it, for trying what judges ours: paths of the folder. */
export interface FfmpegPackage {
  readonly hls: string;
  readonly dash: string;
}

/** Has ffmpeg package renditions of a film, the first with its sound, in segments of about `seconds`. */
export async function packageByFfmpeg(
  folder: MediaFolder,
  name: string,
  films: readonly string[],
  seconds = 2,
): Promise<FfmpegPackage> {
  const out = join(folder.path, name);
  await mkdir(out, { recursive: true });
  const inputs = films.flatMap(film => ['-i', film]);
  const maps = [...films.flatMap((_, i) => ['-map', `${i}:v:0`]), '-map', '0:a:0', '-c', 'copy'];
  const quiet = ['-nostdin', '-v', 'error', '-y'];
  const variants = films.map((_, i) => `v:${i},agroup:sound`).join(' ');
  await run('ffmpeg', [
    ...[...quiet, ...inputs, ...maps, '-f', 'hls', '-hls_segment_type', 'fmp4', '-hls_time', `${seconds}`],
    ...['-hls_playlist_type', 'vod', '-hls_flags', 'independent_segments', '-master_pl_name', 'hls.m3u8'],
    ...['-hls_segment_filename', join(out, 'h%v-%d.m4s'), '-hls_fmp4_init_filename', 'h%v.mp4'],
    ...['-var_stream_map', `${variants} a:0,agroup:sound,default:yes`, join(out, 'h%v.m3u8')],
  ]);
  await run('ffmpeg', [
    ...[...quiet, ...inputs, ...maps, '-f', 'dash', '-seg_duration', `${seconds}`, '-use_template', '1'],
    ...['-use_timeline', '1', '-adaptation_sets', 'id=0,streams=v id=1,streams=a', join(out, 'dash.mpd')],
  ]);
  return { hls: `${name}/hls.m3u8`, dash: `${name}/dash.mpd` };
}
