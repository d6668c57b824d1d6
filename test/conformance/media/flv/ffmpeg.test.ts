/** ffmpeg and ffprobe read the cuts of FLV files: no complaint, and the packets of the source with their times. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Flv } from '../../../../src/media/flv/flv.js';
import type { FlvOptions } from '../../../../src/media/flv/plan.js';
import { complaints, MediaFolder, type Packet, probe } from '../../../support/ffmpeg.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const sample = (name: string) => fileURLToPath(new URL(`../../../../src/samples/${name}`, import.meta.url));

/** How each file is made; the bundled clips are there already. */
const MADE: Record<string, string[]> = {
  'audio.flv': ['-i', sample('bframes-faststart.mp4'), '-map', '0:a', '-c', 'copy'],
  'video.flv': ['-i', sample('bframes-faststart.mp4'), '-map', '0:v', '-c', 'copy', '-flvflags', 'add_keyframe_index'],
  'long-gop.flv': ['-i', sample('long-gop.mp4'), '-c', 'copy', '-flvflags', 'add_keyframe_index'],
  'sorenson.flv': ['-i', sample('bframes-faststart.mp4'), '-t', '8', '-c:v', 'flv', '-g', '40', '-c:a', 'libmp3lame'],
  'vfr.flv': [
    '-i',
    sample('bframes-faststart.mp4'),
    '-t',
    '10',
    '-vf',
    "select='not(eq(mod(n,7),3))'",
    '-vsync',
    'vfr',
  ].concat([...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-bf', '2', '-c:a', 'copy']]),
  'late.flv': ['-i', sample('bframes-faststart.mp4'), '-t', '10', '-c', 'copy', '-output_ts_offset', '5000'],
  'no-metadata.flv': ['-i', sample('bframes-faststart.mp4'), '-c', 'copy', '-flvflags', 'no_metadata+no_sequence_end'],
};
const FILES = ['keyframes.flv', 'plain.flv', ...Object.keys(MADE)];
/** [start, end] as shares of the duration. */
const CUTS: [number, number | undefined][] = [
  [0.31, undefined],
  [0.2, 0.65],
  [0, 0.4],
];

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

const round = (seconds: number) => Math.round(seconds * 1000);
const of = (packets: readonly Packet[], track: string) => packets.filter(packet => packet.track === track);

for (const name of FILES) {
  test(`${name}: every cut plays`, async () => {
    const path = MADE[name] ? await folder.ffmpeg(name, ...MADE[name]) : sample(name);
    const bytes = await readFile(path);
    const { packets: whole, duration } = await probe(path);
    const files = [path];
    for (const timestamps of ['kept', 'rebased'] as const) {
      const options: FlvOptions = { start: 'seconds', timestamps };
      const format = new Flv(options);
      const index = (await format.compile(new MemorySource(bytes)))!;
      for (const [from, to] of timestamps === 'kept' ? CUTS : CUTS.slice(0, 2)) {
        const length = Math.min(duration, index.duration / 1000);
        const seek = { start: from * length, end: to === undefined ? undefined : to * length };
        const file = (await format.plan(index, mediaObject(new MemorySource(bytes)), seek))!;
        const cut = await folder.write(render(file, bytes), 'flv');
        files.push(cut);
        const shown = await probe(cut);
        checkPackets(whole, shown.packets, { actual: file.seekActual!, timestamps, ends: to !== undefined });
        const expected = (seek.end ?? index.duration / 1000) - file.seekActual!;
        assert.ok(Math.abs(shown.duration - expected) < 0.2, `${shown.duration} s, not ${expected}`);
      }
    }
    assert.equal(await complaints(...files), '');
  });
}

function checkPackets(
  whole: readonly Packet[],
  cut: readonly Packet[],
  { actual, timestamps, ends }: { actual: number; timestamps: FlvOptions['timestamps']; ends: boolean },
): void {
  const tracks = [...new Set(whole.map(({ track }) => track))];
  const main = tracks.includes('video0') ? 'video0' : tracks[0]!;
  const lead = of(whole, main);
  const base = Math.min(...tracks.map(track => round(of(whole, track)[0]!.dts)));
  const start = lead.findLast(packet => packet.key && round(packet.dts) <= round(actual) + base)!;
  const less = timestamps === 'rebased' ? round(start.dts) : 0;
  for (const track of tracks) {
    const found = of(cut, track);
    assert.ok(found.length > 0, `${track} is there`);
    const source = of(whole, track);
    const at = source.findIndex(
      packet => packet.hash === found[0]!.hash && Math.abs(round(packet.dts) - less - round(found[0]!.dts)) <= 1,
    );
    assert.ok(at >= 0, `${track} begins with a packet of the source at its time`);
    const expected = source.slice(at, ends ? at + found.length : undefined);
    assert.deepEqual(
      found.map(({ hash, pts, dts }) => [hash, Math.max(0, round(pts)), Math.max(0, round(dts))]),
      expected.map(({ hash, pts, dts }) => [hash, Math.max(0, round(pts) - less), Math.max(0, round(dts) - less)]),
      track,
    );
    if (track === main)
      assert.ok(found[0]!.key && found[0]!.hash === start.hash, 'the cut begins with the key frame before start');
    else assert.ok(Math.abs(round(found[0]!.dts) + less - round(start.dts)) < 150, `${track} begins with the video`);
  }
}
