import { execFile } from 'node:child_process';
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LEASH } from './server.js';

const run = promisify(execFile);

/** Directory of what benchmarks make and keep between runs; not in git. */
const benchCache = fileURLToPath(new URL('../../.cache/bench/', import.meta.url));

/** What `makeFilm` may be told. */
export interface FilmOptions {
  /** Seconds. Default 7200. */
  readonly duration?: number;
  /** Whether `moov` stands before the media. Default true. */
  readonly faststart?: boolean;
  /** Bits a second of its pictures, which are then 640 × 360. Default: as few as they take at 160 × 90. */
  readonly bitrate?: number;
}

/**
 * Path of a film of 160 × 90 pixels at 28 frames a second with B-frames, a key frame every two seconds, and stereo AAC:
 * a clip of a minute, looped without encoding it again. Two hours have a `moov` of about 7 MB in a file of about 150
 * MB. Made once and kept.
 */
export async function makeFilm({ duration = 7200, faststart = true, bitrate }: FilmOptions = {}): Promise<string> {
  const rate = bitrate === undefined ? '' : `-${bitrate}`;
  const film = join(benchCache, `film-${duration}${rate}${faststart ? '' : '-moov-last'}.mp4`);
  if (await exists(film)) return film;
  await mkdir(benchCache, { recursive: true });
  const clip = join(benchCache, `clip${rate}.mp4`);
  const picture = bitrate === undefined ? 'size=160x90:rate=28' : 'size=640x360:rate=24';
  const noise = bitrate === undefined ? '' : ',noise=alls=60:allf=t';
  const bits = String(bitrate);
  const quality =
    bitrate === undefined
      ? ['-crf', '35']
      : ['-b:v', bits, '-minrate', bits, '-maxrate', bits, '-bufsize', bits, '-x264-params', 'nal-hrd=cbr'];
  const keys = bitrate === undefined ? '56' : '48';
  if (!(await exists(clip))) {
    await ffmpeg(clip, [
      ...['-f', 'lavfi', '-i', `testsrc2=${picture}:duration=60${noise}`],
      ...['-f', 'lavfi', '-i', 'sine=frequency=330:beep_factor=4:sample_rate=48000:duration=60'],
      ...[
        '-c:v',
        'libx264',
        '-preset',
        'veryfast',
        ...quality,
        '-bf',
        '3',
        '-g',
        keys,
        '-keyint_min',
        keys,
        '-pix_fmt',
        'yuv420p',
      ],
      ...['-c:a', 'aac', '-b:a', '48k', '-ac', '2'],
    ]);
  }
  const flags = faststart ? ['-movflags', '+faststart'] : [];
  await ffmpeg(film, ['-stream_loop', '-1', '-i', clip, '-c', 'copy', '-t', String(duration), ...flags]);
  return film;
}

/** Makes `file` whole or not at all. */
async function ffmpeg(file: string, args: readonly string[]): Promise<void> {
  const part = `${file}.${process.pid}.mp4`;
  await run('setpriv', [...LEASH, 'ffmpeg', '-nostdin', '-hide_banner', '-loglevel', 'error', '-y', ...args, part]);
  await rename(part, file);
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
