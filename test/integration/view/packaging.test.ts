import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Parser } from 'm3u8-parser';
import { parse } from 'mpd-parser';
import { type Answer, Edge } from '../../support/edge.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { fetchRaw } from '../../support/raw-http.js';
import { cuesIn } from '../../support/streaming/cues.js';
import { until } from '../../support/until.js';

const SRT = '1\n00:00:01,000 --> 00:00:03,000\nHello\n\n2\n00:00:03,000 --> 00:00:05,000\nover the border\n';
const JSON_BODY = { 'Content-Type': 'application/json' };
const SIGNED =
  "{scheme: hmac_sha256, template: '{expires}{prefix}', signature: k, expires: e, prefix: p, secret: a secret}";
const TOKEN_SECRET = 'a secret of more than 32 characters';
const HOSTILE = `t=a"b<c>&d='$Number$`;

describe('films as HLS and DASH', () => {
  let folder: MediaFolder;
  let edge: Edge;
  before(async () => {
    folder = await MediaFolder.make();
    const video = (width: number) => ['-f', 'lavfi', '-i', `testsrc2=s=${width}x96:r=24:d=14`];
    const sound = (frequency: number) => ['-f', 'lavfi', '-i', `sine=${frequency}:d=14`];
    const codecs = (gop: number) => [
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', String(gop), '-c:a', 'aac', '-b:a', '32k'],
      ...['-metadata:s:a:0', 'language=eng'],
    ];
    const maps = ['-map', '0', '-map', '1', '-map', '2', '-metadata:s:a:1', 'language=ger'];
    const two = [...video(128), ...sound(440), ...sound(880), ...maps, ...codecs(48)];
    const one = (width: number, gop: number) => [...video(width), ...sound(440), ...codecs(gop)];
    await folder.ffmpeg('film.mp4', ...two);
    await folder.ffmpeg('set_low.mp4', ...one(128, 48));
    await folder.ffmpeg('set_high.mp4', ...one(192, 24));
    await folder.ffmpeg('set_odd.mp4', ...one(160, 55));
    await folder.ffmpeg(
      'codecs.mp4',
      ...['-t', '8.04', '-i', join(folder.path, 'film.mp4'), '-map', '0:v', '-map', '0:1', '-map', '0:1'],
      ...['-c', 'copy', '-c:a:1', 'ac3'],
    );
    await folder.ffmpeg('set_short.mp4', ...['-i', join(folder.path, 'set_low.mp4'), '-t', '6', '-c', 'copy']);
    await folder.ffmpeg('sound.m4a', ...sound(440), '-c:a', 'aac');
    await writeFile(join(folder.path, 'film.en.srt'), SRT);
    await writeFile(join(folder.path, 'set_high.de.vtt'), 'WEBVTT\n\nx\n00:02.500 --> 00:04.500\nHallo\n');
    const chapters = join(folder.path, 'chapters.txt');
    await writeFile(chapters, ';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=14\ntitle=A chapter\n');
    await folder.ffmpeg(
      'text.mp4',
      '-i',
      join(folder.path, 'film.mp4'),
      '-i',
      join(folder.path, 'film.en.srt'),
      ...['-f', 'ffmetadata', '-i', chapters, '-map_metadata', '2', '-c', 'copy', '-c:s', 'mov_text'],
    );
    await folder.ffmpeg(
      'chapters.mp4',
      ...['-i', join(folder.path, 'film.mp4'), '-f', 'ffmetadata', '-i', chapters, '-map_metadata', '1', '-c', 'copy'],
    );
    await writeFile(join(folder.path, 'junk.mp4'), 'x'.repeat(5000));
    await copyFile(join(folder.path, 'film.mp4'), join(folder.path, 'other.mp4'));
    await copyFile(join(folder.path, 'film.mp4'), join(folder.path, 'member.mp4'));
    for (const name of ['member', 'open'])
      await writeFile(join(folder.path, `${name}.set.json`), '{"files": ["member.mp4"]}');
    await writeFile(join(folder.path, 'hls.m3u8'), '#EXTM3U\n# real\n');
    await writeFile(
      join(folder.path, 'my.set.json'),
      JSON.stringify({
        files: [
          'set_low.mp4',
          { path: '/set_high.mp4' },
          { path: 'sound.m4a', language: 'fr', name: 'Français', default: true },
          { path: 'film.en.srt', name: 'English "CC"', forced: true },
          'gone.mp4',
        ],
      }),
    );
    await writeFile(join(folder.path, 'bad.set.json'), '{"files": [{"path": "../../etc/passwd.mp4"}]}');
    await writeFile(join(folder.path, 'odd.set.json'), '<html>');
    edge = await Edge.start({
      origin: folder.path,
      settings:
        'media: {packaging: {segment: 4s, subtitles: [.en.srt, .fr.vtt]}}\nhttp: {cors: {origins: ["*"]}, dropQuery: [utm]}\n' +
        `access: [{path: /other.mp4, signed: ${SIGNED}}, ` +
        `{path: /member, jwt: {secret: ${TOKEN_SECRET}, parameter: jwt, prefix: path}}]\nlog: {access: $FOLDER/access.log}`,
    });
  });
  after(async () => {
    await edge.end();
    await folder.remove();
  });

  const get = async (path: string, headers?: Record<string, string>, status = 200): Promise<Answer> => {
    const answer = await edge.get(path, headers);
    assert.equal(answer.status, status, `${path}: ${answer.body.subarray(0, 200)}`);
    return answer;
  };
  const text = async (path: string) => (await get(path)).body.toString();
  const playlist = async (path: string) => {
    const parser = new Parser();
    parser.push(await text(path));
    parser.end();
    return parser.manifest;
  };
  /** The folder of the version that a film has now. */
  const versionOf = async (file: string, query = '') => {
    const [, version] = /^([0-9a-f]{16}[^/]*)\//m.exec(await text(`${file}/hls.m3u8${query}`)) ?? [];
    return `${file}/${version}`;
  };
  const purge = async (url: string) => {
    const response = await fetch(`${edge.admin}/purge`, {
      method: 'POST',
      headers: JSON_BODY,
      body: JSON.stringify({ urls: [url] }),
    });
    return (await response.json()) as { objects: number };
  };

  it('every URL that the playlists name, with the fields of its kind', async () => {
    const folderOf = await versionOf('/film.mp4');
    const types: Record<string, string> = {
      'v1.m3u8': 'application/vnd.apple.mpegurl',
      'v1-iframes.m3u8': 'application/vnd.apple.mpegurl',
      'v1/init.mp4': 'video/mp4',
      'v1/1.m4s': 'video/mp4',
      'v1/i2.m4s': 'video/mp4',
      'v1.mp4': 'video/mp4',
      'a2.m3u8': 'application/vnd.apple.mpegurl',
      'a2/init.mp4': 'audio/mp4',
      'a2/3.m4s': 'audio/mp4',
      'f2-s1.m3u8': 'application/vnd.apple.mpegurl',
      'f2-s1/1.vtt': 'text/vtt; charset=utf-8',
      'f2-s1.vtt': 'text/vtt; charset=utf-8',
    };
    const tags = new Set<string>();
    for (const [name, type] of Object.entries(types)) {
      const { headers, body } = await get(`${folderOf}/${name}`);
      assert.equal(headers['content-type'], type, name);
      assert.equal(headers['cache-control'], 'max-age=31536000, immutable');
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.match(headers['cache-status'] as string, /^moovedge; /);
      assert.equal(headers['accept-ranges'], 'bytes');
      assert.ok(headers.age !== undefined && headers['last-modified'] !== undefined);
      tags.add(headers.etag!);
      const head = await fetchRaw(edge.port, 'HEAD', `${folderOf}/${name}`);
      assert.equal(head.fields['content-length'], String(body.length), `HEAD ${name}`);
      const part = await get(`${folderOf}/${name}`, { Range: 'bytes=3-9', 'If-Range': headers.etag! }, 206);
      assert.deepEqual(part.body, body.subarray(3, 10));
      assert.equal(part.headers['content-range'], `bytes 3-9/${body.length}`);
      await get(`${folderOf}/${name}`, { 'If-None-Match': headers.etag! }, 304);
      await get(`${folderOf}/${name}`, { 'If-Match': '"other"' }, 412);
      await get(`${folderOf}/${name}`, { Range: `bytes=${body.length}-` }, 416);
    }
    assert.equal(tags.size, Object.keys(types).length);
    for (const [name, type] of [
      ['hls.m3u8', 'application/vnd.apple.mpegurl'],
      ['master.m3u8', 'application/vnd.apple.mpegurl'],
      ['dash.mpd', 'application/dash+xml'],
      ['manifest.mpd', 'application/dash+xml'],
    ] as const) {
      const { headers } = await get(`/film.mp4/${name}`);
      assert.equal(headers['content-type'], type);
      assert.notEqual(headers['cache-control'], 'max-age=31536000, immutable');
      const again = await get(`/film.mp4/${name}`, { 'If-None-Match': headers.etag! }, 304);
      assert.equal(again.body.length, 0);
    }
  });

  it('the file of a track is its init segment, an index, and its segments', async () => {
    const folderOf = await versionOf('/film.mp4');
    for (const track of ['v1', 'a1', 'a2']) {
      const { segments } = await playlist(`${folderOf}/${track}.m3u8`);
      const whole = (await get(`${folderOf}/${track}.mp4`)).body;
      const init = (await get(`${folderOf}/${segments[0]!.map!.uri}`)).body;
      const media = await Promise.all(segments.map(({ uri }) => get(`${folderOf}/${uri}`).then(({ body }) => body)));
      const size = media.reduce((sum, { length }) => sum + length, 0);
      assert.ok(whole.subarray(0, init.length).equals(init));
      assert.equal(whole.subarray(init.length + 4, init.length + 8).toString(), 'sidx');
      assert.ok(whole.subarray(whole.length - size).equals(Buffer.concat(media)));
      // Segments that were asked for before are answered from what is kept of them.
      for (const [i, { uri }] of segments.entries()) {
        for (let again = 0; again < 2; again++) {
          const { body, headers } = await get(`${folderOf}/${uri}`);
          assert.ok(body.equals(media[i]!));
          await get(`${folderOf}/${uri}`, { 'If-None-Match': headers.etag! }, 304);
          const last = await get(`${folderOf}/${uri}`, { Range: `bytes=${body.length - 50}-` }, 206);
          assert.ok(last.body.equals(body.subarray(-50)));
        }
      }
      const from = whole.length - size + 100;
      const part = await get(`${folderOf}/${track}.mp4`, { Range: `bytes=${from}-${from + 99}` }, 206);
      assert.ok(part.body.equals(whole.subarray(from, from + 100)));
    }
  });

  it('rates and durations are those of the segments', async () => {
    const { playlists, mediaGroups } = await playlist('/film.mp4/hls.m3u8');
    const [variant] = playlists!;
    const rates = async (uri: string) => {
      const { segments, targetDuration } = await playlist(`/film.mp4/${uri}`);
      const folderOf = `/film.mp4/${uri.slice(0, uri.indexOf('/'))}`;
      let [peak, bytes, seconds] = [0, 0, 0];
      for (const { uri: segment, duration } of segments) {
        const { body } = await get(`${folderOf}/${segment}`);
        assert.ok(Math.round(duration) <= targetDuration);
        if (duration >= targetDuration / 2) peak = Math.max(peak, (body.length * 8) / duration);
        bytes += body.length;
        seconds += duration;
      }
      assert.ok(Math.abs(seconds - 14) < 0.1, 'the durations add up to the film');
      assert.ok(
        segments.every(({ duration }) => duration >= 1.9),
        'no segment is a scrap',
      );
      return { peak, average: (bytes * 8) / seconds };
    };
    const video = await rates(variant!.uri);
    const sounds = await Promise.all(
      Object.values(mediaGroups!.AUDIO!['mp4a.40']!).map(({ uri }) => rates(uri as string)),
    );
    const expected = video.peak + Math.max(...sounds.map(({ peak }) => peak));
    const average = video.average + Math.max(...sounds.map(sound => sound.average));
    const near = (told: unknown, measured: number) =>
      assert.ok(Math.abs(Number(told) / measured - 1) < 0.02, `${told} ${measured}`);
    near(variant!.attributes.BANDWIDTH, expected);
    near(variant!.attributes['AVERAGE-BANDWIDTH'], average);
  });

  it('a scrap at the end is part of the segment before, and each codec of sound has its own group', async () => {
    const { mediaGroups, playlists } = await playlist('/codecs.mp4/hls.m3u8');
    const groups = Object.entries(mediaGroups!.AUDIO!).map(([group, names]) => [group, Object.keys(names)]);
    assert.deepEqual(groups, [
      ['mp4a.40', ['English']],
      ['ac-3', ['English']],
    ]);
    assert.deepEqual(
      playlists!.map(({ attributes }) => attributes.CODECS),
      ['avc1.4d400a,mp4a.40.2', 'avc1.4d400a,ac-3'],
    );
    const { segments } = await playlist(`/codecs.mp4/${playlists![0]!.uri}`);
    assert.equal(segments.length, 2);
    assert.ok(segments[1]!.duration > 4 && segments[1]!.duration < 4.2);
  });

  it('what is not there, has changed, or can not be packaged', async () => {
    const folderOf = await versionOf('/film.mp4');
    const none = [
      'v2.m3u8',
      'v1/99.m4s',
      'v1/i99.m4s',
      'a3.m3u8',
      's1.m3u8',
      'f3-s1.m3u8',
      'f2-s1/99.vtt',
      'f1-v1.m3u8',
      'f2-v1.m3u8',
      'v1/0.m4s',
      'x1.m3u8',
    ];
    for (const name of none) await get(`${folderOf}/${name}`, {}, 404);
    await get('/none.mp4/hls.m3u8', {}, 404);
    const gone = await get('/film.mp4/0123456789abcdef/v1.m3u8', {}, 410);
    assert.match(gone.body.toString(), /has changed/);
    assert.equal(gone.headers['cache-control'], 'no-store');
    await get('/film.mp4/0123456789ABCDEF/v1.m3u8', {}, 404);
    for (const manifest of ['hls.m3u8', 'dash.mpd']) {
      const { body } = await get(`/junk.mp4/${manifest}`, {}, 422);
      assert.match(body.toString(), /can't package/);
    }
    await get('/junk.mp4');
    const late = await get('/film.mp4/hls.m3u8?start=15', {}, 416);
    assert.match(late.body.toString(), /14/);
    assert.match(await text('/hls.m3u8'), /# real/);
  });

  it('clips begin with a key frame, in all tracks, and say so in their version', async () => {
    const folderOf = await versionOf('/film.mp4', '?start=5.5&end=9');
    assert.match(folderOf, /-5500-9000$/);
    const durations = async (track: string) =>
      (await playlist(`${folderOf}/${track}.m3u8`)).segments.reduce((sum, { duration }) => sum + duration, 0);
    const [video, sound] = [await durations('v1'), await durations('a1')];
    assert.ok(Math.abs(video - 5) < 0.1 && Math.abs(sound - 5) < 0.1, `${video} ${sound} from the key frame at 4 s`);
    const vtt = await text(`${folderOf}/f2-s1.vtt`);
    assert.match(vtt, /00:00:00\.000 --> 00:00:01\.000\nover/);
    assert.doesNotMatch(vtt, /Hello/);
    assert.equal(await versionOf('/film.mp4', '?start=0'), await versionOf('/film.mp4', '?start=undefined'));
  });

  it('the query goes on to all that is named, and into nothing else', async () => {
    const manifest = await text(`/film.mp4/hls.m3u8?${HOSTILE}&start=4&utm=1`);
    for (const uri of [...manifest.matchAll(/URI="([^"]*)"/g)].map(([, uri]) => uri!)) {
      assert.match(uri, /\?t=a%22b%3Cc%3E&d='\$Number\$$/);
      const names = await playlist(`/film.mp4/${uri}`);
      assert.ok(names.segments.every(segment => segment.uri.endsWith(`?t=a%22b%3Cc%3E&d='$Number$`)));
    }
    const { playlists } = parse(await text(`/film.mp4/dash.mpd?${HOSTILE}`), {
      manifestUri: `${edge.url}/film.mp4/dash.mpd`,
    });
    const uri = new URL(playlists[0]!.segments[1]!.resolvedUri);
    assert.match(uri.pathname, /v1\/2\.m4s$/);
    assert.equal(uri.search, `?t=a%22b%3Cc%3E&d=%27$Number$`);
    await get(uri.pathname + uri.search);
  });

  it('what lets a player in goes on to all that is named, and neither into keys nor into logs', async () => {
    const expires = Math.floor(Date.now() / 1000) + 3600;
    const signature = createHmac('sha256', 'a secret').update(`${expires}/other.mp4`).digest('base64url');
    const query = `k=${signature}&e=${expires}&p=/other.mp4`;
    await get('/other.mp4', {}, 403);
    await get(`/other.mp4?${query.replace('k=', 'k=x')}`, {}, 403);
    const whole = await get(`/other.mp4?${query}`);
    const other = query.replace(String(expires), String(expires + 1));
    const again = createHmac('sha256', 'a secret')
      .update(`${expires + 1}/other.mp4`)
      .digest('base64url');
    const hit = await get(`/other.mp4?utm=1&${other.replace(signature, again)}`);
    assert.match(hit.headers['cache-status'] as string, /hit/);
    assert.ok(hit.body.equals(whole.body));
    await get('/other.mp4/hls.m3u8', {}, 403);
    const manifest = await text(`/other.mp4/hls.m3u8?a=1&${query}`);
    const uris = [...manifest.matchAll(/URI="([^"]*)"/g)].map(([, uri]) => uri!);
    assert.ok(uris.length > 0);
    for (const uri of uris) {
      assert.ok(uri.endsWith(`?a=1&${query}`), uri);
      await get(`/other.mp4/${uri.split('?')[0]}`, {}, 403);
      const { segments } = await playlist(`/other.mp4/${uri}`);
      assert.ok(segments.every(segment => segment.uri.endsWith(`?a=1&${query}`)));
      await get(new URL(segments[0]!.uri, `${edge.url}/other.mp4/${uri}`).href.slice(edge.url.length));
    }
    // Another player's playlist bears that player's.
    assert.ok((await text(`/other.mp4/hls.m3u8?a=1&${other.replace(signature, again)}`)).includes(again));
    assert.equal((await purge(`${edge.url}/other.mp4?${query}`)).objects, 1);
    await edge.logged('"reason":"the signature has another length"');
    const log = await until('the last line', () => {
      const lines = readFileSync(join(edge.folder, 'access.log'), 'utf8');
      return lines.includes('a=1&k=[redacted]&e=') ? lines : undefined;
    });
    assert.ok(!log.includes(signature) && !edge.log.includes(signature));
  });

  it('a token goes on to segments of HLS and DASH, and lets in to what a list names', async () => {
    const claims = { exp: Math.floor(Date.now() / 1000) + 3600, path: '/member' };
    const signed = [{ alg: 'HS256' }, claims]
      .map(each => Buffer.from(JSON.stringify(each)).toString('base64url'))
      .join('.');
    const query = `jwt=${signed}.${createHmac('sha256', TOKEN_SECRET).update(signed).digest('base64url')}`;
    for (const film of ['/member.mp4', '/member.set.json', '/open.set.json']) {
      await get(`${film}/hls.m3u8`, {}, 403);
      await get(`${film}/dash.mpd`, {}, 403);
      const [, uri = ''] = /URI="([^"]*)"/.exec(await text(`${film}/hls.m3u8?${query}`)) ?? [];
      assert.ok(uri.endsWith(`?${query}`), uri);
      const list = `${edge.url}${film}/${uri}`;
      const [segment] = (await playlist(list.slice(edge.url.length))).segments;
      const { pathname, search } = new URL(segment!.uri, list);
      assert.equal(search, `?${query}`);
      await get(pathname + search);
      await get(pathname, {}, 403);
      const manifest = await text(`${film}/dash.mpd?${query}`);
      const templates = [...manifest.matchAll(/(?:media|initialization)="([^"]*)"/g)].map(([, url]) => url!);
      assert.ok(templates.length >= 2 && templates.every(url => url.endsWith(`?${query}`)), manifest);
      const first = templates.find(url => !url.includes('$Number$'))!;
      await get(new URL(first.replace('$RepresentationID$', '0'), `${edge.url}${film}/`).pathname, {}, 403);
    }
    await get('/member.set.json', {}, 403);
    await get(`/member.set.json?${query}`);
    await get('/open.set.json');
  });

  it('subtitles beside the film, segment by segment', async () => {
    const folderOf = await versionOf('/film.mp4');
    const [first, second] = [await text(`${folderOf}/f2-s1/1.vtt`), await text(`${folderOf}/f2-s1/2.vtt`)];
    const cue = '2\n00:00:03.000 --> 00:00:05.000\nover the border\n';
    assert.ok(first.startsWith('WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n'));
    assert.ok(first.includes('Hello') && first.includes(cue) && second.includes(cue) && !second.includes('Hello'));
    const { segments } = await playlist(`${folderOf}/f2-s1.m3u8`);
    assert.deepEqual(
      segments.map(({ duration }) => duration),
      (await playlist(`${folderOf}/v1.m3u8`)).segments.map(({ duration }) => duration),
    );
  });

  it('subtitles in the film', async () => {
    const { mediaGroups } = await playlist('/text.mp4/hls.m3u8');
    const [subtitles] = Object.values(mediaGroups!.SUBTITLES!.subtitles!);
    const folderOf = `/text.mp4/${(subtitles!.uri as string).split('/')[0]}`;
    const both = [await text(`${folderOf}/s1/1.vtt`), await text(`${folderOf}/s1/2.vtt`)];
    assert.ok(both[0]!.includes('00:00:01.000 --> 00:00:03.000\nHello\n'));
    const cues = both.map(each => /^\S+\n00:00:03\.000 --> 00:00:05\.000\nover the border\n/m.exec(each)?.[0]);
    assert.ok(cues[0] !== undefined && cues[0] === cues[1], 'a cue over two segments is the same in both');
    await get(`${folderOf}/s1.vtt`, {}, 404);
  });

  it('chapters are no subtitles', async () => {
    for (const [film, count] of [
      ['/text.mp4', 1],
      ['/chapters.mp4', 0],
    ] as const) {
      const hls = await text(`${film}/hls.m3u8`);
      assert.match(hls, /^# .* track \d+ \(text\) is left out: it names chapters$/m);
      assert.equal(hls.match(/TYPE=SUBTITLES/g)?.length ?? 0, count, film);
      assert.equal((await text(`${film}/dash.mpd`)).match(/contentType="text"/g)?.length ?? 0, count, film);
    }
  });

  for (const [clip, begin] of [
    ['', 0],
    ['?start=5.5&end=9', 4],
  ] as const)
    it(`subtitles in the film as segments of MP4 for DASH ${clip}`, async () => {
      const manifest = await text(`/text.mp4/dash.mpd${clip}`);
      assert.match(manifest, /<AdaptationSet contentType="text" mimeType="application\/mp4" codecs="wvtt"/);
      const { playlists } = parse(manifest, { manifestUri: `${edge.url}/text.mp4/dash.mpd` });
      const folderOf = await versionOf('/text.mp4', clip);
      const video = playlists[0]!.segments;
      const head = await get(`${folderOf}/s1/init.mp4`);
      assert.equal(head.headers['content-type'], 'application/mp4');
      const shown: { start: number; end: number; id: string; text: string }[] = [];
      for (const [row, { presentationTime, duration }] of video.entries()) {
        const { body, headers } = await get(`${folderOf}/s1/${row + 1}.m4s`);
        assert.equal(headers['content-type'], 'application/mp4');
        const samples = await cuesIn(Buffer.concat([head.body, body]));
        const lasts = samples.reduce((sum, { end, start }) => sum + end - start, 0);
        assert.ok(Math.abs(samples[0]!.start - presentationTime) < 1e-6, 'it begins with the video');
        assert.ok(Math.abs(lasts - duration) < 1e-6, 'its samples have no gaps');
        shown.push(...samples.flatMap(({ cues, ...times }) => cues.map(cue => ({ ...times, ...cue }))));
      }
      await get(`${folderOf}/s1/${video.length + 1}.m4s`, {}, 404);
      const over = { id: '4', text: 'over the border' };
      const expected = [
        { start: 1, end: 3, id: '2', text: 'Hello' },
        { start: 3, end: 4, ...over },
        { start: 4, end: 5, ...over },
      ].filter(({ end }) => end > begin);
      assert.deepEqual(
        shown.map(({ id, ...cue }) => ({ ...cue })),
        expected.map(({ id, ...cue }) => ({ ...cue, start: cue.start - begin, end: cue.end - begin })),
      );
      assert.equal(new Set(shown.slice(-2).map(({ id }) => id)).size, 1, 'both parts of a cue are one');
    });

  it('of subtitles in MP4 there is what there is of other tracks', async () => {
    const folderOf = await versionOf('/text.mp4');
    const whole = await get(`${folderOf}/s1/init.mp4`);
    await get(`${folderOf}/s1/init.mp4`, { 'If-None-Match': whole.headers.etag! }, 304);
    await get(`${folderOf}/s2/init.mp4`, {}, 404);
    await get(`${folderOf}/v1/1.vtt`, {}, 404);
  });

  describe('sets', () => {
    const SET = '/set_,low,high,.mp4.urlset';

    it('are cut where key frames of all coincide', async () => {
      const { playlists } = await playlist(`${SET}/hls.m3u8`);
      assert.deepEqual(
        playlists!.map(({ uri }) => uri.split('/')[1]),
        ['f1-v1.m3u8', 'f2-v1.m3u8'],
      );
      const [low, high] = await Promise.all(playlists!.map(({ uri }) => playlist(`${SET}/${uri}`)));
      assert.deepEqual(
        low!.segments.map(({ duration }) => duration),
        high!.segments.map(({ duration }) => duration),
      );
      const folderOf = await versionOf(SET);
      for (const { uri } of high!.segments) assert.ok((await get(`${folderOf}/${uri}`)).body.length > 1000);
      await get(`${folderOf}/f3-v1.m3u8`, {}, 404);
      await get(`${folderOf}/v1.m3u8`, {}, 404);
      const { playlists: adaptive } = parse(await text(`${SET}/dash.mpd`), {
        manifestUri: `${edge.url}${SET}/dash.mpd`,
      });
      assert.equal(adaptive.length, 2);
    });

    it('of one file are told apart from the file on its own, whichever is asked for first', async () => {
      for (const [first, second] of [
        ['/,set_low,.mp4.urlset', '/set_low.mp4'],
        ['/set_high.mp4', '/set_high,,.mp4.urlset'],
      ])
        for (const manifest of ['hls.m3u8', 'dash.mpd'])
          for (const path of [first, second]) {
            const name = path!.endsWith('.urlset') ? 'f1-v1' : 'v1';
            const [, part] = /[0-9a-f]{16}\/((?:f\d-)?v1)\b/.exec(await text(`${path}/${manifest}`))!;
            assert.equal(part, name, `${path}/${manifest}`);
            await get(`${await versionOf(path!)}/${name}/1.m4s`);
          }
    });

    it('have their parts answered by an edge that has not made their playlists', async () => {
      const folderOf = await versionOf(SET);
      const before = (await get(`${folderOf}/f2-v1/2.m4s`)).body;
      await edge.stop();
      await edge.restart();
      assert.ok((await get(`${folderOf}/f2-v1/2.m4s`)).body.equals(before));
      await get(`${SET}/0123456789abcdef/f2-v1/2.m4s`, {}, 410);
    });

    it('play without a file that is missing or odd, wherever it stands, and say so', async () => {
      for (const [set, notes, names] of [
        ['/set_,low,gone,high,.mp4.urlset', [/# set_gone\.mp4 is left out: /], ['f1-v1', 'f3-v1']],
        ['/set_,gone,high,.mp4.urlset', [/# set_gone\.mp4 is left out: /], ['f2-v1']],
        ['/,junk,set_low,.mp4.urlset', [/# junk\.mp4 is left out: can't package/], ['f2-v1']],
        ['/,set_low,set_odd,.mp4.urlset', [/# key frames of the files do not coincide/], ['f1-v1', 'f2-v1']],
        ['/set_,short,low,.mp4.urlset', [/# set_short\.mp4 is left out: it lasts 6\.\d+ s, where the set/], ['f2-v1']],
      ] as const) {
        const manifest = await text(`${set}/hls.m3u8`);
        for (const note of notes) assert.match(manifest, note);
        const variants = [...manifest.matchAll(/^[0-9a-f]{16}\/(\S+)\.m3u8$/gm)].map(([, name]) => name);
        assert.deepEqual(variants, names);
        const folderOf = await versionOf(set);
        for (const name of names) await get(`${folderOf}/${name}/1.m4s`);
        assert.match(
          await text(`${set}/dash.mpd`),
          notes[0].source.startsWith('#') ? new RegExp(`<!-- ${notes[0].source.slice(2)}`) : notes[0],
        );
      }
      for (const told of [
        /"file":"\/set_,low,gone,high,\.mp4\.urlset".*set_gone\.mp4 is left out.*a set is packaged without some of it/,
        /"file":"\/,junk,set_low,\.mp4\.urlset".*junk\.mp4 is left out: can't package.*a set is packaged/,
        /"file":"\/,set_low,set_odd,\.mp4\.urlset".*key frames of the files do not coincide.*a set is packaged/,
        /"file":"\/set_,short,low,\.mp4\.urlset".*set_short\.mp4 is left out: it lasts.*a set is packaged/,
      ])
        await until(`a line of the log like ${told}`, () => told.test(edge.log));
      await get('/set_,gone,gone2,.mp4.urlset/hls.m3u8', {}, 404);
      await get('/,junk,.mp4.urlset/hls.m3u8', {}, 422);
      await get('/a/.,./set_low,x,.mp4.urlset/hls.m3u8', {}, 400);
    });

    it('have no part of a file that is left out, and cut the others as if it were not there', async () => {
      const [odd, whole] = [
        await versionOf('/set_,short,low,.mp4.urlset'),
        await versionOf('/set_,low,high,.mp4.urlset'),
      ];
      await get(`${odd}/f1-v1/1.m4s`, {}, 404);
      const durations = async (uri: string) => (await playlist(uri)).segments.map(({ duration }) => duration);
      assert.deepEqual(await durations(`${odd}/f2-v1.m3u8`), await durations(`${whole}/f1-v1.m3u8`));
    });

    it('clips of files whose key frames do not coincide are of the first alone', async () => {
      const manifest = await text('/,set_low,set_odd,.mp4.urlset/hls.m3u8?start=5');
      assert.match(manifest, /# clips are made of the first file only/);
      assert.doesNotMatch(manifest, /f2-v1/);
    });

    it('clips begin at one time in all files', async () => {
      const folderOf = await versionOf(SET, '?start=5.2');
      const durations = async (name: string) =>
        (await playlist(`${folderOf}/${name}.m3u8`)).segments.map(({ duration }) => duration);
      const low = await durations('f1-v1');
      assert.deepEqual(low, await durations('f2-v1'));
      assert.ok(Math.abs(low.reduce((sum, duration) => sum + duration, 0) - 10) < 0.1, 'from the key frame at 4 s');
    });

    it('with subtitles among the files', async () => {
      const set = '/set_high,.mp4,.de.vtt,.urlset';
      const { mediaGroups } = await playlist(`${set}/hls.m3u8`);
      assert.equal(mediaGroups!.SUBTITLES!.subtitles!.German!.language, 'de');
      assert.match(await text(`${await versionOf(set)}/f2-s1/2.vtt`), /^x\n00:00:02\.500 --> 00:00:04\.500\nHallo$/m);
    });

    it('that an object lists', async () => {
      const manifest = await text('/my.set.json/hls.m3u8');
      assert.match(manifest, /# gone\.mp4 is left out/);
      assert.match(manifest, /NAME="Français",LANGUAGE="fr",DEFAULT=YES/);
      assert.match(manifest, /NAME="English {2}CC",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES/);
      const folderOf = await versionOf('/my.set.json');
      for (const name of ['f1-v1/1.m4s', 'f2-v1/init.mp4', 'f3-a1/2.m4s', 'f4-s1/1.vtt', 'f2-v1.mp4'])
        await get(`${folderOf}/${name}`);
      await get(`${folderOf}/f5-v1/1.m4s`, {}, 404);
      await get(`${folderOf}/f9-v1/1.m4s`, {}, 404);
      await get('/bad.set.json/hls.m3u8', {}, 400);
      const odd = await get('/odd.set.json/hls.m3u8', {}, 422);
      assert.match(odd.body.toString(), /expected JSON/);
    });
  });

  it('can be prefetched as players of HLS ask for it', async () => {
    await purge('/film.mp4');
    const prefetch = async (urls: string[]) => {
      const body = JSON.stringify({ urls, hls: true });
      const response = await fetch(`${edge.admin}/prefetch`, { method: 'POST', headers: JSON_BODY, body });
      return (await response.text()).split('\n').filter(line => line.includes('"end"'));
    };
    const [line] = await prefetch(['/film.mp4?t=1']);
    assert.match(line!, /"end":"ok"/);
    const { headers } = await get(`${await versionOf('/film.mp4')}/v1/3.m4s`);
    assert.match(headers['cache-status'] as string, /hit; detail=memory/);
    assert.match((await prefetch(['/junk.mp4']))[0]!, /status 422/);
  });
});
