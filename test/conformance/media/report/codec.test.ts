/** The codecs that a report names are those that mediabunny names. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ALL_FORMATS, BufferSource, Input } from 'mediabunny';
import { perform } from '../../../../src/media/io/reading.js';
import { readSampleDescriptions } from '../../../../src/media/report/sample-description.js';
import { aac, clip, h264, picture, tone } from '../../../support/clips.js';
import { MemorySource } from '../../../support/virtual.js';

const sample = (name: string) => async () => fileURLToPath(new URL(`../../../../src/samples/${name}`, import.meta.url));
const small = [...picture(1), ...tone(1, 330, 48000)];
const x265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:pools=1'];
const clips: Record<string, () => Promise<string>> = {
  'H.264 and AAC': sample('bframes-faststart.mp4'),
  fragments: sample('fragmented.mp4'),
  'H.264 High and AAC': () => clip('codec-high.mp4', [...small, ...h264(), ...aac]),
  HEVC: () => clip('codec-hevc.mp4', [...small, ...x265, '-pix_fmt', 'yuv420p', '-tag:v', 'hev1', ...aac]),
  'HEVC of 10 bits': () =>
    clip('codec-hevc10.mp4', [...small, ...x265, '-pix_fmt', 'yuv420p10le', '-tag:v', 'hev1', ...aac]),
  'AV1 and Opus': () =>
    clip('codec-av1.mp4', [
      ...[...small, '-c:v', 'libsvtav1', '-preset', '12', '-pix_fmt', 'yuv420p10le'],
      ...['-c:a', 'libopus', '-b:a', '32k'],
    ]),
  'VP9 and FLAC': () =>
    clip('codec-vp9.mp4', [...small, '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-c:a', 'flac', '-strict', '-2']),
};

for (const [name, make] of Object.entries(clips)) {
  test(name, async () => {
    const bytes = await readFile(await make());
    const found = await perform(readSampleDescriptions(new MemorySource(bytes), bytes.indexOf('moov') - 4));
    const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(new Uint8Array(bytes).buffer) });
    const tracks = await input.getTracks();
    assert.equal(tracks.length, found.size);
    for (const track of tracks) {
      const expected = await track.getCodecParameterString();
      const { codec } = found.get(track.id)!;
      // Colours may follow in the names of VP9, and have defaults.
      const long = expected!.startsWith('vp09') && expected!.startsWith(`${codec}.`);
      if (!long) assert.equal(codec.toLowerCase(), expected!.toLowerCase());
    }
  });
}
