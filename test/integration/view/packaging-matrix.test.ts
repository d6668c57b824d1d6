/** Whatever is packaged behaves as any file does: entity tags, conditions, ranges, HEAD, CORS, Cache-Status, errors. */
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { aac, clip, h264, picture, tone } from '../../support/clips.js';
import { Edge } from '../../support/edge.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { fetchRaw } from '../../support/raw-http.js';

const [HLS, DASH, VTT] = ['application/vnd.apple.mpegurl', 'application/dash+xml', 'text/vtt; charset=utf-8'];
const [VIDEO, AUDIO, CUES] = ['video/mp4', 'audio/mp4', 'application/mp4'];
const FILM: readonly (readonly [part: string, type: string])[] = [
  ...([
    ['v1.m3u8', HLS],
    ['v1-iframes.m3u8', HLS],
    ['a1.m3u8', HLS],
    ['v1/init.mp4', VIDEO],
  ] as const),
  ...([
    ['v1/1.m4s', VIDEO],
    ['v1/i1.m4s', VIDEO],
    ['v1.mp4', VIDEO],
    ['a1/init.mp4', AUDIO],
  ] as const),
  ...([
    ['a1/2.m4s', AUDIO],
    ['a1.mp4', AUDIO],
    ['s1.m3u8', HLS],
    ['s1/1.vtt', VTT],
    ['s1/1.m4s', CUES],
  ] as const),
  ...([
    ['s1/init.mp4', CUES],
    ['f2-s1.m3u8', HLS],
    ['f2-s1/1.vtt', VTT],
    ['f2-s1.vtt', VTT],
  ] as const),
];
const SET = FILM.filter(([part]) => !part.startsWith('f2-')).map(([part, type]) => [`f1-${part}`, type] as const);
/** What is packaged, and below its version, what there is of it. */
const FILES: Readonly<Record<string, readonly (readonly [part: string, type: string])[]>> = {
  '/film.mp4': FILM,
  '/film.mp4?start=2.5&end=7': FILM,
  '/fragmented.mp4': FILM.filter(([part]) => !/s1/.test(part)),
  '/fil,m,n,.mp4.urlset': [...SET, ['f2-v1/2.m4s', VIDEO], ['f2-v1.mp4', VIDEO]],
  '/fil,m,n,.mp4.urlset?start=2.5': [...SET, ['f2-v1/1.m4s', VIDEO]],
  '/films.set.json': [...SET, ['f2-v1/2.m4s', VIDEO], ['f3-s1/1.vtt', VTT], ['f3-s1.vtt', VTT]],
};
const MANIFESTS = { 'hls.m3u8': HLS, 'master.m3u8': HLS, 'dash.mpd': DASH, 'manifest.mpd': DASH };

let folder: MediaFolder;
let edge: Edge;
before(async () => {
  folder = await MediaFolder.make();
  const made = await clip('matrix.mp4', [...picture(8), ...tone(8), ...h264(25), ...aac]);
  const srt = join(folder.path, 'film.en.srt');
  await writeFile(srt, '1\n00:00:01,000 --> 00:00:05,000\nHello\n');
  await folder.ffmpeg('film.mp4', '-i', made, '-i', srt, '-c', 'copy', '-c:s', 'mov_text');
  await copyFile(join(folder.path, 'film.mp4'), join(folder.path, 'filn.mp4'));
  await folder.ffmpeg('fragmented.mp4', '-i', made, '-c', 'copy', '-movflags', 'frag_keyframe+empty_moov');
  await folder.ffmpeg('sound.m4a', ...tone(2), ...aac);
  await writeFile(join(folder.path, 'films.set.json'), '{"files": ["film.mp4", "filn.mp4", "film.en.srt"]}');
  await writeFile(join(folder.path, 'junk.mp4'), 'junk'.repeat(1000));
  const packaging = 'media: {packaging: {segment: 3s, subtitles: [.en.srt]}}';
  edge = await Edge.start({ origin: folder.path, settings: `${packaging}\nhttp: {cors: {origins: ["*"]}}` });
});
after(async () => {
  await edge?.end();
  await folder?.remove();
});

/** Paths of what lies below the version that something packaged has now. */
async function partsOf(file: string): Promise<[path: string, type: string][]> {
  const [path, query = ''] = file.split('?');
  const text = (await edge.get(`${path}/hls.m3u8?${query}`)).body.toString();
  const [, version] = /^([0-9a-f]{16}[^/]*)\//m.exec(text) ?? assert.fail(text);
  return FILES[file]!.map(([part, type]) => [`${path}/${version}/${part}`, type]);
}

async function checkAnswer(path: string, type: string, isForEver: boolean): Promise<string> {
  const { status, headers, body } = await edge.get(path);
  assert.equal(status, 200, `${path}: ${body.subarray(0, 200)}`);
  assert.equal(headers['content-type'], type);
  assert.equal(Number(headers['content-length']), body.length);
  assert.equal(headers['cache-control'] === 'max-age=31536000, immutable', isForEver);
  assert.match(headers.etag!, /^"[\w.~/!-]+"$/, 'a strong entity tag');
  assert.ok(headers['last-modified'] !== undefined && headers.age !== undefined && headers.date !== undefined);
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.equal(headers['access-control-allow-origin'], '*');
  assert.match(headers['cache-status'] as string, /^moovedge; (?:hit|fwd)/);
  const head = await fetchRaw(edge.port, 'HEAD', path);
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  for (const name of ['content-length', 'content-type', 'etag', 'last-modified', 'accept-ranges'])
    assert.equal(head.fields[name], headers[name], `${name} of HEAD`);
  const asked = async (fields: Record<string, string>, expected: number) => {
    const answer = await edge.get(path, fields);
    assert.equal(answer.status, expected, `${path} with ${JSON.stringify(fields)}`);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    return answer;
  };
  const same = headers.etag!;
  const none = await asked({ 'If-None-Match': `"x", ${same}` }, 304);
  assert.equal(none.body.length, 0);
  assert.equal(none.headers.etag, same);
  await asked({ 'If-Modified-Since': headers['last-modified']! }, 304);
  await asked({ 'If-None-Match': '"x"' }, 200);
  await asked({ 'If-Match': same }, 200);
  await asked({ 'If-Match': '"x"' }, 412);
  const end = body.length - 1;
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 0],
    ['bytes=7-', 7, end],
    ['bytes=-5', end - 4, end],
    [`bytes=3-${end + 99}`, 3, end],
  ] as const) {
    const part = await asked({ Range: range, 'If-Range': same }, 206);
    assert.equal(part.headers['content-range'], `bytes ${from}-${to}/${body.length}`);
    assert.ok(part.body.equals(body.subarray(from, to + 1)), `${range} of ${path}`);
  }
  assert.deepEqual((await asked({ Range: 'bytes=1-2', 'If-Range': '"x"' }, 200)).body, body);
  const several = await asked({ Range: 'bytes=0-1,9-10' }, 206);
  assert.match(several.headers['content-type']!, /^multipart\/byteranges/);
  const past = await asked({ Range: `bytes=${body.length}-` }, 416);
  assert.equal(past.headers['content-range'], `bytes */${body.length}`);
  return same;
}

describe('what is packaged behaves as any file:', () => {
  for (const file of Object.keys(FILES)) {
    it(`manifests of ${file}`, async () => {
      const [path, query] = file.split('?');
      for (const [name, type] of Object.entries(MANIFESTS))
        await checkAnswer(`${path}/${name}${query === undefined ? '' : `?${query}`}`, type, false);
    });

    it(`parts of ${file}`, async () => {
      const tags = new Set<string>();
      const parts = await partsOf(file);
      for (const [path, type] of parts) tags.add(await checkAnswer(path, type, true));
      assert.equal(tags.size, parts.length, 'each has an entity tag of its own');
    });
  }

  it('single frames', async () => {
    for (const path of ['/film.mp4?frame=3', '/fragmented.mp4?frame=3', '/fil,m,n,.mp4.urlset?frame=3'])
      await checkAnswer(path, VIDEO, false);
    const [ofSet, ofFilm] = [await edge.get('/fil,m,n,.mp4.urlset?frame=3'), await edge.get('/film.mp4?frame=3')];
    assert.ok(ofSet.body.equals(ofFilm.body), 'of a set, that of its first film');
    assert.ok(
      (await edge.get('/film.mp4?frame=3&start=1&end=2')).body.equals(ofFilm.body),
      'a clip counts by the film',
    );
  });
});

it('preflights are answered for all that is packaged', async () => {
  for (const file of Object.keys(FILES))
    for (const [path] of (await partsOf(file)).slice(0, 4)) {
      const fields = { Origin: 'http://page', 'Access-Control-Request-Method': 'GET' };
      const answer = await fetch(`${edge.url}${path}`, { method: 'OPTIONS', headers: fields });
      await answer.arrayBuffer();
      assert.ok(answer.ok, `${answer.status} for ${path}`);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    }
});

it('errors say why, can be read by pages, and are no longer than their HEAD', async () => {
  const version = (await partsOf('/film.mp4'))[0]![0].split('/')[2]!;
  for (const [path, status, reason] of [
    ['/junk.mp4/hls.m3u8', 422, /is broken/],
    ['/junk.mp4/dash.mpd', 422, /is broken/],
    ['/junk.mp4?frame=1', 422, /is broken/],
    ['/sound.m4a?frame=1', 422, /pictures/],
    ['/,junk,.mp4.urlset/hls.m3u8', 422, /is broken/],
    ['/film.mp4/hls.m3u8?start=99', 416, /lasts 8(\.\d+)? s/],
    ['/film.mp4/dash.mpd?start=99', 416, /lasts 8(\.\d+)? s/],
    ['/film.mp4?frame=99', 416, /ends at 8(\.\d+)? s/],
    [`/film.mp4/${version.replace(/^./, digit => (digit === '0' ? '1' : '0'))}/v1/1.m4s`, 410, /has changed/],
    [`/film.mp4/${version}/v1/99.m4s`, 404, /no such segment/],
    [`/film.mp4/${version}/v1/i99.m4s`, 404, /no such key frame/],
    [`/film.mp4/${version}/a9/1.m4s`, 404, /no such track/],
    [`/film.mp4/${version}/s1.vtt`, 404, /no such file/],
    ['/none.mp4/hls.m3u8', 404, /./],
    ['/fil,x,y,.mp4.urlset/hls.m3u8', 404, /./],
  ] as const) {
    const answer = await edge.get(path);
    assert.equal(answer.status, status, `${path}: ${answer.body}`);
    assert.match(answer.body.toString(), reason, path);
    assert.equal(answer.headers['access-control-allow-origin'], '*', path);
    const head = await fetchRaw(edge.port, 'HEAD', path);
    assert.equal(head.status, status, `HEAD ${path}`);
    assert.equal(head.body.length, 0);
  }
});
