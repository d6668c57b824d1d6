/** HLS by byte ranges, and DASH of the on-demand profile: both are parts of one file a track. */
import { testPackaged } from '../../support/streaming/packaged-tests.js';
import { cases as fragmented } from '../media/fmp4/clips.js';
import { cases as progressive } from '../media/mp4/clips.js';

const NAMES = [
  ...['B-frames and AAC', 'moov last', 'video that begins after the sound', 'four sound tracks', 'sound alone'],
  ...['AV1 and Opus', 'mfra, edit lists', 'several fragments for each key frame'],
];

testPackaged(
  [...progressive, ...fragmented].filter(({ name }) => NAMES.includes(name)),
  'segment: 3s, hls: byteranges, dash: on-demand',
);
