/**
 * Whatever publishers send, and however they follow one another under a name, on its way through an edge: FLV comes out
 * byte for byte, and HLS as the packets that were published, which ffprobe reads.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { clip, picture, tone } from '../../../support/clips.js';
import { complaints, MediaFolder } from '../../../support/ffmpeg.js';
import { LiveEdge } from '../../../support/live-edge.js';
import {
  type PublishedFilm,
  type PublishedTag,
  packetsOf,
  publishedFilm,
  shifted,
} from '../../../support/published-film.js';
import { metadata, RtmpPublisher } from '../../../support/rtmp-publisher.js';
import { until } from '../../../support/until.js';

const run = promisify(execFile);
const SECONDS = 3;

/** Options of ffmpeg for a codec; what a playlist calls it. */
const CODECS = {
  avc1: [['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '50', '-pix_fmt', 'yuv420p'], /avc1\.\w{6}/],
  hvc1: [
    ['-c:v', 'libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1', '-x265-params', 'keyint=50:bframes=2:log-level=0'],
    /hvc1\.1\.6\.L\d+\.90/,
  ],
  av01: [['-c:v', 'libaom-av1', '-usage', 'realtime', '-cpu-used', '8', '-g', '50'], /av01\.0\.\d\dM\.08/],
  vp09: [['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-g', '50'], /vp09\.00\.\d\d\.08/],
  mp4a: [['-c:a', 'aac', '-ac', '1'], /mp4a\.40\.2/],
  Opus: [['-c:a', 'libopus', '-b:a', '32k', '-ar', '48000'], /[oO]pus/],
} as const satisfies Record<string, readonly [readonly string[], RegExp]>;

/** A film of these codecs. */
async function film(video: keyof typeof CODECS, audio: keyof typeof CODECS, size = '160x90'): Promise<PublishedFilm> {
  const options = [...picture(SECONDS, '25', size), ...tone(SECONDS, 330, 48_000)];
  return publishedFilm(await clip(`live-${video}.mp4`, [...options, ...CODECS[video][0], ...CODECS[audio][0]]));
}

let live: LiveEdge;
let media: MediaFolder;
before(async () => {
  media = await MediaFolder.make();
  live = await LiveEdge.start('grace: 100s');
});
after(async () => {
  await live.edge.end();
  await media.remove();
});

const state = async (name: string) => (await live.streams()).find(stream => stream.name === name)?.state;

/** Publishes tags as fast as they are taken, and waits until they have been. */
async function publish(name: string, ...films: readonly PublishedFilm[]): Promise<void> {
  const publisher = await RtmpPublisher.publish(live.rtmpPort, name);
  let from = 0;
  for (const { headers, frames } of films) {
    // That of VP9 does not say how large pictures are.
    publisher.media(18, from, metadata({ width: 160, height: 90 }));
    for (const { type, data } of headers) publisher.media(type, from, data);
    for (const { type, timestamp, data } of frames) publisher.media(type, from + timestamp, data);
    from += frames.at(-1)!.timestamp + 40;
  }
  await publisher.stop();
  await until('its end', async () => (await state(name)) === 'waiting');
}

/** A viewer by FLV, from the stream's beginning on. */
class Watcher {
  #bytes = Buffer.alloc(0);
  #at = 13;
  readonly #abort = new AbortController();
  readonly tags: PublishedTag[] = [];
  isOver = false;

  constructor(name: string) {
    void this.#read(`${live.edge.url}/live/${name}.flv?start=0`);
  }

  async #read(url: string): Promise<void> {
    try {
      const { body } = await fetch(url, { signal: this.#abort.signal });
      for await (const chunk of body!) this.#take(chunk);
    } catch {}
    this.isOver = true;
  }

  #take(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const bytes = this.#bytes;
    while (this.#at + 11 <= bytes.length) {
      const size = bytes.readUIntBE(this.#at + 1, 3);
      if (this.#at + 15 + size > bytes.length) return;
      const type = bytes[this.#at]! as 8 | 9;
      const timestamp = bytes.readUIntBE(this.#at + 4, 3) + bytes[this.#at + 7]! * 0x1000000;
      this.tags.push({ type, timestamp, data: bytes.subarray(this.#at + 11, this.#at + 11 + size) });
      this.#at += 15 + size;
    }
  }

  leave(): void {
    this.#abort.abort();
  }
}

async function text(name: string, file: string): Promise<string> {
  const answer = await fetch(`${live.edge.url}/live/${name}/${file}`);
  assert.equal(answer.status, 200, `${file}: ${answer.status}`);
  return answer.text();
}

/** Runs of a playlist without a discontinuity, each as a file of its init segment and segments; '' of one of gaps. */
async function runs(name: string, track: 'v1' | 'a1'): Promise<string[]> {
  const playlist = await text(name, `hls/${track}.m3u8`);
  const bytes = async (uri: string) =>
    Buffer.from(await (await fetch(`${live.edge.url}/live/${name}/hls/${uri}`)).arrayBuffer());
  const files = [];
  for (const lines of playlist.split('#EXT-X-DISCONTINUITY\n')) {
    const init = /EXT-X-MAP:URI="([^"]+)"/.exec(lines)?.[1];
    const segments = [...lines.matchAll(/(#EXT-X-GAP\n)?#EXTINF.*\n(.+)$/gm)].flatMap(([, gap, uri]) =>
      gap === undefined ? [uri!] : [],
    );
    const uris = [...(init === undefined ? [] : [init]), ...segments];
    files.push(
      segments.length === 0 ? '' : await media.write(Buffer.concat(await Promise.all(uris.map(bytes))), 'mp4'),
    );
  }
  return files;
}

const TRACKS = { v: 'v1', a: 'a1' } as const;

/** Each run is what a publisher sent, with its tracks in step, and later than the run before. */
async function assertRuns(name: string, films: readonly Pick<PublishedFilm, 'packets'>[]): Promise<string[]> {
  const files = { v: await runs(name, 'v1'), a: await runs(name, 'a1') };
  const all: string[] = [];
  let end = -1;
  for (const [at, { packets }] of films.entries()) {
    let shift: number | undefined;
    for (const track of ['v', 'a'] as const) {
      const file = files[track][at]!;
      const expected = packets[track];
      if (expected.length === 0) {
        assert.equal(file, '', `${TRACKS[track]} of ${at}`);
        continue;
      }
      const found = await packetsOf(file, track);
      shift ??= Number(found[0]!.split(' ')[0]) - Number(expected[0]!.split(' ')[0]);
      assert.deepEqual(found, shifted(expected, shift), `${TRACKS[track]} of ${at}`);
      all.push(file);
    }
    assert.ok(shift! > end, `${at} begins at ${shift}, behind ${end}`);
    end =
      shift! + Math.max(...Object.values(packets).flatMap(each => each.map(packet => Number(packet.split(' ')[0]))));
  }
  assert.deepEqual([files.v.length, files.a.length], [films.length, films.length]);
  return all;
}

describe('codecs by FourCC (Enhanced RTMP)', () => {
  const pairs = [
    ['avc1', 'mp4a'],
    ['hvc1', 'mp4a'],
    ['av01', 'Opus'],
    ['vp09', 'Opus'],
  ] as const;
  for (const [video, audio] of pairs) {
    it(`${video} and ${audio}: FLV as it came, HLS as it was encoded`, async () => {
      const name = `live/${video}`;
      const published = await film(video, audio);
      await publish(name, published);
      const viewer = new Watcher(name);
      const { headers, frames } = published;
      const count = headers.length + frames.length;
      await until('all tags', () => viewer.tags.length >= count);
      viewer.leave();
      const ofType = (tags: readonly PublishedTag[], type: number) =>
        tags.filter(tag => tag.type === type).map(({ timestamp, data }) => `${timestamp} ${data.toString('base64')}`);
      for (const type of [8, 9]) assert.deepEqual(ofType(viewer.tags, type), ofType([...headers, ...frames], type));
      const multivariant = await text(name, 'hls.m3u8');
      const [, codecs = ''] = /CODECS="([^"]+)"/.exec(multivariant) ?? [];
      assert.match(codecs, new RegExp(`^${CODECS[video][1].source},${CODECS[audio][1].source}$`));
      assert.match(multivariant, /RESOLUTION=160x90,FRAME-RATE=25\.000/);
      const files = await assertRuns(name, [published]);
      assert.equal(await complaints(...files), '');
    });
  }
});

describe('one stream of many publishers', () => {
  const name = 'live/changing';

  /** A film in FLV for ffmpeg to publish, and its packets. */
  async function source(file: string, ...options: string[]) {
    const path = await clip(file, options);
    return { path, packets: { v: await packetsOf(path, 'v'), a: await packetsOf(path, 'a') } };
  }

  /** ffmpeg publishes a file as it is. */
  async function byFfmpeg(path: string): Promise<void> {
    const { stderr } = await run('ffmpeg', [
      ...['-nostdin', '-v', 'error', '-i', path, '-c', 'copy', '-f', 'flv', live.url(name)],
    ]);
    assert.equal(stderr, '');
    await until('its end', async () => (await state(name)) === 'waiting');
  }

  it('other sizes, codecs and tracks: a discontinuity, an init segment and packets of each, and right playlists', async () => {
    const [h264, aac] = [CODECS.avc1[0], CODECS.mp4a[0]];
    const small = await source('live-small.flv', ...picture(SECONDS), ...tone(SECONDS), ...h264, ...aac);
    const large = await source(
      'live-large.flv',
      ...[...picture(SECONDS, '30', '640x360'), ...tone(SECONDS, 440, 48_000), ...h264, '-profile:v', 'main'],
      ...['-c:a', 'aac', '-ac', '2'],
    );
    const sound = await source('live-sound.flv', ...tone(SECONDS, 550, 32_000), ...aac);
    const mute = await source('live-mute.flv', ...picture(SECONDS, '50', '320x180'), ...h264);
    const av1 = await film('av01', 'Opus');
    const hevc = await film('hvc1', 'mp4a');
    const playlist = () => text(name, 'hls.m3u8');

    await byFfmpeg(small.path);
    const watcher = new Watcher(name);
    assert.match(await playlist(), /CODECS="avc1\.\w{6},mp4a\.40\.2",RESOLUTION=160x90,FRAME-RATE=25\.000/);
    await byFfmpeg(large.path);
    assert.match(await playlist(), /CODECS="avc1\.4d\w{4},mp4a\.40\.2",RESOLUTION=640x360,FRAME-RATE=30\.000/);
    await publish(name, av1);
    assert.match(await playlist(), /CODECS="av01\.[\w.]+,[oO]pus",RESOLUTION=160x90,FRAME-RATE=25\.000/);
    await byFfmpeg(sound.path);
    assert.match(await playlist(), /CODECS="mp4a\.40\.2"\n(.*\n)*hls\/a1\.m3u8\n$/);
    await byFfmpeg(mute.path);
    assert.match(await playlist(), /CODECS="avc1\.\w{6}",RESOLUTION=320x180,FRAME-RATE=50\.000/);
    // One that changes its mind in mid-stream.
    await publish(name, hevc, av1);
    assert.match(await playlist(), /CODECS="av01\.[\w.]+,[oO]pus",RESOLUTION=160x90/);

    const all = [small, large, av1, sound, mute, hevc, av1];
    const files = await assertRuns(name, all);
    assert.equal(await complaints(...files), '');
    // Playlists of both tracks agree in every segment.
    const [video, audio] = [await text(name, 'hls/v1.m3u8'), await text(name, 'hls/a1.m3u8')];
    const shape = (list: string) =>
      list
        .replaceAll(/^(v1|a1)\//gm, '')
        .split('\n')
        .filter(line => /^\d+\.m4s$|^#EXT-X-DISCONTINUITY/.test(line));
    assert.deepEqual(shape(video), shape(audio));
    assert.equal(new Set(video.match(/EXT-X-MAP:URI="[^"]+"/g)).size, all.length - 1);

    // A viewer by FLV was there all the time.
    const count = all.reduce((sum, { packets }) => sum + packets.v.length + packets.a.length, 0);
    const isFrame = ({ type, data }: PublishedTag) =>
      type === 9 ? data.length > 5 && (data[0]! & 0x80 ? (data[0]! & 15) !== 0 : data[1] === 1) : type === 8;
    const frames = () => watcher.tags.filter(isFrame).filter(({ type, data }) => type === 9 || !isSoundHeader(data));
    await until(
      () => `all frames; found ${frames().length} of ${count}`,
      () => frames().length >= count,
    );
    assert.ok(!watcher.isOver);
    watcher.leave();
    for (const type of [8, 9]) {
      const times = watcher.tags.filter(tag => tag.type === type).map(({ timestamp }) => timestamp);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    }
  });
});

function isSoundHeader(data: Buffer): boolean {
  return data[0]! >> 4 === 10 ? data[1] === 0 : (data[0]! & 15) === 0;
}
