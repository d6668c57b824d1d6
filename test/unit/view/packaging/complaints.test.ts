/** What users of other packagers complain of, from a film to the playlists that players get. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Parser } from 'm3u8-parser';
import { perform } from '../../../../src/media/io/reading.js';
import type { MediaPackage, Segmentation } from '../../../../src/media/packaging/media-package.js';
import { TrackFiles } from '../../../../src/media/packaging/track-file.js';
import { mpd } from '../../../../src/view/packaging/dash/mpd.js';
import { mediaPlaylist, type SegmentAddressing } from '../../../../src/view/packaging/hls/media-playlist.js';
import { multivariantPlaylist } from '../../../../src/view/packaging/hls/multivariant-playlist.js';
import { targetDuration, timedTracks } from '../../../../src/view/packaging/presentation/durations.js';
import { memberAt } from '../../../../src/view/packaging/set/member.js';
import { SetTracks } from '../../../../src/view/packaging/tracks/set-tracks.js';
import { full, movie, table } from '../../../support/hostile.js';
import type { ModelTrack } from '../../../support/mp4/model.js';
import { makePackager } from '../../../support/package-of.js';
import { pictures, replaced, sample, sound, track, written } from '../../../support/plain-tracks.js';
import { VERSION } from '../../../support/presentation.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const CUT: Segmentation = { target: 6, shortest: 0.5 };
const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer).swap32();
const every = (frames: number) => (i: number) => i % frames === 0;

/** What players are told of a film. */
interface Told {
  readonly pack: MediaPackage;
  readonly hls: string;
  readonly mpd: string;
  /** Seconds of the segments of a track, by its place. */
  lengths(place: number): number[];
  playlist(place: number, addressing?: SegmentAddressing): string;
}

async function told(film: Uint8Array, cut = CUT): Promise<Told> {
  const packager = makePackager();
  const media = mediaObject(new MemorySource(film));
  const pack = await packager.package(media, cut);
  const tracks = new SetTracks(new TrackFiles({ hvc1: true, memory: 0 }), packager);
  await perform(tracks.addFilm({ member: memberAt('/film.mp4', 'film'), media, file: 0, pack }));
  const { duration } = pack;
  const presentation = { version: VERSION, duration, ...tracks.present(true), aligned: true, notes: tracks.notes };
  const target = targetDuration(timedTracks(presentation));
  const all = [...presentation.videos, ...presentation.audios];
  const playlist = (place: number, addressing: SegmentAddressing = 'segments') =>
    mediaPlaylist(all[place]!, { addressing, target, isDated: false, query: '' });
  const lengths = (place: number) =>
    [...playlist(place).matchAll(/^#EXTINF:([\d.]+),$/gm)].map(found => Number(found[1]));
  return { pack, hls: multivariantPlaylist(presentation, ''), mpd: mpd(presentation, 'live', ''), playlist, lengths };
}

function tellsOf(tracks: readonly ModelTrack[], cut = CUT): Promise<Told> {
  return told(written(tracks), cut);
}

function targetOf(playlist: string): number {
  return Number(/^#EXT-X-TARGETDURATION:(\d+)$/m.exec(playlist)![1]);
}

describe('complaints of users of other packagers', () => {
  it('boundaries are pushed, segments empty or there twice (nginx-vod 488, 540, 322)', async () => {
    const keys = new Set([0, 149, 152, 301, 460, 461, 700, 899]);
    const { pack, playlist } = await tellsOf([pictures(900, i => keys.has(i)), sound(1800)]);
    for (const [place, { segments }] of pack.tracks.entries()) {
      const uris = playlist(place).match(/^[^#].*$/gm)!;
      assert.equal(new Set(uris).size, segments.count);
      for (let row = 0; row < segments.count; row++) assert.ok(segments.samples[row + 1]! > segments.samples[row]!);
      assert.equal(segments.samples[segments.count], place === 0 ? 900 : 1800);
    }
    const begins = [...pack.tracks[0]!.segments.begins].map(begin => begin / 40);
    assert.deepEqual(begins, [0, 152, 301, 460, 700, 900], 'the first key frame at or after each multiple');
  });

  it('a last segment of 0.016 s (nginx-vod 1115, 796)', async () => {
    const { lengths } = await tellsOf([pictures(301, every(150)), sound(603)]);
    assert.deepEqual(lengths(0), [6, 6.04]);
    assert.deepEqual(lengths(1), [6, 6.06]);
  });

  it('films that begin late (nginx-vod 1604, 288, 725): they are cut as those that do not', async () => {
    const edits = (media: number) => [
      { duration: 98_765, media: -1 },
      { duration: 12_000, media },
    ];
    const late = await tellsOf([pictures(300, every(50), edits(0)), sound(601, edits(20))]);
    const plain = await tellsOf([pictures(300, every(50)), sound(601, [{ duration: 12_000, media: 20 }])]);
    for (const place of [0, 1]) assert.deepEqual(late.lengths(place), plain.lengths(place));
    assert.deepEqual(late.lengths(0), [6, 6]);
  });

  it('EXTINF is not what the media lasts, and above EXT-X-TARGETDURATION (nginx-vod 323)', async () => {
    const { pack, lengths, playlist } = await tellsOf([pictures(1000, i => [0, 163, 400].includes(i)), sound(2000)]);
    for (const [place, { segments, timescale }] of pack.tracks.entries()) {
      for (const [row, length] of lengths(place).entries()) {
        const lasts = (segments.times[row + 1]! - segments.times[row]!) / timescale;
        assert.ok(Math.abs(length - lasts) < 1e-6);
        assert.ok(Math.round(length) <= targetOf(playlist(place)));
      }
    }
    assert.equal(targetOf(playlist(0)), 24);
    assert.equal(targetOf(playlist(1)), 24, 'of all playlists of a film');
  });

  it('groups of pictures are long (frigate 3671): a segment each, and EXT-X-TARGETDURATION says so', async () => {
    const { lengths, playlist } = await tellsOf([pictures(2500, every(750))]);
    assert.deepEqual(lengths(0), [30, 30, 30, 10]);
    assert.equal(targetOf(playlist(0)), 30);
  });

  it('BANDWIDTH is that of the first frames (nginx-vod 946, 412)', async () => {
    const samples = Array.from({ length: 1500 }, (_, i) =>
      sample({ sync: i % 50 === 0, size: i < 450 ? 10 : i < 600 ? 4000 : 400 }),
    );
    const { hls } = await tellsOf([track(samples)]);
    const [, peak, average] = /BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+)/.exec(hls)!.map(Number);
    const peakOf = (150 * 4000 * 8) / 6;
    assert.ok(Math.abs(peak! / peakOf - 1) < 0.1, `${peak} of ${peakOf}`);
    const averageOf = (samples.reduce((sum, { size }) => sum + size, 0) * 8) / 60;
    assert.ok(Math.abs(average! / averageOf - 1) < 0.1, `${average} of ${averageOf}`);
  });

  it('tracks drift apart by what edit lists say (nginx-vod 1522, 142; jellyfin 14487; hls.js 7432)', async () => {
    const late = { duration: 340, media: -1 };
    const { pack } = await tellsOf([
      pictures(300, every(50), [{ duration: 12_000, media: 0 }]),
      sound(617, [late, { duration: 12_000, media: 46 }]),
    ]);
    const [video, audio] = pack.tracks.map(({ segments, editMedia }) => segments.times[0]! - editMedia);
    // The sound's first frame is presented 340 ms later, less what is hidden before it.
    assert.equal(audio! - video!, 340 - 46);
  });

  it('offsets are negative (shaka-packager 671), or tfdt is (jellyfin 18049, shaka-packager 1610)', async () => {
    const slots = [1, 3, 0, 2];
    const samples = Array.from({ length: 600 }, (_, i) =>
      sample({ sync: i % 100 === 0, offset: (i % 100 === 0 ? 0 : slots[i % 4]! - (i % 4)) * 40 }),
    );
    const film = [track(samples), sound(1203, [{ duration: 24_000, media: 46 }])];
    for (const cut of [CUT, { ...CUT, start: 7.3, end: 15 }]) {
      const source = mediaObject(new MemorySource(written(film)));
      const packager = makePackager();
      for (const each of (await packager.package(source, cut)).tracks) {
        assert.ok(each.segments.times.every(time => time >= 0));
        const { samples: rows, count } = each.segments;
        const { compositions } = await packager.samples(source, each, rows[0]!, rows[count]!);
        assert.ok(compositions.every(offset => offset >= 0));
      }
    }
  });

  it('a clip has sound from its start and pictures from the key frame before (nginx-vod 810)', async () => {
    const { pack } = await tellsOf([pictures(750, every(50)), sound(1500)], { ...CUT, start: 7.9 });
    const [video, audio] = pack.tracks.map(({ segments, timescale }) => segments.begins[0]! / timescale);
    assert.deepEqual([pack.origin, video, audio], [6, 0, 0]);
  });

  it('codecs have other names in playlists (hls.js 4772, 4527)', async () => {
    for (const codec of ['Opus', 'fLaC']) {
      const { hls } = await told(replaced(written([sound(600)]), 'mp4a', codec));
      assert.match(hls, new RegExp(`CODECS="${codec}"`));
    }
  });

  it('AC-3 and AAC are in one group (nginx-vod 775, 1544), and not one DEFAULT=YES a group (1534)', async () => {
    const sounds = Array.from({ length: 4 }, () => sound(600));
    const film = Buffer.from(written([pictures(300, every(50)), ...sounds]));
    const third = film.lastIndexOf('soun', film.lastIndexOf('soun') - 1);
    replaced(film.subarray(third), 'mp4a', 'ac-3').copy(film, third);
    const { hls } = await told(film);
    for (const group of ['mp4a', 'ac-3']) {
      const members = hls
        .split('\n')
        .filter(line => line.startsWith('#EXT-X-MEDIA') && line.includes(`GROUP-ID="${group}"`));
      assert.equal(members.length, 2);
      assert.equal(members.filter(line => line.includes('DEFAULT=YES')).length, 1, group);
      assert.match(hls, new RegExp(`CODECS="avc1,${group}".*AUDIO="${group}"`));
    }
  });

  it('tracks of one codec and language are lost, or have one NAME (nginx-vod 1110)', async () => {
    const { hls } = await tellsOf([pictures(300, every(50)), sound(600), sound(600), sound(600)]);
    const names = [...hls.matchAll(/TYPE=AUDIO.*NAME="([^"]+)".*URI="[^"]*\/(a\d)\.m3u8"/g)].map(
      ([, name, uri]) => `${name} ${uri}`,
    );
    assert.deepEqual(names, ['Audio a1', 'Audio (2) a2', 'Audio (3) a3']);
  });

  it('sound is both in the pictures and beside them (shaka-player 3149, dash.js 1385, hls.js 7267)', async () => {
    const { pack, hls } = await tellsOf([pictures(300, every(50)), sound(600)]);
    assert.deepEqual(
      pack.tracks.map(({ kind }) => kind),
      ['video', 'audio'],
    );
    assert.equal(hls.match(/^[^#].*$/gm)!.length, 1, 'one variant, of the pictures alone');
    assert.equal(hls.match(/TYPE=AUDIO/g)!.length, 1);
    const alone = await tellsOf([sound(600)]);
    assert.doesNotMatch(alone.hls, /EXT-X-MEDIA/, 'sound alone is a variant');
  });

  it('players look for captions (nginx-vod 265): there are none', async () => {
    assert.match((await tellsOf([pictures(300, every(50))])).hls, /^#EXT-X-STREAM-INF:.*CLOSED-CAPTIONS=NONE/m);
    assert.doesNotMatch((await tellsOf([sound(600)])).hls, /CLOSED-CAPTIONS/);
  });

  it('segments do not begin with a key frame (hls.js 6218)', async () => {
    const keys = (i: number) => i >= 40 && (i - 40) % 70 === 0;
    const { pack } = await tellsOf([pictures(1000, keys), sound(2000)]);
    const { samples, count } = pack.tracks[0]!.segments;
    for (let row = 0; row < count; row++) assert.ok(keys(samples[row]!));
  });

  it('open groups of pictures are called independent', async () => {
    const open = Array.from({ length: 600 }, (_, i) =>
      sample({ sync: i % 50 === 0, offset: i % 50 === 1 && i > 1 ? 0 : 80 }),
    );
    const closed = await tellsOf([pictures(600, every(50))]);
    assert.match(closed.hls + closed.playlist(0), /INDEPENDENT-SEGMENTS.*INDEPENDENT-SEGMENTS/s);
    const { hls, playlist, mpd } = await tellsOf([track(open)]);
    assert.doesNotMatch(hls + playlist(0), /INDEPENDENT/);
    assert.match(mpd, /startWithSAP="3"/);
  });

  it('the rate of frames is no fraction in MPDs (nginx-vod 254), and lacks where light is of high range (fliks 155)', async () => {
    const samples = Array.from({ length: 600 }, (_, i) => sample({ delta: 1001, sync: i % 48 === 0 }));
    const { hls, mpd } = await tellsOf([track(samples, { timescale: 24_000 })]);
    assert.match(mpd, /frameRate="24000\/1001"/);
    assert.match(hls, /FRAME-RATE=23\.976/);
  });

  it('entries of SegmentTimeline without duration (shaka-player 5649, dio-az 100)', async () => {
    const still = Array.from({ length: 900 }, (_, i) => sample({ delta: i % 3 === 0 ? 40 : 0 }));
    const { mpd } = await tellsOf([track(still)], { ...CUT, target: 0.04 });
    const lasting = [...mpd.matchAll(/ d="(\d+)"/g)].map(found => Number(found[1]));
    assert.ok(lasting.length > 0 && lasting.every(d => d > 0));
  });

  it('EXT-X-BYTERANGE comes before other tags (hls-parser 98)', async () => {
    const { playlist } = await tellsOf([pictures(300, every(50)), sound(600)]);
    const parser = new Parser();
    parser.push(playlist(0, 'byteranges'));
    parser.end();
    assert.equal(parser.manifest.segments.length, 2);
    assert.doesNotMatch(playlist(0, 'byteranges'), /#EXT-X-BYTERANGE.*\n#/);
  });

  it('the movie box is larger than a buffer (nginx-vod 1495, 1069)', async () => {
    const count = 300_000;
    const sizes = Buffer.alloc(4 * count);
    for (let i = 0; i < count; i++) sizes.writeUInt32BE(1 + (i % 5), 4 * i);
    const keys = Buffer.alloc(4 * (count / 500));
    for (let i = 0; i < count / 500; i++) keys.writeUInt32BE(1 + i * 500, 4 * i);
    const times = Buffer.alloc(8 * count);
    for (let i = 0; i < count; i++) times.writeBigUInt64BE(BigInt(10 + (i % 3)) + (1n << 32n), 8 * i);
    const head = movie(
      () => [
        full('stts', 0, 0, u32(count), times),
        full('stss', 0, 0, u32(count / 500), keys),
        table('stsc', u32(1, count, 1), 1),
        full('stsz', 0, 0, u32(0, count), sizes),
        table('stco', u32(32), 1),
      ],
      { samples: count },
    );
    assert.ok(head.length > 12 * 256 * 1024, 'its movie box is of many blocks');
    const { pack, lengths } = await told(Buffer.concat([head, Buffer.alloc(3 * count)]));
    assert.equal(pack.tracks[0]!.segments.samples.at(-1), count);
    const lasts = (count * 11) / 1000;
    const sum = lengths(0).reduce((all, length) => all + length, 0);
    assert.ok(Math.abs(sum - lasts) < 0.1, `${sum} s of ${lasts} s`);
  });
});
