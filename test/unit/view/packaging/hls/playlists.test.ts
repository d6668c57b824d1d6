import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ParsedPlaylist, Parser } from 'm3u8-parser';
import { keyFramePlaylist } from '../../../../../src/view/packaging/hls/key-frame-playlist.js';
import { mediaPlaylist, subtitlePlaylist } from '../../../../../src/view/packaging/hls/media-playlist.js';
import { multivariantPlaylist } from '../../../../../src/view/packaging/hls/multivariant-playlist.js';
import { needDates, targetDuration } from '../../../../../src/view/packaging/presentation/durations.js';
import { presentationOf, presentedMedia, presentedText, sums, VERSION } from '../../../../support/presentation.js';

function parsed(text: string): ParsedPlaylist {
  const parser = new Parser();
  parser.push(text);
  parser.end();
  return parser.manifest;
}

/** The attributes of a tag, as the text has them. */
function attributes(text: string, tag: string): Record<string, string>[] {
  return text
    .split('\n')
    .filter(line => line.startsWith(`#${tag}:`))
    .map(line =>
      Object.fromEntries(
        [...line.slice(tag.length + 2).matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)(?:,|$)/g)].map(m => [m[1]!, m[2]!]),
      ),
    );
}

const options = { addressing: 'segments', target: 6, isDated: false, query: '' } as const;

describe('the multivariant playlist', () => {
  const video = presentedMedia('v1', [6000, 6000, 2000], [600_000, 900_000, 100_000]);
  const audio = presentedMedia('a1', [6000, 6000, 2000], [60_000, 61_000, 20_000], {
    label: 'English',
    language: 'en',
  });

  it('names a video with its sound', () => {
    assert.equal(
      multivariantPlaylist(presentationOf([video, audio]), '?token=1'),
      `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="mp4a.40",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="${VERSION}/a1.m3u8?token=1"
#EXT-X-STREAM-INF:BANDWIDTH=1281334,AVERAGE-BANDWIDTH=994858,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=23.976,VIDEO-RANGE=SDR,AUDIO="mp4a.40",CLOSED-CAPTIONS=NONE
${VERSION}/v1.m3u8?token=1
`,
    );
  });

  it('has each codec in a group of its own, with one default and names that differ', () => {
    const surround = { codecs: 'ac-3', channels: 6 };
    const text = multivariantPlaylist(
      presentationOf([
        video,
        audio,
        { ...audio, name: 'a2', label: 'English (2)', isDefault: true },
        { ...audio, name: 'a3', label: 'English (3)', attributes: surround },
        { ...audio, name: 'a4', label: 'German', language: 'de', attributes: surround },
      ]),
      '',
    );
    const media = attributes(text, 'EXT-X-MEDIA');
    assert.deepEqual(
      media.map(tag => [tag['GROUP-ID'], tag.NAME, tag.DEFAULT, tag.CHANNELS]),
      [
        ['"mp4a.40"', '"English"', 'NO', '"2"'],
        ['"mp4a.40"', '"English (2)"', 'YES', '"2"'],
        ['"ac-3"', '"English (3)"', 'YES', '"6"'],
        ['"ac-3"', '"German"', 'NO', '"6"'],
      ],
    );
    assert.deepEqual(
      attributes(text, 'EXT-X-STREAM-INF').map(tag => [tag.CODECS, tag.AUDIO, tag['CLOSED-CAPTIONS']]),
      [
        ['"avc1.64001f,mp4a.40.2"', '"mp4a.40"', 'NONE'],
        ['"avc1.64001f,ac-3"', '"ac-3"', 'NONE'],
      ],
    );
  });

  it('tells of high dynamic range, its frame rate, and Atmos', () => {
    const hdr = presentedMedia('v1', [6000], [1], {
      attributes: {
        codecs: 'hvc1.2.4.L150.90',
        width: 3840,
        height: 2160,
        frameRate: { num: 50, den: 1 },
        videoRange: 'HLG',
      },
    });
    const atmos = { ...audio, attributes: { codecs: 'ec-3', channels: 6, jointObjects: 16 } };
    const text = multivariantPlaylist(presentationOf([hdr, atmos]), '');
    const [stream] = attributes(text, 'EXT-X-STREAM-INF');
    assert.deepEqual([stream!['VIDEO-RANGE'], stream!['FRAME-RATE']], ['HLG', '50.000']);
    assert.equal(attributes(text, 'EXT-X-MEDIA')[0]!.CHANNELS, '"16/JOC"');
  });

  it('is not independent where groups of pictures are open', () => {
    assert.doesNotMatch(multivariantPlaylist(presentationOf([{ ...video, openGops: true }]), ''), /INDEPENDENT/);
  });

  it('names sound alone once, and several as a group', () => {
    const alone = multivariantPlaylist(presentationOf([audio]), '');
    assert.deepEqual(attributes(alone, 'EXT-X-MEDIA'), []);
    assert.deepEqual(
      attributes(alone, 'EXT-X-STREAM-INF').map(tag => [tag.CODECS, tag.BANDWIDTH, tag.RESOLUTION]),
      [['"mp4a.40.2"', '81334', undefined]],
    );
    const several = multivariantPlaylist(presentationOf([audio, { ...audio, name: 'a2', label: 'x' }]), '');
    assert.equal(attributes(several, 'EXT-X-MEDIA').length, 2);
    assert.deepEqual(
      attributes(several, 'EXT-X-STREAM-INF').map(tag => tag.BANDWIDTH),
      ['81334'],
    );
  });

  it('names subtitles, forced ones too, and key frames', () => {
    const keyFrames = { begins: sums([7000, 7000]), sizes: Float64Array.of(7000, 14_000) };
    const text = multivariantPlaylist(
      presentationOf([
        { ...video, keyFrames },
        presentedText('s1', [6000]),
        presentedText('s2', [6000], { isForced: true }),
      ]),
      '?q',
    );
    assert.deepEqual(
      attributes(text, 'EXT-X-MEDIA').map(tag => [tag.TYPE, tag.DEFAULT, tag.FORCED, tag.URI]),
      [
        ['SUBTITLES', 'NO', 'NO', `"${VERSION}/s1.m3u8?q"`],
        ['SUBTITLES', 'NO', 'YES', `"${VERSION}/s2.m3u8?q"`],
      ],
    );
    const [frames] = attributes(text, 'EXT-X-I-FRAME-STREAM-INF');
    assert.deepEqual([frames!.BANDWIDTH, frames!.URI], ['16000', `"${VERSION}/v1-iframes.m3u8?q"`]);
    assert.equal(frames!['FRAME-RATE'], undefined);
    const { playlists, mediaGroups } = parsed(text);
    assert.equal(playlists?.[0]?.attributes.SUBTITLES, 'subtitles');
    assert.equal(Object.keys(mediaGroups!.SUBTITLES!.subtitles!).length, 2);
  });

  it('holds what was left out as comments, whatever it is called', () => {
    const notes = ['mid.mp4 is left out:\n#EXTINF:1,\r\nhttp://evil', '#EXT-X-ENDLIST'];
    const text = multivariantPlaylist(presentationOf([video], { notes }), '');
    assert.deepEqual(
      text.split('\n').filter(line => line.startsWith('# ')),
      ['# mid.mp4 is left out: #EXTINF:1, http://evil', '# #EXT-X-ENDLIST'],
    );
  });

  it('lets no label out of its quotes', () => {
    const text = multivariantPlaylist(presentationOf([video, { ...audio, label: 'a",DEFAULT=NO\n#EXTINF:1' }]), '');
    assert.equal(attributes(text, 'EXT-X-MEDIA')[0]!.NAME, '"a ,DEFAULT=NO #EXTINF:1"');
    assert.equal(text.split('\n').filter(line => line.startsWith('#EXTINF')).length, 0);
  });
});

describe('media playlists', () => {
  const video = presentedMedia('v1', [6006, 6006, 1001], [600, 700, 100]);

  it('name each segment', () => {
    assert.equal(
      mediaPlaylist(video, { ...options, query: '?t=1' }),
      `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="v1/init.mp4?t=1"
#EXTINF:6.006000,
v1/1.m4s?t=1
#EXTINF:6.006000,
v1/2.m4s?t=1
#EXTINF:1.001000,
v1/3.m4s?t=1
#EXT-X-ENDLIST
`,
    );
  });

  it('say when they begin, where tracks do not begin together', () => {
    const late = presentedMedia('a1', [6000, 6000], [600, 700], {
      begins: sums([6000, 6000]).map(tick => tick + 1234),
    });
    const text = mediaPlaylist(late, { ...options, isDated: true });
    assert.match(
      text,
      /init\.mp4"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:01\.234Z\n#EXTINF:6\.000000,\na1\/1\.m4s\n/,
    );
    assert.equal(text.match(/DATE-TIME/g)!.length, 1);
    const ranges = mediaPlaylist(late, { ...options, addressing: 'byteranges', isDated: true });
    assert.match(ranges, /BYTERANGE="[^"]+"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:01\.234Z\n#EXTINF/);
    const words = subtitlePlaylist(presentedText('s1', [6000]), { ...options, isDated: true });
    assert.match(words, /#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00\.000Z\n#EXTINF/);
    assert.doesNotMatch(mediaPlaylist(late, options), /DATE-TIME/);
    const at = (seconds: number) => ({ begins: Float64Array.of(seconds * 48_000, 1e9), timescale: 48_000 });
    assert.ok(needDates([at(0), at(0.002)], false) && needDates([at(0)], true));
    assert.ok(!needDates([at(1), at(1.0005)], false));
  });

  it('or the ranges of one file, each behind the other tags', () => {
    const text = mediaPlaylist(video, { ...options, addressing: 'byteranges' });
    const { segments } = parsed(text);
    assert.deepEqual(
      segments.map(({ uri, byterange }) => [uri, byterange?.offset, byterange?.length]),
      [
        ['v1.mp4', 1000, 600],
        ['v1.mp4', 1600, 700],
        ['v1.mp4', 2300, 100],
      ],
    );
    assert.deepEqual(segments[0]!.map, { uri: 'v1.mp4', byterange: { length: 700, offset: 0 } });
    assert.match(text, /#EXTINF:[\d.]+,\n#EXT-X-BYTERANGE:600@1000\nv1\.mp4\n/);
  });

  it('of key frames', () => {
    const text = keyFramePlaylist(video, { begins: sums([2000, 4500, 500]), sizes: Float64Array.of(1, 2, 3) }, '');
    const { iFramesOnly, segments, targetDuration: target } = parsed(text);
    assert.deepEqual(
      [iFramesOnly, target, segments.map(({ uri }) => uri)],
      [true, 5, ['v1/i1.m4s', 'v1/i2.m4s', 'v1/i3.m4s']],
    );
  });

  it('of subtitles', () => {
    const { segments } = parsed(subtitlePlaylist(presentedText('s1', [6000, 3000]), { ...options, query: '?x' }));
    assert.deepEqual(
      segments.map(({ uri, duration }) => [uri, duration]),
      [
        ['s1/1.vtt?x', 6],
        ['s1/2.vtt?x', 3],
      ],
    );
  });

  it('sum up to the film and keep to the target duration, whatever is cut how', () => {
    const ticks = fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1, maxLength: 40 });
    const timescale = fc.constantFrom(1, 600, 1000, 12_288, 90_000, 24_000, 44_100, 1_000_000);
    fc.assert(
      fc.property(ticks, timescale, fc.nat(100_000), (durations, scale, first) => {
        const begins = sums(durations).map(tick => tick + first);
        const media = presentedMedia('v1', durations, durations, { begins, timescale: scale });
        const target = targetDuration([media]);
        const {
          segments,
          endList,
          playlistType,
          targetDuration: told,
        } = parsed(mediaPlaylist(media, { ...options, target }));
        const sum = segments.reduce((total, { duration }) => total + duration, 0);
        assert.ok(Math.abs(sum - (begins.at(-1)! - first) / scale) < 2e-6, 'the sum of EXTINF is the duration');
        for (const { duration } of segments) assert.ok(Math.round(duration) <= told);
        assert.ok(
          told === 1 || segments.some(({ duration }) => Math.round(duration) === told),
          'no more than is needed',
        );
        assert.deepEqual([segments.length, endList, playlistType], [durations.length, true, 'VOD']);
      }),
    );
  });
});
