import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../.cache/media/', import.meta.url));

/** Clips that are there or being made, by path: tests that run at once share one. */
const made = new Map<string, Promise<string>>();

/**
 * Path of a clip that ffmpeg makes with these options, the output being its last argument. Kept between runs under a
 * name that holds a hash of the options. May be asked for by several tests at once, in this process and in others.
 * @param name with extension, which decides the container
 */
export function clip(name: string, options: readonly string[]): Promise<string> {
  const extension = extname(name);
  const hash = createHash('sha256').update(options.join('\n')).digest('hex').slice(0, 10);
  const path = join(folder, `${name.slice(0, -extension.length)}-${hash}${extension}`);
  const clip = made.get(path) ?? make(path, join(folder, `part-${process.pid}-${hash}${extension}`), options);
  made.set(path, clip);
  return clip;
}

async function make(path: string, part: string, options: readonly string[]): Promise<string> {
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  if (there) return path;
  await mkdir(folder, { recursive: true });
  await run('ffmpeg', ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-bitexact', ...options, part]);
  await rename(part, path);
  return path;
}

/** Path of a small text file beside the clips; whole at every moment, since other processes may be reading it. */
export async function textFile(name: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const [path, part] = [join(folder, name), join(folder, `part-${process.pid}-${name}`)];
  await writeFile(part, text);
  await rename(part, path);
  return path;
}

/** Input options of a moving test picture. */
export function picture(seconds: number, rate = '25', size = '160x90'): string[] {
  return ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`];
}

/** Input options of a tone. */
export function tone(seconds: number, frequency = 330, rate = 44100): string[] {
  return ['-f', 'lavfi', '-i', `sine=frequency=${frequency}:beep_factor=4:sample_rate=${rate}:duration=${seconds}`];
}

/** Output options of quick H.264 with B-frames and a key frame every `gop` frames. */
export function h264(gop = 25, ...more: string[]): string[] {
  const keys = ['-g', String(gop), '-keyint_min', String(gop), '-sc_threshold', '0'];
  return [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-threads',
    '1',
    '-crf',
    '38',
    '-pix_fmt',
    'yuv420p',
    '-bf',
    '3',
    ...keys,
    ...more,
  ];
}

/** Output options of AAC. */
export const aac = ['-c:a', 'aac', '-b:a', '32k', '-ac', '1'];
