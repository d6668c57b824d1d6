import { readFile, writeFile } from 'node:fs/promises';
import { aac, clip, h264, picture, textFile, tone } from '../../../support/clips.js';

const front = ['-movflags', '+faststart'];
const copy = ['-c', 'copy'];

/** A clip and the seeks to try on it: start, and perhaps end, in seconds. */
export interface Case {
  readonly name: string;
  readonly make: () => Promise<string>;
  readonly seeks: readonly (readonly [start: number, end?: number])[];
  /** Whether key frames are followed by pictures that lean on the group before: hidden, but decoders complain. */
  readonly leading?: boolean;
  /** Whether decoded sound at 48 kHz, mono, is compared too. */
  readonly sound?: boolean;
  /** Whether one picture stands all the time. */
  readonly still?: boolean;
  /** Whether the sound is PCM. */
  readonly pcm?: boolean;
}

/** A film of two tracks with `moov` last, whose chunks of sound all stand before those of the pictures. */
function soundFirst(film: Buffer): Buffer {
  const bytes = Buffer.from(film);
  const offsetsOf = (handler: string) => {
    const table = bytes.indexOf('stco', bytes.indexOf(handler)) + 8;
    return Array.from({ length: bytes.readUInt32BE(table) }, (_, i) => table + 4 + i * 4);
  };
  const fields = [...offsetsOf('soun'), ...offsetsOf('vide')];
  const begins = fields.map(field => bytes.readUInt32BE(field)).sort((a, b) => a - b);
  const end = bytes.indexOf('moov') - 4;
  let at = begins[0]!;
  for (const field of fields) {
    const from = bytes.readUInt32BE(field);
    const chunk = film.subarray(from, begins[begins.indexOf(from) + 1] ?? end);
    bytes.writeUInt32BE(at, field);
    chunk.copy(bytes, at);
    at += chunk.length;
  }
  return bytes;
}

const base = () => clip('bframes.mp4', [...picture(12), ...tone(12), ...h264(), ...aac, ...front]);

/** Everything that `src/media/mp4` is tried on against ffmpeg. */
export const cases: readonly Case[] = [
  { name: 'B-frames and AAC', make: base, seeks: [[0.02], [3], [5.5], [6.98, 9.3], [0, 4.2], [11.99], [2.4, 2.5]] },
  {
    name: 'moov last',
    make: async () => clip('tail.mp4', ['-i', await base(), ...copy]),
    seeks: [[4.4], [7, 8.1]],
  },
  {
    name: 'all sound before the first picture',
    make: async () => {
      const path = await clip('interleaved.mp4', ['-i', await base(), ...copy]);
      const moved = path.replace('interleaved', 'sound-first');
      await writeFile(moved, soundFirst(await readFile(path)));
      return moved;
    },
    seeks: [[0.02], [4.4], [7, 8.1]],
  },
  {
    name: '29.97 frames a second',
    make: () =>
      clip('ntsc.mp4', [...picture(10, '30000/1001'), ...tone(10, 330, 48000), ...h264(45), ...aac, ...front]),
    seeks: [[1.5015], [1.501], [3.1], [7.6, 9.007]],
  },
  {
    name: 'variable frame rate',
    make: () =>
      clip('vfr.mp4', [
        ...[
          ...picture(10, '30'),
          ...tone(10),
          '-vf',
          "select='not(eq(mod(n,7),3))*not(between(n,100,130))'",
          '-vsync',
          'vfr',
        ],
        ...[...h264(30), ...aac, '-video_track_timescale', '90000', ...front],
      ]),
    seeks: [[2.2], [3.9], [4.1, 7.77]],
  },
  {
    name: 'video that begins after the sound',
    make: async () => {
      const source = await base();
      return clip('late-video.mp4', [
        '-itsoffset',
        '0.7',
        '-i',
        source,
        '-i',
        source,
        '-map',
        '0:v',
        '-map',
        '1:a',
        ...copy,
      ]);
    },
    seeks: [[0.3], [0.3, 2], [4], [6.1, 8]],
  },
  {
    name: 'sound that begins after the video',
    make: async () => {
      const source = await base();
      return clip('late-audio.mp4', [
        '-i',
        source,
        '-itsoffset',
        '2.345',
        '-i',
        source,
        '-map',
        '0:v',
        '-map',
        '1:a',
        ...copy,
      ]);
    },
    seeks: [[1.5], [1, 2.2], [1, 3], [5]],
  },
  {
    name: 'an edit that hides the beginning',
    make: async () => clip('trimmed.mp4', ['-ss', '2.32', '-i', await base(), ...copy, ...front]),
    seeks: [[0.1], [1], [4.7, 6]],
  },
  {
    name: 'no edit lists',
    make: async () => clip('no-edits.mp4', ['-i', await base(), ...copy, '-use_editlist', '0', ...front]),
    seeks: [[0.05], [3.5], [6, 7]],
  },
  {
    name: 'negative composition offsets',
    make: async () =>
      clip('negative.mp4', ['-i', await base(), ...copy, '-movflags', '+faststart+negative_cts_offsets']),
    seeks: [[0.05], [3.5], [6.4, 7]],
  },
  {
    name: 'four sound tracks',
    make: () =>
      clip('four.mp4', [
        ...[...picture(8), ...tone(8, 200), ...tone(8, 300, 48000), ...tone(8, 400, 32000), ...tone(8, 500, 22050)],
        ...['-map', '0', '-map', '1', '-map', '2', '-map', '3', '-map', '4', ...h264(50), ...aac, ...front],
      ]),
    seeks: [[2.5], [4.2, 6.1]],
  },
  { name: 'subtitles', make: subtitles, seeks: [[2.6], [4.5], [2.6, 7]] },
  {
    name: 'sound that ends early',
    make: () => clip('short-audio.mp4', [...picture(8), ...tone(3), ...h264(), ...aac, ...front]),
    seeks: [[1.3], [5.5], [2, 6]],
  },
  {
    name: 'video that ends early',
    make: () => clip('short-video.mp4', [...picture(3), ...tone(8), ...h264(), ...aac, ...front]),
    seeks: [[1.3], [3.5], [6]],
  },
  {
    name: 'a still picture with sound',
    make: () => clip('still.mp4', [...picture(8, '1/8'), ...tone(8), ...h264(), ...aac, ...front]),
    seeks: [[2.5], [3, 5]],
    still: true,
  },
  {
    name: 'HEVC',
    make: () =>
      clip('hevc.mp4', [
        ...[...picture(5), ...tone(5), '-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
        ...[
          '-x265-params',
          'log-level=none:pools=1:keyint=25:min-keyint=25:bframes=3:open-gop=0',
          '-tag:v',
          'hvc1',
          ...aac,
          ...front,
        ],
      ]),
    seeks: [[1.7], [3.2, 4.4]],
  },
  {
    name: 'AV1 and Opus',
    make: () =>
      clip('av1.mp4', [
        ...[
          ...picture(4),
          ...tone(4, 330, 48000),
          '-c:v',
          'libsvtav1',
          '-preset',
          '12',
          '-g',
          '25',
          '-pix_fmt',
          'yuv420p',
        ],
        ...['-c:a', 'libopus', '-b:a', '32k', ...front],
      ]),
    seeks: [[1.7], [2.2, 3.4]],
  },
  {
    name: 'sound alone',
    make: () => clip('sound.m4a', [...tone(8, 330, 48000), ...aac, '-aac_pns', '0', ...front]),
    seeks: [[0.01], [2.345], [4, 5.5]],
    sound: true,
  },
  {
    name: 'QuickTime with PCM and a timecode',
    make: () =>
      clip('pcm.mov', [
        ...picture(6),
        ...tone(6, 330, 48000),
        ...h264(),
        '-c:a',
        'pcm_s16le',
        '-timecode',
        '01:00:00:00',
      ]),
    seeks: [[1.5], [2.7, 4.4]],
    sound: true,
    pcm: true,
  },
  {
    name: 'open groups of pictures',
    make: () =>
      clip('open-gop.mp4', [...picture(6), ...tone(6), ...h264(25, '-x264-params', 'open-gop=1'), ...aac, ...front]),
    seeks: [[2.5], [3.1, 5]],
    leading: true,
  },
  {
    name: 'chapters',
    make: chapters,
    seeks: [[2.5], [4.5, 7]],
  },
  {
    name: 'a coarse movie timescale',
    make: async () => {
      const source = await base();
      return clip('coarse.mov', [
        '-i',
        source,
        '-itsoffset',
        '1.2345',
        '-i',
        source,
        '-map',
        '0:v',
        '-map',
        '1:a',
        ...copy,
        '-movie_timescale',
        '600',
      ]);
    },
    seeks: [[0.5], [1, 3], [5]],
  },
];

async function subtitles(): Promise<string> {
  const text = await textFile(
    'titles.srt',
    '1\n00:00:01,000 --> 00:00:03,500\nOne\n\n2\n00:00:04,000 --> 00:00:06,000\nTwo\n\n',
  );
  const inputs = [...picture(8), ...tone(8), '-i', text];
  return clip('titles.mp4', [
    ...inputs,
    '-map',
    '0',
    '-map',
    '1',
    '-map',
    '2',
    ...h264(),
    ...aac,
    '-c:s',
    'mov_text',
    ...front,
  ]);
}

async function chapters(): Promise<string> {
  const chapter = (from: number, to: number, title: string) =>
    `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${from}\nEND=${to}\ntitle=${title}\n`;
  const text = `;FFMETADATA1\ntitle=Film\n${chapter(0, 2000, 'A')}${chapter(2000, 5000, 'B')}${chapter(5000, 8000, 'C')}`;
  const meta = await textFile('chapters.txt', text);
  const inputs = [...picture(8), ...tone(8), '-i', meta];
  return clip('chapters.mp4', [...inputs, '-map_metadata', '2', '-map', '0', '-map', '1', ...h264(), ...aac, ...front]);
}
