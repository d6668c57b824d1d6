/** Films whose clocks are odd: starts far from 0, rates that are no whole numbers, pictures of any length, a few. */
import { aac, clip, h264, picture, tone } from '../../support/clips.js';
import { testPackaged } from '../../support/streaming/packaged-tests.js';

const short = () => clip('odd-base.mp4', [...picture(6), ...tone(6), ...h264(25, '-bf', '2'), ...aac]);
const hour = ['-c', 'copy', '-output_ts_offset', '3600'];

testPackaged(
  [
    { name: 'a start at an hour', make: async () => clip('odd-hour.mp4', ['-i', await short(), ...hour]) },
    {
      name: 'fragments from an hour on',
      make: async () =>
        clip('odd-hour-fragments.mp4', [
          ...['-i', await short(), ...hour, '-movflags', 'frag_keyframe+delay_moov+default_base_moof'],
        ]),
    },
    {
      name: '12.5 pictures a second and sound of 11.025 kHz',
      make: () => clip('odd-slow.mp4', [...picture(6, '25/2'), ...tone(6, 330, 11025), ...h264(25), ...aac]),
    },
    {
      name: '59.94 pictures a second by a clock of 90 kHz, and sound of 22.05 kHz',
      make: () =>
        clip('odd-fast.mp4', [
          ...[...picture(6, '60000/1001'), ...tone(6, 330, 22050), ...h264(60), ...aac],
          ...['-video_track_timescale', '90000'],
        ]),
    },
    {
      name: 'pictures that stand for a moment or for two seconds',
      make: () =>
        clip('odd-vfr.mp4', [
          ...[...picture(8, '30'), ...tone(8), '-vf', "select='lt(n,40)+gt(n,100)*not(mod(n,3))'", '-vsync', 'vfr'],
          ...[...h264(15), ...aac, '-video_track_timescale', '90000'],
        ]),
    },
    {
      name: 'one picture and sound',
      make: () => clip('odd-one.mp4', [...picture(1), ...tone(5), '-frames:v', '1', ...h264(25), ...aac]),
    },
    {
      name: 'a tenth of a second',
      make: () => clip('odd-tenth.mp4', [...picture(0.12), ...tone(0.1), ...h264(25), ...aac]),
    },
    {
      name: 'decoding that begins before 0, without an edit list',
      make: async () =>
        clip('odd-negative.mp4', ['-i', await short(), '-c', 'copy', '-use_editlist', '0', '-avoid_negative_ts', '0']),
    },
  ],
  'segment: 2s',
);
