/** `?frame=T` is the picture that ffmpeg decodes of the key frame at or before T, alone in an MP4. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cases as fragmented } from '../../conformance/media/fmp4/clips.js';
import { cases } from '../../conformance/media/mp4/clips.js';
import { aac, clip, picture, tone } from '../../support/clips.js';
import { Edge } from '../../support/edge.js';
import { MediaFolder, probe } from '../../support/ffmpeg.js';
import { fetchRaw } from '../../support/raw-http.js';

const run = promisify(execFile);
const sample = (name: string) => async () => fileURLToPath(new URL(`../../../src/samples/${name}`, import.meta.url));
const named = (name: string) => cases.find(film => film.name === name)!.make;

const inFragments = (name: string) => fragmented.find(film => film.name === name)!.make;

/** Films by what is particular about them. */
const films: Readonly<Record<string, () => Promise<string>>> = {
  'B-frames': sample('bframes-faststart.mp4'),
  'moov last': sample('bframes-moov-last.mp4'),
  'long groups of pictures': sample('long-gop.mp4'),
  'pictures that begin late': named('video that begins after the sound'),
  'open groups of pictures': named('open groups of pictures'),
  'no edit lists': named('no edit lists'),
  'frames of different lengths': named('variable frame rate'),
  'fragments and edit lists': inFragments('mfra, edit lists'),
  'a fragment for each track': inFragments('a fragment for each track'),
  'several fragments for each key frame': inFragments('several fragments for each key frame'),
  'samples in moov as well as in fragments': inFragments('samples in moov as well'),
  HEVC: named('HEVC'),
  AV1: named('AV1 and Opus'),
  'only key frames': () => clip('frame-mjpeg.mp4', [...picture(3), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p']),
  'turned by a phone': async () =>
    clip('frame-turned.mp4', ['-i', await named('B-frames and AAC')(), '-c', 'copy', '-metadata:s:v:0', 'rotate=90']),
};

/** A picture that ffmpeg decodes: its second, and the hash of it as it is shown. */
interface Picture {
  readonly second: number;
  readonly hash: string;
}

/** The frames of a file as ffmpeg decodes them. */
async function pictures(path: string): Promise<Picture[]> {
  const input = ['-nostdin', '-v', 'error', '-copyts', '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough'];
  const { stdout } = await run('ffmpeg', [...input, '-f', 'framemd5', '-'], { maxBuffer: 64 << 20 });
  const [, num = '0', den = '1'] = /^#tb 0: (\d+)\/(\d+)$/m.exec(stdout) ?? [];
  return stdout.split('\n').flatMap(line => {
    if (line === '' || line.startsWith('#')) return [];
    const [, , pts, , , hash = ''] = line.split(',').map(field => field.trim());
    return [{ second: (Number(pts) * Number(num)) / Number(den), hash }];
  });
}

/** Those of a file's frames that ffprobe calls key frames. */
async function keyFrames(path: string): Promise<Picture[]> {
  const { packets } = await probe(path);
  const keys = packets.filter(({ track, key }) => track === 'video0' && key).map(({ pts }) => pts);
  const all = await pictures(path);
  return keys.flatMap(key => {
    // ffmpeg rounds times of frames to their rate.
    const frame = all.find(({ second }) => second > key - 0.005 && second < key + 0.021);
    return frame === undefined ? [] : { second: key, hash: frame.hash };
  });
}

let media: MediaFolder;
let folder: MediaFolder;
let edge: Edge;
before(async () => {
  media = await MediaFolder.make();
  folder = await MediaFolder.make();
  const names = Object.entries(films);
  for (const [i, [, make]] of names.entries()) {
    const file = await make();
    await copyFile(file, join(media.path, `${i}${extname(file)}`));
  }
  await copyFile(await clip('frame-sound.m4a', [...tone(3), ...aac]), join(media.path, 'sound.m4a'));
  await copyFile(await sample('keyframes.flv')(), join(media.path, 'film.flv'));
  const list = (files: readonly string[]) => JSON.stringify({ files });
  await writeFile(join(media.path, 'set.set.json'), list(['cat.en.srt', 'nothing.mp4', '0.mp4', '1.mp4']));
  await writeFile(join(media.path, 'none.set.json'), list(['nothing.mp4', 'neither.mp4']));
  await writeFile(join(media.path, 'wrong.set.json'), 'a list');
  edge = await Edge.start({ origin: media.path });
});
after(async () => {
  await edge?.end();
  await folder?.remove();
  await media?.remove();
});

describe('?frame=', () => {
  for (const [i, [name, make]] of Object.entries(films).entries()) {
    it(`of a film with ${name} is its key frame`, async () => {
      const file = await make();
      const keys = await keyFrames(file);
      assert.ok(keys.length > 1);
      const path = `/${i}${extname(file)}`;
      const last = keys.at(-1)!.second;
      const seconds = [0, keys[1]!.second, keys[1]!.second - 0.01, keys[1]!.second + 0.3, last / 2, last + 0.01];
      for (const second of seconds) {
        const { status, headers, body } = await edge.get(`${path}?frame=${second}`);
        assert.equal(status, 200, body.subarray(0, 200).toString());
        assert.equal(headers['content-type'], 'video/mp4');
        const expected = keys.findLast(key => key.second <= second + 1e-4) ?? keys[0]!;
        const actual = Number(headers['x-seek-actual']);
        assert.ok(Math.abs(actual - expected.second) < 0.0011, `${second}: ${actual}, ffmpeg ${expected.second}`);
        const found = await pictures(await folder.write(body, 'mp4'));
        assert.deepEqual(
          found.map(({ hash }) => hash),
          [expected.hash],
          `the frame at ${second} s`,
        );
        assert.ok(Math.abs(found[0]!.second) < 1e-6, 'it begins at 0');
      }
    });
  }

  it('has an entity tag, ranges, conditions and HEAD as other answers have', async () => {
    const { headers, body } = await edge.get('/0.mp4?frame=11');
    const same = await edge.get('/0.mp4?frame=11.5');
    assert.equal(same.headers.etag, headers.etag, 'the same frame');
    assert.notEqual((await edge.get('/0.mp4?frame=5')).headers.etag, headers.etag);
    assert.notEqual((await edge.get('/0.mp4')).headers.etag, headers.etag);
    assert.equal((await edge.get('/0.mp4?frame=11', { 'If-None-Match': headers.etag! })).status, 304);
    const part = await edge.get('/0.mp4?frame=11', { Range: 'bytes=10-999', 'If-Range': headers.etag! });
    assert.equal(part.status, 206);
    assert.deepEqual(part.body, body.subarray(10, 1000));
    const head = await fetchRaw(edge.port, 'HEAD', '/0.mp4?frame=11');
    assert.equal(head.fields['content-length'], String(body.length));
    assert.equal(headers['last-modified'], (await edge.get('/0.mp4')).headers['last-modified']);
  });

  it('of a set, whether its URL names it or a list, is that of its first film that is there', async () => {
    const frame = await edge.get('/0.mp4?frame=11');
    const named = await edge.get('/,nothing,0,1,.mp4.urlset?frame=11');
    assert.deepEqual([named.status, named.body], [200, frame.body]);
    const listed = await edge.get('/set.set.json?frame=11');
    assert.deepEqual([listed.status, listed.body], [200, frame.body]);
    assert.equal(listed.headers.etag, frame.headers.etag);
    assert.equal((await edge.get('/set.set.json?frame=11', { 'If-None-Match': frame.headers.etag! })).status, 304);
    assert.equal((await edge.get('/wrong.set.json?frame=11')).status, 422);
    assert.equal((await edge.get('/none.set.json?frame=11')).status, 404);
    assert.equal((await edge.get('/missing.set.json?frame=11')).status, 404);
  });

  it('comes before start, and is ignored when it is malformed', async () => {
    const frame = await edge.get('/0.mp4?frame=11');
    assert.deepEqual((await edge.get('/0.mp4?start=20&frame=11')).body, frame.body);
    const whole = await edge.get('/0.mp4');
    for (const text of ['', 'undefined', '-1', '1e3', 'NaN', '1,5', '0x10'])
      assert.equal((await edge.get(`/0.mp4?frame=${text}`)).headers.etag, whole.headers.etag, text);
    const sought = await edge.get('/0.mp4?start=20');
    assert.equal((await edge.get('/0.mp4?start=20&frame=undefined')).headers.etag, sought.headers.etag);
  });

  it('past the end is 416 with the duration, and of what has no pictures 422 with the reason', async () => {
    const past = await edge.get('/0.mp4?frame=36.5');
    assert.equal(past.status, 416);
    assert.match(past.body.toString(), /ends at 36\.\d+ s/);
    const end = await edge.get('/0.mp4?frame=35.99');
    assert.equal(end.status, 200);
    const sound = await edge.get('/sound.m4a?frame=1');
    assert.equal(sound.status, 422);
    assert.match(sound.body.toString(), /pictures/);
    const flv = await edge.get('/film.flv?frame=1');
    assert.equal(flv.status, 422);
    assert.match(flv.body.toString(), /MP4/);
    assert.equal((await edge.get('/nothing.mp4?frame=1')).status, 404);
  });
});
