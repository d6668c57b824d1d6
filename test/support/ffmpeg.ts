import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A packet as ffprobe sees it. */
export interface Packet {
  /** 'video', 'audio', 'subtitle' … with the number among its kind: 'video0'. */
  readonly track: string;
  /** Presentation time, seconds. */
  readonly pts: number;
  /** Decoding time, seconds. */
  readonly dts: number;
  readonly key: boolean;
  /** Hash of its data. */
  readonly hash: string;
}

/** A file as ffprobe sees it. Times in seconds. */
export interface Probe {
  readonly duration: number;
  readonly start: number;
  readonly streams: readonly { readonly type: string; readonly codec: string; readonly start: number }[];
  /** All packets in file order. */
  readonly packets: readonly Packet[];
}

/** A directory of media files for one test file; make it in `before` and call `remove` in `after`. */
export class MediaFolder {
  #count = 0;

  private constructor(readonly path: string) {}

  static async make(): Promise<MediaFolder> {
    return new MediaFolder(await mkdtemp(join(tmpdir(), 'moovedge-media-')));
  }

  /** Runs ffmpeg with the output as its last argument and gives the output's path. */
  async ffmpeg(name: string, ...options: string[]): Promise<string> {
    const path = join(this.path, name);
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...options, path]);
    return path;
  }

  /** Writes bytes to a new file. */
  async write(bytes: Uint8Array, extension: string): Promise<string> {
    const path = join(this.path, `written-${this.#count++}.${extension}`);
    await writeFile(path, bytes);
    return path;
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}

/** Asks ffprobe for durations, streams and all packets. */
export async function probe(path: string): Promise<Probe> {
  const entries =
    'format=duration,start_time:stream=index,codec_type,codec_name,start_time:packet=stream_index,pts_time,dts_time,flags,data_hash';
  const options = ['-v', 'error', '-of', 'json', '-show_data_hash', 'md5', '-show_entries', entries, path];
  const { stdout } = await run('ffprobe', options, { maxBuffer: 256 << 20 });
  const { format, streams, packets } = JSON.parse(stdout) as {
    format: { duration: string; start_time: string };
    streams: { index: number; codec_type: string; codec_name: string; start_time: string }[];
    packets: { stream_index: number; pts_time: string; dts_time: string; flags: string; data_hash: string }[];
  };
  const counts = new Map<string, number>();
  const names = new Map<number, string>();
  for (const { index, codec_type } of streams) {
    const count = counts.get(codec_type) ?? 0;
    counts.set(codec_type, count + 1);
    names.set(index, `${codec_type}${count}`);
  }
  return {
    duration: Number(format.duration),
    start: Number(format.start_time),
    streams: streams.map(({ codec_type, codec_name, start_time }) => ({
      type: codec_type,
      codec: codec_name,
      start: Number(start_time),
    })),
    packets: packets.map(packet => ({
      track: names.get(packet.stream_index) ?? 'none',
      pts: Number(packet.pts_time),
      dts: Number(packet.dts_time),
      key: packet.flags.startsWith('K'),
      hash: packet.data_hash,
    })),
  };
}

/**
 * What ffmpeg complains of when it decodes all of these files, with the path before each complaint; '' when it is
 * content. One process for many files costs a fraction of one for each.
 */
export async function complaints(...paths: readonly string[]): Promise<string> {
  const inputs = paths.flatMap(path => ['-threads', '1', '-i', path]);
  const maps = paths.flatMap((_, i) => ['-map', `${i}:v?`, '-map', `${i}:a?`]);
  const options = ['-nostdin', '-v', 'error', ...inputs, ...maps, '-f', 'null', '-'];
  const { stderr } = await run('ffmpeg', options, { maxBuffer: 16 << 20 });
  if (stderr === '' || paths.length === 1) return stderr;
  const each = await Promise.all(paths.map(async path => ({ path, text: await complaints(path) })));
  return each.map(({ path, text }) => (text === '' ? '' : `${path}: ${text}`)).join('') || stderr;
}
