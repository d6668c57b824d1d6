/**
 * ffmpeg, mediabunny and mp4box read the cuts of fragmented MP4 files: no complaint, and the packets of the source with
 * their times.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';
import { createFile, type ISOFile, MP4BoxBuffer } from 'mp4box';
import { FragmentedMp4 } from '../../../../src/media/fmp4/fragmented-mp4.js';
import { complaints, MediaFolder, type Packet, probe } from '../../../support/ffmpeg.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';
import { cases } from './clips.js';

/** [start, end] as shares of the duration. */
const CUTS: readonly [number, number | undefined][] = [
  [0.31, undefined],
  [0.9, undefined],
  [0.26, 0.72],
  [0, 0.5],
];

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

const of = (packets: readonly Packet[], track: string) => packets.filter(packet => packet.track === track);
const near = (a: number, b: number) => Math.abs(a - b) <= 0.001;

describe('cut of a fragmented MP4', { concurrency: 2 }, () => {
  for (const { name, make, timed = true, hybrid = false, heardLate = 0 } of cases) {
    it(name, async () => {
      const path = await make();
      const bytes = await readFile(path);
      const whole = (await probe(path)).packets.map(packet =>
        packet.track.startsWith('audio')
          ? { ...packet, pts: packet.pts - heardLate, dts: packet.dts - heardLate }
          : packet,
      );
      const format = new FragmentedMp4();
      const index = (await format.compile(new MemorySource(bytes)))!;
      const duration = index.duration / index.reference.timescale;
      const cuts: string[] = [];
      for (const [from, to] of CUTS) {
        const seek = { start: from * duration, end: to === undefined ? undefined : to * duration };
        const file = (await format.plan(index, mediaObject(new MemorySource(bytes)), seek))!;
        const output = render(file, bytes);
        const cut = await folder.write(output, 'mp4');
        cuts.push(cut);
        const shown = await probe(cut);
        checkPackets(whole, shown.packets, { timed, actual: file.seekActual!, ends: to !== undefined });
        assert.ok(file.seekActual! <= seek.start + 0.001, `begins at ${file.seekActual}, after ${seek.start}`);
        if (!hybrid || file.seekActual! > 0) await checkMediabunny(output, shown.packets, timed);
        checkMp4box(output, shown.packets);
      }
      assert.equal(await complaints(...cuts), '');
    });
  }
});

function checkPackets(
  whole: readonly Packet[],
  cut: readonly Packet[],
  { timed, actual, ends }: { timed: boolean; actual: number; ends: boolean },
): void {
  const tracks = [...new Set(whole.map(({ track }) => track))];
  const main = tracks.includes('video0') ? 'video0' : tracks[0]!;
  const lead = of(whole, main);
  const base = lead[0]!.pts;
  const start = lead.findLast(packet => packet.key && packet.pts <= base + actual + 0.001)!;
  for (const track of tracks) {
    const found = of(cut, track);
    const source = of(whole, track);
    const at = source.findIndex(({ hash, dts }) => hash === found[0]?.hash && (!timed || near(dts, found[0].dts)));
    assert.ok(at >= 0, `${track} begins with a packet of the source at its time`);
    // Without decoding times, each track of the cut begins at 0.
    const less = timed ? 0 : source[at]!.dts - found[0]!.dts;
    const expected = source.slice(at, ends ? at + found.length : undefined);
    assert.deepEqual(
      found.map(({ hash }) => hash),
      expected.map(({ hash }) => hash),
      `${track}: the packets of the source`,
    );
    const wrong = found.find(
      ({ pts, dts }, i) => !near(pts, expected[i]!.pts - less) || !near(dts, expected[i]!.dts - less),
    );
    assert.equal(wrong, undefined, `${track}: at their times`);
    if (track === main)
      assert.ok(found[0]!.key && found[0]!.hash === start.hash, 'begins with the key frame before start');
    else
      assert.ok(
        source[at]!.dts - start.pts < 0.3 && source[at]!.pts - start.pts > -0.6,
        `${track} begins with the video`,
      );
  }
}

/** mediabunny finds as many packets as ffprobe, and the first and the last at the same times. */
async function checkMediabunny(output: Buffer, packets: readonly Packet[], timed: boolean): Promise<void> {
  const input = new Input({ source: new BufferSource(output), formats: ALL_FORMATS });
  const video = await input.getPrimaryVideoTrack();
  const track = video ?? (await input.getPrimaryAudioTrack());
  assert.ok(track);
  const expected = of(packets, video ? 'video0' : 'audio0');
  const sink = new EncodedPacketSink(track);
  let [count, first] = [0, undefined as number | undefined];
  for await (const packet of sink.packets(undefined, undefined, { metadataOnly: true })) {
    first ??= packet.timestamp;
    count++;
  }
  assert.equal(count, expected.length, 'mediabunny counts the same packets');
  // It counts negative composition offsets as they are; ffmpeg moves them until none is negative.
  if (timed)
    assert.ok(
      Math.abs(first! - expected[0]!.pts) < 0.1,
      `mediabunny begins at ${first}, ffprobe at ${expected[0]!.pts}`,
    );
}

/** mp4box finds the samples of all tracks. */
function checkMp4box(output: Buffer, packets: readonly Packet[]): void {
  const file: ISOFile = createFile();
  let tracks: { nb_samples: number }[] = [];
  file.onError = (module: string, message: string) => assert.fail(`mp4box: ${module}: ${message}`);
  file.onReady = info => {
    tracks = info.tracks;
  };
  file.appendBuffer(
    MP4BoxBuffer.fromArrayBuffer(
      output.buffer.slice(output.byteOffset, output.byteOffset + output.length) as ArrayBuffer,
      0,
    ),
  );
  file.flush();
  assert.ok(tracks.length > 0, 'mp4box is ready');
  const counts = tracks.map((_, i) => file.getTrackById(file.getInfo().tracks[i]!.id)!.samples.length).sort();
  const expected = [...new Set(packets.map(({ track }) => track))].map(track => of(packets, track).length).sort();
  assert.deepEqual(counts, expected, 'mp4box finds the same samples');
}
