/** Smooth Streaming: `tfxd` is all that tells the times of its fragments, and sound begins before 0 there. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, it } from 'node:test';
import { FragmentedMp4 } from '../../../../src/media/fmp4/fragmented-mp4.js';
import type { MediaPackage } from '../../../../src/media/packaging/media-package.js';
import { aac, clip, h264, picture, tone } from '../../../support/clips.js';
import { MediaFolder, probe } from '../../../support/ffmpeg.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const films: Readonly<Record<string, readonly string[]>> = {
  'B-frames, 44.1 kHz': [...picture(7), ...tone(7), ...h264(25, '-bf', '2'), ...aac],
  'no B-frames, 48 kHz': [...picture(7, '30000/1001'), ...tone(7, 330, 48000), ...h264(30, '-bf', '0'), ...aac],
  'two sounds of other rates': [
    ...[...picture(7), ...tone(7, 330, 22050), ...tone(7, 500, 48000), '-map', '0', '-map', '1', '-map', '2'],
    ...[...h264(25, '-bf', '2'), ...aac],
  ],
};

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

/** When each sample of each track is presented, seconds of the source. */
async function presentations(path: string): Promise<{ pack: MediaPackage; times: number[][] }> {
  const object = mediaObject(new MemorySource(await readFile(path), 'mixed'), { identity: path });
  const packager = makePackager();
  const pack = await packager.package(object, { target: 2, shortest: 0.5 });
  const times: number[][] = [];
  for (const track of pack.tracks) {
    const { samples, times: tfdt, count } = track.segments;
    const run = await packager.samples(object, track, samples[0]!, samples[count]!);
    let time = tfdt[0]!;
    times.push(
      Array.from({ length: run.count }, (_, i) => {
        const shown = (time + run.compositions[i]! - track.editMedia) / track.timescale + pack.origin;
        time += run.durations[i]!;
        return shown;
      }),
    );
  }
  return { pack, times };
}

for (const [name, options] of Object.entries(films)) {
  const key = name.replace(/\W+/g, '-');
  const original = () => clip(`smooth-${key}.mp4`, [...options]);
  const smooth = async () => clip(`smooth-${key}.ismv`, ['-i', await original(), '-map', '0', '-c', 'copy']);

  it(`packaged tracks have the skew that they have in the MP4 that it was made of: ${name}`, async () => {
    const [ours, theirs] = [await presentations(await smooth()), await presentations(await original())];
    assert.equal(ours.pack.tracks.length, theirs.pack.tracks.length);
    for (const [track, times] of ours.times.entries()) {
      const expected = theirs.times[track]!;
      assert.equal(times.length, expected.length);
      for (const [i, time] of times.entries())
        assert.ok(Math.abs(time - expected[i]!) < 0.0011, `sample ${i} of track ${track}: ${time}, not ${expected[i]}`);
    }
    assert.ok(Math.abs(ours.pack.origin - theirs.pack.origin) < 0.0011);
    assert.ok(
      ours.pack.tracks.some(({ kind, editMedia }) => kind === 'audio' && editMedia > 0),
      'sound is primed',
    );
  });

  it(`cuts keep that skew, without what stands before 0: ${name}`, async () => {
    const bytes = await readFile(await smooth());
    const { times, pack } = await presentations(await original());
    const format = new FragmentedMp4();
    const index = (await format.compile(new MemorySource(bytes)))!;
    assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
    for (const seek of [
      { start: 0, end: 4 },
      { start: 2.5, end: undefined },
      { start: 1, end: 3 },
    ]) {
      const cut = (await format.plan(index, mediaObject(new MemorySource(bytes)), seek))!;
      const { packets } = await probe(await folder.write(render(cut, bytes), 'mp4'));
      let sound = 0;
      for (const [place, { kind }] of pack.tracks.entries()) {
        if (kind !== 'audio') continue;
        const own = packets.filter(({ track }) => track === `audio${sound}`).map(({ pts }) => pts);
        assert.ok(own.length > 20, `${own.length} packets of sound ${sound}`);
        for (const time of own) {
          assert.ok(time >= 0);
          const nearest = Math.min(...times[place]!.map(each => Math.abs(each - time)));
          assert.ok(nearest < 0.0011, `a packet of sound ${sound} at ${time} s is ${nearest} s off`);
        }
        sound++;
      }
    }
  });
}
