/** What attributes tell of a track is what ffprobe tells of it, for every codec that ffmpeg writes here. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { attributesOf } from '../../../../src/media/packaging/attributes.js';
import { clip, tone } from '../../../support/clips.js';
import { packageTrack } from '../../../support/package-track.js';
import { sampleEntries } from '../../../support/sample-entries.js';

const run = promisify(execFile);

interface Stream {
  readonly width: number;
  readonly height: number;
  readonly sample_aspect_ratio?: string;
  readonly color_transfer?: string;
  readonly channels: number;
  readonly sample_rate: string;
  readonly profile?: string;
}

async function ffprobe(path: string): Promise<Stream> {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', path]);
  return JSON.parse(stdout).streams[0];
}

const frames = ['-f', 'lavfi', '-i', 'testsrc2=size=160x96:rate=25:duration=0.2'];
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast'];
const x265 = (more = '') => [
  '-c:v',
  'libx265',
  '-preset',
  'ultrafast',
  '-x265-params',
  `log-level=none:pools=1${more}`,
];
const svt = ['-c:v', 'libsvtav1', '-preset', '12'];
const aom = ['-c:v', 'libaom-av1', '-cpu-used', '8', '-usage', 'realtime'];
const vp9 = ['-c:v', 'libvpx-vp9', '-deadline', 'realtime'];
const light = (transfer: string) =>
  ['-color_primaries', 'bt2020', '-colorspace', 'bt2020nc', '-color_trc', transfer].concat(['-color_range', 'tv']);
const [pq, hlg, sdr] = [light('smpte2084'), light('arib-std-b67'), light('bt709')];
const [ten, eight] = [
  ['-pix_fmt', 'yuv420p10le'],
  ['-pix_fmt', 'yuv420p'],
];
const wide = ['-vf', 'setsar=64/45'];
const narrow = ['-vf', 'setsar=10/11'];

const pictures: readonly (readonly [name: string, codecs: RegExp, options: readonly string[]])[] = [
  ['H.264', /^avc1\.[0-9a-f]{6}$/, [...x264, ...eight]],
  ['H.264 of wide pixels', /^avc1/, [...x264, ...eight, ...wide, ...sdr]],
  ['H.264 of narrow pixels, interlaced', /^avc1/, ['-c:v', 'libx264', '-flags', '+ildct+ilme', ...eight, ...narrow]],
  ['H.264 with scaling lists, HLG', /^avc1\.6e/, ['-c:v', 'libx264', '-x264-params', 'cqm=jvt', ...ten, ...hlg]],
  ['H.264 of 4:4:4, PQ', /^avc1\.f4/, [...x264, '-pix_fmt', 'yuv444p10le', ...pq]],
  ['avc3', /^avc3\./, [...x264, ...eight, '-tag:v', 'avc3']],
  ['HEVC', /^hvc1\.1\.6\.L30/, [...x265(), ...eight, '-tag:v', 'hvc1']],
  ['HEVC, PQ', /^hvc1\.2\.4\.L30/, [...x265(), ...ten, ...pq, '-tag:v', 'hvc1']],
  [
    'hev1, HLG, wide',
    /^hev1\.2\./,
    [...x265(':temporal-layers=2:scaling-list=default'), ...ten, ...hlg, ...wide, '-tag:v', 'hev1'],
  ],
  [
    'HEVC with references of all kinds, HLG',
    /^hvc1/,
    [...x265(':bframes=4:b-pyramid=1:ref=4'), ...ten, ...hlg, '-tag:v', 'hvc1'],
  ],
  ['AV1 of SVT, PQ', /^av01\.0\.\d\dM\.10$/, [...svt, ...ten, ...pq]],
  ['AV1 of libaom, HLG', /^av01\.0\.\d\dM\.10$/, [...aom, ...ten, ...hlg]],
  ['AV1 of rav1e', /^av01\.0\.\d\dM\.08$/, ['-c:v', 'librav1e', '-speed', '10', ...eight, ...sdr]],
  ['VP9', /^vp09\.00\.\d\d\.08$/, [...vp9, ...eight]],
  ['VP9, HLG', /^vp09\.02\.\d\d\.10$/, [...vp9, ...ten, ...hlg, '-profile:v', '2']],
  ['MPEG-4 Visual', /^mp4v\.20\.\d+$/, ['-c:v', 'mpeg4', ...eight]],
  ['MJPEG', /^mp4v\.6C$/, ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p']],
];

const RANGES: Readonly<Record<string, string>> = { smpte2084: 'PQ', 'arib-std-b67': 'HLG' };

const mono = ['-ac', '1'];
const surround = ['-ac', '6'];
const sounds: readonly (readonly [name: string, codecs: string, options: readonly string[], extension?: string])[] = [
  ['AAC', 'mp4a.40.2', ['-c:a', 'aac']],
  ['AAC of one channel', 'mp4a.40.2', ['-c:a', 'aac', ...mono]],
  ['AAC of 5.1', 'mp4a.40.2', ['-c:a', 'aac', ...surround]],
  ['AAC of 7.1', 'mp4a.40.2', ['-c:a', 'aac', '-channel_layout', '7.1']],
  ['AAC with a program configuration', 'mp4a.40.2', ['-c:a', 'aac', '-channel_layout', '6.0(front)']],
  ['AAC Main of 2.1', 'mp4a.40.1', ['-c:a', 'aac', '-profile:a', 'aac_main', '-channel_layout', '2.1']],
  ['AAC in QuickTime', 'mp4a.40.2', ['-c:a', 'aac', ...surround], '.mov'],
  ['MP3', 'mp4a.6B', ['-c:a', 'libmp3lame']],
  ['MP3 of half the rate', 'mp4a.69', ['-c:a', 'libmp3lame', '-ar', '22050']],
  ['Opus', 'Opus', ['-c:a', 'libopus', '-ar', '48000']],
  ['Opus of 5.1', 'Opus', ['-c:a', 'libopus', '-ar', '48000', '-ac', '6', '-mapping_family', '1']],
  ['FLAC of 96 kHz', 'fLaC', ['-c:a', 'flac', '-ar', '96000', '-strict', '-2']],
  ['FLAC of 5.1', 'fLaC', ['-c:a', 'flac', ...surround, '-strict', '-2']],
  ['ALAC', 'alac', ['-c:a', 'alac', ...mono]],
  ['ALAC in QuickTime', 'alac', ['-c:a', 'alac', ...surround], '.mov'],
  ['AC-3', 'ac-3', ['-c:a', 'ac3']],
  ['AC-3 of 5.1', 'ac-3', ['-c:a', 'ac3', ...surround, '-ar', '48000']],
  ['E-AC-3 of one channel', 'ec-3', ['-c:a', 'eac3', ...mono]],
  ['E-AC-3 of 5.1', 'ec-3', ['-c:a', 'eac3', ...surround, '-ar', '32000']],
  ['PCM in QuickTime', 'sowt', ['-c:a', 'pcm_s16le', ...surround], '.mov'],
  ['PCM of 96 kHz in QuickTime', 'lpcm', ['-c:a', 'pcm_f32le', '-ar', '96000'], '.mov'],
];

const slug = (name: string) => `attributes-${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;

describe('attributes of pictures', () => {
  for (const [name, codecs, options] of pictures) {
    describe(name, () => {
      let stream: Stream;
      let entry: Uint8Array;
      before(async () => {
        const path = await clip(`${slug(name)}.mp4`, [...frames, ...options]);
        stream = await ffprobe(path);
        entry = sampleEntries(await readFile(path))[0]!.entry;
      });

      const judge = (bytes: Uint8Array) => {
        const found = attributesOf(packageTrack({ entry: bytes }));
        const [across = 1, down = 1] = stream.sample_aspect_ratio?.split(':').map(Number) ?? [];
        const [width, height] = [stream.width, stream.height].map(Math.fround);
        const shape = across / down || 1;
        assert.match(found.codecs, codecs);
        assert.equal(found.width, shape >= 1 ? Math.round(width! * shape) : width);
        assert.equal(found.height, shape < 1 ? Math.round(height! / shape) : height);
        assert.equal(found.videoRange, RANGES[stream.color_transfer ?? ''] ?? 'SDR');
      };

      it('are those of ffprobe', () => judge(entry));

      if (!/^(MPEG-4 Visual|MJPEG|AV1.*wide)$/.test(name)) {
        it('are told by the configuration of the codec where boxes do not', () => {
          const bare = Buffer.from(entry);
          for (const type of ['colr', 'pasp']) {
            const at = bare.indexOf(type);
            if (at > 0) bare.write('free', at, 'latin1');
          }
          judge(bare);
        });
      }
    });
  }
});

describe('attributes of sound', () => {
  for (const [name, codecs, options, extension = '.mp4'] of sounds) {
    it(`are those of ffprobe: ${name}`, async () => {
      const path = await clip(`${slug(name)}${extension}`, [...tone(0.3), '-ac', '2', ...options]);
      const stream = await ffprobe(path);
      const { entry } = sampleEntries(await readFile(path))[0]!;
      const found = attributesOf(packageTrack({ kind: 'audio', handler: 'soun', entry }));
      // What stands in the entry of MP3 is not that of its frames.
      const channels = codecs.startsWith('mp4a.6') ? {} : { channels: stream.channels };
      assert.deepEqual(found, { codecs, ...channels, sampleRate: Number(stream.sample_rate) });
    });
  }
});
