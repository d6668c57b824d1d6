/** What judges our packaging finds nothing in ffmpeg's but what is wrong with it. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { aac, clip, h264, picture, tone } from '../../support/clips.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { type FolderServer, serveFolders } from '../../support/serve-folder.js';
import { packageByFfmpeg } from '../../support/streaming/ffmpeg-packager.js';
import * as oracles from '../../support/streaming/oracles.js';
import { loadDash, loadHls, type Packaged, type Rendition, type Segment } from '../../support/streaming/packaged.js';

let folder: MediaFolder;
let server: FolderServer;
let film: string;
let hls: Packaged;
let dash: Packaged;
let urls: { readonly hls: string; readonly dash: string };
before(async () => {
  folder = await MediaFolder.make();
  server = await serveFolders({ media: folder.path });
  film = await clip('oracles.mp4', [...picture(6), ...tone(6), ...h264(), ...aac]);
  const made = await packageByFfmpeg(folder, 'film', [film]);
  urls = { hls: `${server.url}/media/${made.hls}`, dash: `${server.url}/media/${made.dash}` };
  hls = await loadHls(urls.hls);
  dash = await loadDash(urls.dash);
});
after(async () => {
  await server.close();
  await folder.remove();
});

it('has nothing against packets and frames, which are copied', async () => {
  const source = await oracles.probeStreams(film);
  for (const packaged of [hls, dash]) {
    const shift = oracles.assertSamePackets(source, await oracles.probeRenditions(packaged, folder));
    assert.ok(Math.abs(shift) < 1);
  }
  for (const url of [urls.hls, urls.dash])
    for (const map of ['0:v:0', '0:a:0']) await oracles.assertSameFrames(film, url, map);
});

it('has nothing against segments, and what HLS says of their durations', async () => {
  for (const packaged of [hls, dash]) await oracles.assertEachDecodes(packaged, folder);
  oracles.assertDurations(await oracles.probeRenditions(hls, folder));
});

it('finds a BANDWIDTH that is too low or too high', () => {
  oracles.assertBandwidth(hls);
  for (const factor of [0.85, 1.2]) {
    const renditions = hls.renditions.map(rendition => {
      const attributes = { ...rendition.attributes, BANDWIDTH: Number(rendition.attributes.BANDWIDTH) * factor };
      return { ...rendition, attributes };
    });
    assert.throws(() => oracles.assertBandwidth({ ...hls, renditions }), /BANDWIDTH of .* is \d+.*, measured \d+/);
  }
});

it('finds a packet that is gone, another that is late, a segment without its key frame, a wrong duration', async () => {
  const source = await oracles.probeStreams(film);
  const change = (changed: (rendition: Rendition) => Rendition): Packaged => {
    const [first, ...others] = hls.renditions;
    return { ...hls, renditions: [changed(first!), ...others] };
  };
  const segments = (changed: (segment: Segment, i: number) => Segment[]) =>
    change(rendition => ({ ...rendition, segments: rendition.segments.flatMap(changed) }));
  const gone = segments((segment, i) => (i === 1 ? [] : [segment]));
  await assert.rejects(
    async () => oracles.assertSamePackets(source, await oracles.probeRenditions(gone, folder)),
    /packets/,
  );
  const late = segments((segment, i) => {
    const bytes = Buffer.from(segment.bytes);
    const at = bytes.indexOf('tfdt') + 8;
    if (i > 0) bytes.writeBigUInt64BE(bytes.readBigUInt64BE(at) + 60n, at);
    return [{ ...segment, bytes }];
  });
  await assert.rejects(
    async () => oracles.assertSamePackets(source, await oracles.probeRenditions(late, folder)),
    /s off/,
  );
  const longer = segments((segment, i) => [{ ...segment, duration: segment.duration + (i === 1 ? 0.01 : 0) }]);
  const probed = await oracles.probeRenditions(longer, folder);
  assert.throws(() => oracles.assertDurations(probed), /segment 1 of .* lasts/);
});
