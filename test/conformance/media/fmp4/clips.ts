import { fileURLToPath } from 'node:url';
import { aac, clip, h264, picture, tone } from '../../../support/clips.js';

const sample = (name: string) => fileURLToPath(new URL(`../../../../src/samples/${name}`, import.meta.url));
const remux = (name: string, movflags: string, ...more: string[]) =>
  clip(name, ['-i', sample('bframes-faststart.mp4'), '-c', 'copy', '-movflags', movflags, ...more]);
const small = [...picture(8), ...tone(8, 330, 48000)];

/** A fragmented film, and what is particular about it. */
export interface Case {
  readonly name: string;
  readonly make: () => Promise<string>;
  /** Whether fragments say their decoding time; if not, a cut's timeline begins at 0. */
  readonly timed?: boolean;
  /** Whether `moov` has samples of its own, which mediabunny takes for all that there are. */
  readonly hybrid?: boolean;
  /** Seconds by which ffmpeg shows pictures later than the file says: so it takes negative composition offsets. */
  readonly shownLate?: number;
  /** Seconds by which ffmpeg, which reads no `tfxd`, has sound of the file later than it says. */
  readonly heardLate?: number;
}

/** Everything that `src/media/fmp4` is tried on against others. */
export const cases: readonly Case[] = [
  { name: 'the bundled clip, with sidx', make: async () => sample('fragmented.mp4') },
  { name: 'mfra, edit lists', make: () => remux('frag-delay.mp4', 'frag_keyframe+delay_moov+default_base_moof') },
  { name: 'absolute offsets', make: () => remux('frag-absolute.mp4', 'frag_keyframe+empty_moov') },
  { name: 'samples in moov as well', make: () => remux('frag-hybrid.mp4', 'frag_keyframe'), hybrid: true },
  {
    name: 'no index',
    make: () => remux('frag-none.mp4', 'frag_keyframe+empty_moov+default_base_moof+skip_trailer'),
  },
  { name: 'DASH: styp and sidx before each', make: () => remux('frag-dash.mp4', 'dash+frag_keyframe+delay_moov') },
  {
    name: 'CMAF: negative composition offsets',
    make: () => remux('frag-cmaf.mp4', 'cmaf+frag_keyframe+empty_moov'),
    shownLate: 0.08,
  },
  {
    name: 'a fragment for each track',
    make: () => remux('frag-apart.mp4', 'frag_keyframe+empty_moov+default_base_moof+separate_moof+skip_trailer'),
  },
  {
    name: 'several fragments for each key frame',
    make: () => remux('frag-short.mp4', 'empty_moov+default_base_moof', '-frag_duration', '500000'),
  },
  {
    name: 'the same without an index and with absolute offsets',
    make: () => remux('frag-short-absolute.mp4', 'empty_moov+skip_trailer', '-frag_duration', '300000'),
  },
  {
    name: 'Smooth Streaming: no tfdt',
    make: () => clip('frag-smooth.ismv', ['-i', sample('bframes-faststart.mp4'), '-c', 'copy']),
    shownLate: 0.08,
    heardLate: 1024 / 44_100,
  },
  {
    name: 'sound only',
    make: () =>
      clip('frag-sound.m4a', [
        ...tone(20),
        ...aac,
        '-movflags',
        'empty_moov+default_base_moof',
        '-frag_duration',
        '1000000',
      ]),
  },
  {
    name: 'HEVC and two tracks of sound',
    make: () =>
      clip('frag-hevc.mp4', [
        ...small,
        ...tone(8, 880, 44100),
        ...[
          '-map',
          '0',
          '-map',
          '1',
          '-map',
          '2',
          '-c:v',
          'libx265',
          '-preset',
          'ultrafast',
          '-tag:v',
          'hvc1',
          '-x265-params',
        ],
        ...[
          'log-level=error:keyint=50:min-keyint=50:bframes=2:pools=1',
          ...aac,
          '-movflags',
          'frag_keyframe+delay_moov+default_base_moof',
        ],
      ]),
  },
  {
    name: 'AV1 and Opus',
    make: () =>
      clip('frag-av1.mp4', [
        ...[
          ...small,
          '-c:v',
          'libsvtav1',
          '-preset',
          '12',
          '-g',
          '50',
          '-svtav1-params',
          'lp=1',
          '-c:a',
          'libopus',
          '-b:a',
          '32k',
        ],
        ...['-movflags', 'frag_keyframe+delay_moov+default_base_moof+global_sidx'],
      ]),
  },
  {
    name: '29.97 frames a second',
    make: () =>
      clip('frag-ntsc.mp4', [
        ...[...picture(10, '30000/1001'), ...tone(10, 330, 48000), ...h264(45), ...aac],
        ...['-movflags', 'frag_keyframe+delay_moov+default_base_moof'],
      ]),
  },
];
