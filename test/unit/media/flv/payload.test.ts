import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describePayload } from '../../../../src/media/flv/payload.js';

/** [name, tag type, first bytes of the data in hex, codec, key, slot] */
const cases: [string, number, string, string, boolean, string | undefined][] = [
  ['AVC sequence header', 9, '1700000000', 'avc1', false, 'video'],
  ['AVC key frame', 9, '1701000050', 'avc1', true, undefined],
  ['AVC inter frame', 9, '2701000000', 'avc1', false, undefined],
  ['AVC end of sequence', 9, '1702000000', 'avc1', false, undefined],
  ['AVC generated key frame', 9, '4701000000', 'avc1', true, undefined],
  ['HEVC with codec id 12', 9, '1c00000000', 'hvc1', false, 'video'],
  ['Sorenson key frame', 9, '1200000000', 'h263', true, undefined],
  ['Sorenson inter frame', 9, '2200000000', 'h263', false, undefined],
  ['VP6 key frame', 9, '1400', 'vp6f', true, undefined],
  ['command frame', 9, '5700', 'avc1', false, undefined],
  ['encrypted AVC key frame', 0x29, '1701000050', 'avc1', true, undefined],
  ['FourCC sequence start', 9, '9068766331', 'hvc1', false, 'video-0-start'],
  ['FourCC coded frames, key', 9, '9168766331000000', 'hvc1', true, undefined],
  ['FourCC coded frames X, key', 9, '9361763031', 'av01', true, undefined],
  ['FourCC coded frames, inter', 9, 'a168766331000000', 'hvc1', false, undefined],
  ['FourCC colour metadata', 9, '9476703039', 'vp09', false, 'video-0-colour'],
  ['FourCC sequence end', 9, '9268766331', 'hvc1', false, undefined],
  ['FourCC MPEG-2 TS sequence start', 9, '9561763031', 'av01', false, 'video-0-start'],
  ['FourCC command', 9, 'd068766331', 'hvc1', false, undefined],
  ['FourCC multitrack, key of track 0', 9, '960161766331' + '00', 'avc1', true, undefined],
  ['FourCC multitrack, key of track 1', 9, '960161766331' + '01', 'avc1', false, undefined],
  ['FourCC multitrack, start of track 2', 9, '960061766331' + '02', 'avc1', false, 'video-2-start'],
  ['FourCC behind ModEx', 9, '97' + '02aabbcc' + '01' + '68766331', 'hvc1', true, undefined],
  ['FourCC behind two ModEx', 9, '97' + '00aa' + '07' + '00bb' + '01' + '68766331', 'hvc1', true, undefined],
  ['ModEx that goes on beyond the data', 9, '97ffffff', 'unknown', false, undefined],
  ['FourCC that is cut off', 9, '916876', 'unknown', false, undefined],
  ['AAC sequence header', 8, 'af001208', 'mp4a', false, 'audio'],
  ['AAC frame', 8, 'af0121', 'mp4a', true, undefined],
  ['MP3 frame', 8, '2ffb', 'mp3', true, undefined],
  ['FourCC audio start', 8, '904f707573', 'Opus', false, 'audio-0-start'],
  ['FourCC audio frames', 8, '914f707573', 'Opus', true, undefined],
  ['FourCC audio channels', 8, '944f707573', 'Opus', false, 'audio-0-channels'],
  ['FourCC audio multitrack', 8, '95006d703461' + '03', 'mp4a', false, 'audio-3-start'],
  ['script', 18, '02000a', 'script', false, undefined],
  ['nothing', 9, '', 'none', false, undefined],
];

for (const [name, type, hex, codec, key, slot] of cases) {
  test(name, () => assert.deepEqual(describePayload(type, Buffer.from(hex, 'hex')), { codec, key, slot }));
}
