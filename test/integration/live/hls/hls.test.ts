/** Live streams as HLS over a real port: ffmpeg, ffprobe and m3u8-parser judge, against what was published. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Parser } from 'm3u8-parser';
import { silentLog } from '../../../../src/base/log.js';
import { HlsFiles } from '../../../../src/live/hls/hls-files.js';
import { HlsStreams } from '../../../../src/live/hls/hls-streams.js';
import { HlsViewers } from '../../../../src/live/hls/hls-viewers.js';
import { HlsViews } from '../../../../src/live/hls/hls-views.js';
import { HlsWaits } from '../../../../src/live/hls/hls-waits.js';
import type { LiveHeaders, LiveTag } from '../../../../src/live/ring/live-tag.js';
import { RingWriter } from '../../../../src/live/ring/ring-writer.js';
import { Views } from '../../../../src/view/views.js';
import { MediaFolder } from '../../../support/ffmpeg.js';
import { startEdge } from '../../../support/http-edge.js';
import { type LiveFilm, liveFilm } from '../../../support/live-rig.js';
import { until } from '../../../support/until.js';

const LIMITS = { part: 200, segment: 2000, window: 60_000 };
const CORS = { origins: ['*'], methods: ['GET'], headers: [], exposeHeaders: [], maxAge: 1000 };
const run = promisify(execFile);

const folder = mkdtempSync('/dev/shm/moovedge-hls-test-');

/** A process that serves HLS of the rings of this test. */
class TestWorker {
  readonly waits = new HlsWaits(1000);
  readonly viewers = new HlsViewers();
  readonly streams = new HlsStreams(LIMITS, silentLog);
  readonly views = new Views([
    new HlsViews('/live/', this.streams, new HlsFiles({ waits: this.waits, viewers: this.viewers, memory: 1 << 20 })),
  ]);
  port = 0;

  static async start(): Promise<TestWorker> {
    const worker = new TestWorker();
    ({ port: worker.port } = await startEdge({ views: worker.views, cors: CORS }));
    after(() => worker.streams.close());
    return worker;
  }

  url(stream: string, file: string): string {
    return `http://127.0.0.1:${this.port}/live/${stream}/${file}`;
  }

  async text(stream: string, file: string): Promise<string> {
    const answer = await fetch(this.url(stream, file));
    assert.equal(answer.status, 200, `${file}: ${answer.status}`);
    return answer.text();
  }

  async bytes(stream: string, file: string): Promise<Buffer> {
    const answer = await fetch(this.url(stream, file));
    assert.equal(answer.status, 200, `${file}: ${answer.status} ${answer.ok ? '' : await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  }
}

const workers = [await TestWorker.start(), await TestWorker.start()];
const [worker, other] = workers as [TestWorker, TestWorker];
const places = new Map<string, { name: string; file: string; id: number }>();
let media: MediaFolder;
let film: LiveFilm;
let source = '';
let count = 0;

before(async () => {
  media = await MediaFolder.make();
  source = await media.ffmpeg(
    'live.flv',
    ...['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-f', 'lavfi', '-i', 'sine=440:sample_rate=44100'],
    ...['-t', '8.4', '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '50', '-c:a', 'aac'],
  );
  film = liveFilm(source);
});
after(async () => {
  await media.remove();
  rmSync(folder, { recursive: true });
});

function update(): void {
  for (const each of workers) each.streams.update([...places.values()]);
}

function publish(name: string, headers: LiveHeaders = film.headers): RingWriter {
  const file = join(folder, `ring-${++count}`);
  const writer = RingWriter.create(file, { bytes: 32 << 20, milliseconds: 124_000, segment: LIMITS.segment });
  writer.setState('publishing');
  writer.setHeaders(headers);
  places.set(name, { name, file, id: count });
  update();
  return writer;
}

function append(writer: RingWriter, tags: readonly LiveTag[], shift = 0): void {
  for (const tag of tags) assert.ok(writer.append({ ...tag, timestamp: tag.timestamp + shift }));
}

function end(name: string, writer: RingWriter): void {
  writer.close();
  places.delete(name);
  update();
}

const lines = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found]) => found!);
const partsOf = (text: string) => lines(text, /^#EXT-X-PART:.*URI="([^"]+)"/gm);
const segmentsOf = (text: string) => lines(text, /^(\w\w\/\d+\.m4s)$/gm);
const attribute = (text: string, name: string) => Number(lines(text, new RegExp(`${name}[:=]([\\d.]+)`, 'g'))[0]);

interface Packet {
  readonly pts_time: string;
  readonly dts_time: string;
  readonly size: string;
  readonly flags: string;
}

async function packets(file: string, stream: string): Promise<string[]> {
  const args = ['-v', 'error', '-select_streams', stream, '-show_entries', 'packet=pts_time,dts_time,size,flags'];
  const { stdout } = await run('ffprobe', [...args, '-of', 'json', file], { maxBuffer: 1 << 26 });
  return (JSON.parse(stdout) as { packets: Packet[] }).packets.map(
    ({ pts_time, dts_time, size, flags }) => `${pts_time} ${dts_time} ${size} ${flags[0]}`,
  );
}

test('all that was published is in the parts, segments are their parts, and all workers have the same bytes', async () => {
  const writer = publish('a/whole');
  append(writer, film.tags);
  end('a/whole', writer);
  for (const [track, stream] of [
    ['v1', 'v'],
    ['a1', 'a'],
  ] as const) {
    const playlist = await worker.text('a/whole', `hls/${track}.m3u8`);
    assert.match(playlist, /#EXT-X-ENDLIST\n$/);
    const init = await worker.bytes('a/whole', `hls/${lines(playlist, /EXT-X-MAP:URI="([^"]+)"/g)[0]}`);
    const segments: Buffer[] = [];
    for (const uri of segmentsOf(playlist)) {
      const segment = await worker.bytes('a/whole', `hls/${uri}`);
      assert.ok(segment.equals(await other.bytes('a/whole', `hls/${uri}`)));
      const own = partsOf(playlist).filter(part => part.startsWith(uri.replace('m4s', '')));
      // Those of segments that are older than three target durations are not listed any more, but are there.
      const names = own.length > 0 ? own : [];
      if (names.length > 0) {
        const parts = await Promise.all(names.map(part => other.bytes('a/whole', `hls/${part}`)));
        assert.ok(segment.equals(Buffer.concat(parts)), uri);
      }
      segments.push(segment);
    }
    assert.ok(segments.length >= 4);
    const whole = join(folder, `${track}.mp4`);
    await writeFile(whole, Buffer.concat([init, ...segments]));
    const [found, expected] = [await packets(whole, stream), await packets(source, stream)];
    assert.deepEqual(found, expected);
  }
  // The multivariant playlist as ffmpeg plays it.
  const { stdout, stderr } = await run('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-live_start_index', '0', '-i', worker.url('a/whole', 'hls.m3u8')],
    ...['-map', '0:v', '-f', 'framecrc', '-'],
  ]);
  assert.equal(stderr, '');
  assert.equal(stdout.split('\n').filter(line => line.startsWith('0,')).length, 210);
});

test('playlists: what they say of the stream, to a parser that we did not write', async () => {
  const writer = publish('a/list');
  append(writer, film.tags);
  const multivariant = await worker.text('a/list', 'hls.m3u8');
  assert.match(multivariant, /CODECS="avc1\.[0-9a-f]{6},mp4a\.40\.2",RESOLUTION=320x180,FRAME-RATE=25\.000/);
  const parse = (text: string) => {
    const parser = new Parser();
    parser.push(text);
    parser.end();
    return parser.manifest;
  };
  assert.equal(parse(multivariant).playlists![0]!.uri, 'hls/v1.m3u8');
  const text = await worker.text('a/list', 'hls/v1.m3u8?token=x%22y');
  const manifest = parse(text);
  assert.deepEqual(manifest.segments.map(({ duration }) => duration).slice(0, 4), [2, 2, 2, 2]);
  assert.equal(manifest.targetDuration, 2);
  const target = attribute(text, 'PART-TARGET');
  assert.equal(attribute(text, 'PART-HOLD-BACK'), Number((3 * target).toFixed(3)));
  for (const duration of lines(text, /EXT-X-PART:DURATION=([\d.]+)/g)) assert.ok(Number(duration) <= target);
  assert.ok(partsOf(text).every(uri => uri.endsWith('.m4s?token=x%22y')));
  assert.match(text, /#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v1\/\d+\.\d+\.m4s\?token=x%22y"/);
  assert.match(text, /#EXT-X-RENDITION-REPORT:URI="a1\.m3u8\?token=x%22y",LAST-MSN=\d+,LAST-PART=\d+/);
  // Each segment has its moment, and a decoder may begin with each.
  const dates = lines(text, /EXT-X-PROGRAM-DATE-TIME:(.+)/g).map(Date.parse);
  assert.ok(dates.every((date, at) => Math.abs(date - Date.now()) < 120_000 && (at === 0 || date >= dates[at - 1]!)));
  assert.match(text, /#EXT-X-INDEPENDENT-SEGMENTS/);
  end('a/list', writer);
});

test('requests wait for what comes next, and are refused what is far ahead', async () => {
  const writer = publish('a/wait');
  const half = film.tags.filter(({ timestamp }) => timestamp < 4500);
  append(writer, half);
  const text = await worker.text('a/wait', 'hls/v1.m3u8');
  const hint = lines(text, /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/g)[0]!;
  const [, number, part] = /(\d+)\.(\d+)\.m4s$/.exec(hint)!;
  const directives = `_HLS_msn=${number}&_HLS_part=${part}`;
  const waiting = Array.from({ length: 40 }, () => worker.text('a/wait', `hls/v1.m3u8?${directives}`));
  const hinted = worker.bytes('a/wait', `hls/${hint}`);
  // A playlist that has come so far is answered at once.
  await worker.text('a/wait', `hls/v1.m3u8?_HLS_msn=${number}&_HLS_part=0`);
  await until('all wait', () => worker.waits.players >= 41);
  append(
    writer,
    film.tags.filter(({ timestamp }) => timestamp >= 4500 && timestamp < 5000),
  );
  for (const answer of await Promise.all(waiting)) assert.ok(partsOf(answer).includes(hint));
  assert.ok((await hinted).equals(await other.bytes('a/wait', `hls/${hint}`)));
  assert.equal(worker.waits.players, 0);
  assert.ok(worker.viewers.count >= 1);
  const status = async (file: string) => (await fetch(worker.url('a/wait', file))).status;
  const next = Number(number);
  for (const [query, expected] of [
    [`_HLS_msn=${next + 4}`, 400],
    [`_HLS_msn=${next}&_HLS_part=200`, 400],
    ['_HLS_part=1', 400],
    ['_HLS_msn=x', 400],
    [`_HLS_msn=${next - 2}`, 200],
    // Behind the last part of a segment comes the next one's first.
    [`_HLS_msn=${next - 1}&_HLS_part=1000`, 200],
  ] as const) {
    assert.equal(await status(`hls/v1.m3u8?${query}`), expected, query);
  }
  for (const gone of [`v1/${next}.999.m4s`, `v1/${next + 9}.m4s`, `v1/${next}.m4s`, 'v1/init-7.mp4', 'v2.m3u8'])
    assert.equal(await status(`hls/${gone}`), 404, gone);
  for (const path of ['flv', 'hls', 'hls/', 'hls/v1', 'hls/hls.m3u8']) assert.equal(await status(path), 404, path);
  // The end answers whoever waits.
  const last = worker.text('a/wait', `hls/v1.m3u8?_HLS_msn=${next + 1}`);
  await until('it waits', () => worker.waits.players === 1);
  end('a/wait', writer);
  assert.match(await last, /#EXT-X-ENDLIST/);
  worker.streams.update([]);
});

test('only what is new is sent to those who ask for it', async () => {
  const writer = publish('a/skip');
  for (let round = 0; round < 4; round++) append(writer, film.tags, round * film.duration);
  const [whole, delta] = await Promise.all(
    ['', '?_HLS_skip=YES'].map(query => worker.text('a/skip', `hls/v1.m3u8${query}`)),
  );
  const skipped = attribute(delta!, 'SKIPPED-SEGMENTS');
  const all = segmentsOf(whole!);
  assert.ok(skipped > 0);
  assert.deepEqual(segmentsOf(delta!), all.slice(skipped));
  assert.equal(attribute(delta!, 'MEDIA-SEQUENCE'), attribute(whole!, 'MEDIA-SEQUENCE'));
  // At least six target durations are never skipped.
  assert.ok((all.length - skipped) * 2 >= 6 * attribute(whole!, 'TARGETDURATION'));
  end('a/skip', writer);
});

test('another publisher, other codecs, another process: numbers go on (hls.js 1090, 1182), and a discontinuity says so', async () => {
  const writer = publish('a/again');
  append(writer, film.tags);
  const file = places.get('a/again')!.file;
  const first = await worker.text('a/again', 'hls/v1.m3u8');
  const open = partsOf(first).at(-1)!;
  const before = await worker.bytes('a/again', `hls/${open}`);
  writer.setState('waiting');
  // What was left of the last part comes when nothing follows.
  const left = await worker.text('a/again', 'hls/v1.m3u8');
  assert.ok(segmentsOf(left).length === segmentsOf(first).length + 1 && !left.includes('PRELOAD-HINT'));
  writer.setState('publishing');
  append(writer, film.tags, 12_000);
  writer.leave();
  const heir = RingWriter.open(file);
  heir.setState('publishing');
  heir.setHeaders({ ...film.headers, audio: Uint8Array.of(0xaf, 0, 0x11, 0x90) });
  append(heir, film.tags, 24_000);
  const text = await worker.text('a/again', 'hls/v1.m3u8');
  const sound = await worker.text('a/again', 'hls/a1.m3u8');
  const numbers = segmentsOf(text).map(uri => Number(/\d+/.exec(uri.slice(3))![0]));
  assert.deepEqual(
    numbers,
    numbers.map((_, at) => numbers[0]! + at),
  );
  assert.deepEqual(segmentsOf(text).slice(0, segmentsOf(left).length), segmentsOf(left));
  assert.equal(lines(text, /(#EXT-X-DISCONTINUITY)\n/g).length, 2);
  assert.equal(attribute(text, 'DISCONTINUITY-SEQUENCE'), 0);
  // Both tracks say so at the same segments, and each run has a configuration of its own.
  const at = (playlist: string) => playlist.split('#EXT-X-DISCONTINUITY\n').map(run => segmentsOf(run).length);
  assert.deepEqual(at(sound), at(text));
  const inits = lines(sound, /EXT-X-MAP:URI="([^"]+)"/g);
  assert.equal(new Set(inits).size, 3);
  assert.notDeepEqual(
    (await worker.bytes('a/again', `hls/${inits[2]}`)).subarray(-200),
    (await worker.bytes('a/again', `hls/${inits[0]}`)).subarray(-200),
  );
  assert.ok((await other.bytes('a/again', `hls/${open}`)).equals(before));
  assert.equal(await other.text('a/again', 'hls/v1.m3u8'), text);
  end('a/again', heir);
});

test('one track alone, and what HLS can not have', async () => {
  const { video, audio, metadata } = film.headers;
  for (const [type, headers, names] of [
    [9, { video, hasVideo: true, hasAudio: false }, ['v1', 'a1']],
    [8, { audio, hasVideo: false, hasAudio: true }, ['a1', 'v1']],
  ] as const) {
    const writer = publish(`a/only${type}`, { ...headers, metadata } as LiveHeaders);
    append(
      writer,
      film.tags.filter(tag => tag.type === type),
    );
    const multivariant = await worker.text(`a/only${type}`, 'hls.m3u8');
    assert.doesNotMatch(multivariant, /EXT-X-MEDIA:/);
    assert.ok(multivariant.endsWith(`hls/${names[0]}.m3u8\n`));
    assert.ok(segmentsOf(await worker.text(`a/only${type}`, `hls/${names[0]}.m3u8`)).length >= 3);
    assert.equal((await fetch(worker.url(`a/only${type}`, `hls/${names[1]}.m3u8`))).status, 404);
    end(`a/only${type}`, writer);
  }
  const bad: [string, LiveHeaders, RegExp][] = [
    ['no configuration', { audio: audio!, hasVideo: true, hasAudio: true }, /video.*no configuration|avc1 without/],
    ['a broken one', { ...film.headers, video: Buffer.from(video!).fill(0xff, 10) }, /video.*avc1/],
    ['one cut off', { ...film.headers, video: video!.subarray(0, 8) }, /video.*avc1.*3 bytes/],
    ['nonsense of sound', { ...film.headers, audio: Uint8Array.of(0xaf, 0, 0, 0) }, /sound.*mp4a/],
    ['MP3', { ...film.headers, audio: Uint8Array.of(0x2f, 1, 2, 3) }, /sound.*mp3/],
  ];
  for (const [name, headers, reason] of bad) {
    const writer = publish('a/bad', headers);
    append(writer, film.tags.slice(0, 50));
    for (const url of ['hls.m3u8', 'hls/v1.m3u8']) {
      const answer = await fetch(worker.url('a/bad', url));
      assert.equal(answer.status, 422, name);
      assert.match(await answer.text(), reason, name);
    }
    end('a/bad', writer);
  }
});

test('no key frame for longer than the window: playlists go on and say where no decoder can begin, until there is one', async () => {
  const writer = publish('a/long');
  const rounds = Math.ceil((LIMITS.window + 25_000) / film.duration);
  // Of the whole minute the first picture alone is a key frame.
  const firstPicture = film.tags.find(({ type }) => type === 9);
  const inter = (tag: LiveTag, isFirst: boolean): LiveTag => {
    if (tag.type !== 9 || isFirst) return tag;
    return { ...tag, keyFrame: false, body: [Buffer.of(0x27), ...tag.body.map(each => each.subarray(1))] };
  };
  for (let round = 0; round < rounds; round++) {
    const tags = film.tags.map(tag => inter(tag, round === 0 && tag === firstPicture));
    append(writer, tags, round * film.duration);
    if (round === 0) assert.match(await worker.text('a/long', 'hls/v1.m3u8'), /INDEPENDENT=YES/);
  }
  const text = await worker.text('a/long', 'hls/v1.m3u8');
  assert.doesNotMatch(text, /INDEPENDENT/);
  assert.doesNotMatch(await worker.text('a/long', 'hls.m3u8'), /INDEPENDENT/);
  assert.equal(attribute(text, 'TARGETDURATION'), 10);
  assert.ok(lines(text, /#EXTINF:([\d.]+)/g).every(duration => Math.round(Number(duration)) <= 10));
  const total = lines(text, /#EXTINF:([\d.]+)/g).reduce((sum, duration) => sum + Number(duration), 0);
  assert.ok(total >= LIMITS.window / 1000 - 10 && total <= LIMITS.window / 1000 + 10, `${total} s`);
  // What has left the playlist is still there, for as long again.
  const first = Number(/\d+/.exec(segmentsOf(text)[0]!.slice(3))![0]);
  const oldest = first - (worker.streams.find('a/long')!.segments('v1').length - segmentsOf(text).length - 1);
  const newest = Number(/\d+/.exec(segmentsOf(text).at(-1)!.slice(3))![0]);
  const uris = Array.from({ length: newest - oldest + 1 }, (_, at) => `v1/${oldest + at}.m4s`);
  const init = await worker.bytes('a/long', `hls/${lines(text, /EXT-X-MAP:URI="([^"]+)"/g)[0]}`);
  const segments = await Promise.all(uris.map(uri => worker.bytes('a/long', `hls/${uri}`)));
  const whole = join(folder, 'long.mp4');
  await writeFile(whole, Buffer.concat([init, ...segments]));
  // What is a key frame ffprobe sees by the pictures, whatever the tags say.
  const published = (await packets(source, 'v')).map(packet => packet.split(' '));
  const expected = Array.from({ length: rounds }, (_, round) =>
    published.map(([pts, dts, size]) => {
      const later = (time = '') => (Number(time) + (round * film.duration) / 1000).toFixed(6);
      return `${later(pts)} ${later(dts)} ${size}`;
    }),
  ).flat();
  const found = (await packets(whole, 'v')).map(packet => packet.slice(0, -2));
  assert.deepEqual(found, expected.slice(0, found.length));
  assert.ok(found.length > expected.length - 10 * 25);
  // A key frame ends it all: the next segment begins with it.
  append(writer, film.tags, rounds * film.duration);
  assert.match(await worker.text('a/long', 'hls/v1.m3u8'), /INDEPENDENT=YES/);
  end('a/long', writer);
});

test('HEAD, ranges, conditions, CORS and caches as everywhere, for every kind of file', async () => {
  const writer = publish('a/http');
  append(writer, film.tags);
  const playlist = await worker.text('a/http', 'hls/v1.m3u8');
  const [init] = lines(playlist, /EXT-X-MAP:URI="([^"]+)"/g);
  const [segment, part] = [segmentsOf(playlist)[0], partsOf(playlist).at(-1)];
  const list = 'application/vnd.apple.mpegurl';
  const kinds = [
    ['hls.m3u8', list, 'max-age=1'],
    ['hls/v1.m3u8', list, 'max-age=1'],
    [`hls/v1.m3u8?_HLS_msn=${/\d+/.exec(segment!.slice(3))![0]}`, list, 'max-age=12'],
    [`hls/${init}`, 'video/mp4', 'max-age=12'],
    [`hls/${segment}`, 'video/mp4', 'max-age=12'],
    [`hls/${part}`, 'video/mp4', 'max-age=12'],
  ] as const;
  for (const [file, type, kept] of kinds) {
    const url = worker.url('a/http', file);
    const got = await fetch(url);
    const whole = Buffer.from(await got.arrayBuffer());
    const head = await fetch(url, { method: 'HEAD' });
    for (const { headers } of [got, head]) {
      const told = ['content-length', 'content-type', 'cache-control', 'cache-status', 'accept-ranges'];
      assert.deepEqual(
        told.map(name => headers.get(name)),
        [String(whole.length), type, kept, 'moovedge; hit; detail=memory', 'bytes'],
        file,
      );
      assert.equal(headers.get('access-control-allow-origin'), '*', file);
    }
    const etag = head.headers.get('etag')!;
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(url, { headers });
      return [answer.status, Buffer.from(await answer.arrayBuffer())] as const;
    };
    const end = Math.min(20_000, whole.length - 2);
    const range = `bytes=7-${end}`;
    assert.deepEqual(await ask({ range }), [206, whole.subarray(7, end + 1)], file);
    assert.deepEqual(await ask({ range, 'if-range': etag }), [206, whole.subarray(7, end + 1)], file);
    assert.deepEqual(await ask({ range, 'if-range': '"other"' }), [200, whole], file);
    assert.equal((await ask({ range: `bytes=${whole.length}-` }))[0], 416, file);
    assert.equal((await ask({ 'if-none-match': etag }))[0], 304, file);
    assert.equal((await ask({ 'if-match': '"other"' }))[0], 412, file);
    // The other process has the same bytes under the same name.
    const there = await fetch(other.url('a/http', file));
    assert.deepEqual([there.headers.get('etag'), Buffer.from(await there.arrayBuffer())], [etag, whole], file);
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin: 'http://page.example', 'access-control-request-method': 'GET' },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*', file);
    assert.equal((await fetch(url, { method: 'POST' })).status, 405, file);
  }
  end('a/http', writer);
});

test('a ring that lost much: playlists go back half of what there is, and begin later and later', async () => {
  const file = join(folder, `ring-${++count}`);
  const writer = RingWriter.create(file, { bytes: 4 << 20, milliseconds: 124_000, segment: LIMITS.segment });
  writer.setState('publishing');
  writer.setHeaders(film.headers);
  places.set('a/small', { name: 'a/small', file, id: count });
  update();
  let [sequence, played] = [0, 0];
  for (let round = 0; round < 10; round++) {
    for (const tag of film.tags) {
      const timestamp = tag.timestamp + round * film.duration;
      writer.append({ ...tag, timestamp });
      if (tag.keyFrame && round > 0) {
        const text = await worker.text('a/small', 'hls/v1.m3u8?_HLS_msn=1');
        const now = attribute(text, 'MEDIA-SEQUENCE');
        assert.ok(now >= sequence);
        sequence = now;
      }
    }
    const text = await worker.text('a/small', 'hls/v1.m3u8');
    const all = segmentsOf(text);
    for (const uri of [all[0], all.at(-1)]) {
      await worker.bytes('a/small', `hls/${uri}`);
      played++;
    }
  }
  assert.equal(played, 20);
  assert.ok(worker.streams.find('a/small')!.ring.tail);
  end('a/small', writer);
});
