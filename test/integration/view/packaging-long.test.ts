/** A film of six hours, of 29.97 pictures a second and sound of 44.1 kHz, from its first segment to its last. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { type ParsedPlaylist, Parser } from 'm3u8-parser';
import { parse } from 'mpd-parser';
import { aac, h264, picture, tone } from '../../support/clips.js';
import { Edge } from '../../support/edge.js';
import { MediaFolder, type Packet, probe } from '../../support/ffmpeg.js';
import { assertMpd } from '../../support/streaming/mpd-schema.js';

const HOURS = 6;
/** Seconds of the clip that is repeated: 600 pictures. */
const PERIOD = 20.02;
const PICTURES = 600;
const TIMES = Math.ceil((HOURS * 3600) / PERIOD);

let folder: MediaFolder;
let edge: Edge;
/** Of the clip. */
let source: readonly Packet[];
before(async () => {
  folder = await MediaFolder.make();
  const [small, sound] = [picture(PERIOD, '30000/1001', '64x48'), tone(PERIOD)];
  await folder.ffmpeg('clip.mp4', ...small, ...sound, ...h264(60, '-bf', '2'), ...aac);
  const clip = join(folder.path, 'clip.mp4');
  await folder.ffmpeg('film.mp4', '-stream_loop', String(TIMES - 1), '-i', clip, '-c', 'copy');
  source = (await probe(clip)).packets;
  edge = await Edge.start({ origin: folder.path });
});
after(async () => {
  await edge?.end();
  await folder?.remove();
});

async function bytes(path: string): Promise<Buffer> {
  const { status, body } = await edge.get(path);
  assert.equal(status, 200, `${path}: ${body.subarray(0, 200)}`);
  return body;
}

async function playlist(path: string): Promise<ParsedPlaylist> {
  const parser = new Parser();
  parser.push((await bytes(path)).toString());
  parser.end();
  return parser.manifest;
}

it('its segments follow each other to its end, and each is what its playlist says', async () => {
  const text = (await bytes('/film.mp4/hls.m3u8')).toString();
  const [, version] = /^([0-9a-f]{16})\//m.exec(text)!;
  const base = `/film.mp4/${version}`;
  const total = PERIOD * TIMES;
  for (const track of ['v1', 'a1']) {
    const { segments, targetDuration } = await playlist(`${base}/${track}.m3u8`);
    const begins = [0];
    for (const { duration } of segments) begins.push(begins.at(-1)! + duration);
    // Copies of the clip follow each other by its sound, which is a frame longer.
    assert.ok(Math.abs(begins.at(-1)! - total) < TIMES * 0.05, `${begins.at(-1)} s of ${total} s`);
    assert.ok(segments.every(({ duration }) => duration >= 2.9 && Math.round(duration) <= targetDuration!));
    const init = await bytes(`${base}/${track}/init.mp4`);
    let first: number | undefined;
    for (const row of [0, 1, segments.length >> 1, segments.length - 2, segments.length - 1]) {
      const segment = await bytes(`${base}/${segments[row]!.uri}`);
      const { packets } = await probe(await folder.write(Buffer.concat([init, segment]), 'mp4'));
      const shown = packets.map(({ pts }) => pts);
      const begin = Math.min(...shown);
      // Players of HLS know of no edit list: what that hides counts.
      first ??= begin;
      assert.ok(Math.abs(begin - first - begins[row]!) < 0.002, `segment ${row} of ${track} begins at ${begin} s`);
      const lasts = Math.max(...shown) - begin;
      assert.ok(lasts < segments[row]!.duration && lasts > segments[row]!.duration - 0.15, `${lasts} s`);
      const own = source.filter(packet => packet.track === (track === 'v1' ? 'video0' : 'audio0'));
      const at = own.findIndex(({ hash }) => hash === packets[0]!.hash);
      assert.ok(at >= 0, `segment ${row} of ${track} begins with a packet of the clip`);
      for (const [i, { hash }] of packets.entries())
        assert.equal(hash, own[(at + i) % own.length]!.hash, `packet ${i} of segment ${row} of ${track}`);
      if (track === 'v1') assert.ok(at % 60 === 0 && at < PICTURES && packets[0]!.key, `a key frame: ${at}`);
    }
  }
});

it('DASH has the same segments, and clips and frames are found near its end', async () => {
  const text = (await bytes('/film.mp4/dash.mpd')).toString();
  assertMpd(text);
  const { playlists } = parse(text, { manifestUri: `${edge.url}/film.mp4/dash.mpd` });
  const [, version] = /initialization="([0-9a-f]{16})\//.exec(text)!;
  const { segments } = await playlist(`/film.mp4/${version}/v1.m3u8`);
  assert.equal(playlists[0]!.segments.length, segments.length);
  const last = playlists[0]!.segments.at(-1)!;
  assert.ok(last.presentationTime > 21_500, `the last begins at ${last.presentationTime} s`);
  const clip = (await bytes('/film.mp4/hls.m3u8?start=21001&end=21031')).toString();
  const [, part] = /^([0-9a-f]{16}-21001000-21031000)\//m.exec(clip)!;
  const rows = (await playlist(`/film.mp4/${part}/v1.m3u8`)).segments;
  const lasts = rows.reduce((sum, { duration }) => sum + duration, 0);
  assert.ok(lasts >= 30 && lasts < 32.2, `${lasts} s from the key frame before`);
  const { headers } = await edge.get('/film.mp4?frame=21001');
  const actual = Number(headers['x-seek-actual']);
  assert.ok(actual <= 21_001 && actual > 21_001 - 2.1, `${actual} s`);
});
