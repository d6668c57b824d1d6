import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'mpd-parser';
import { mpd } from '../../../../../src/view/packaging/dash/mpd.js';
import { presentationOf, presentedMedia, presentedText, sums, VERSION } from '../../../../support/presentation.js';
import { assertMpd } from '../../../../support/streaming/mpd-schema.js';

const BASE = 'http://edge/film.mp4/';
const parsed = (text: string) => {
  assertMpd(text);
  return parse(text, { manifestUri: `${BASE}dash.mpd` });
};
const video = presentedMedia('v1', [6000, 6000, 2000], [600_000, 900_000, 100_000]);
const audio = presentedMedia('a1', [6000, 6000, 2000], [60_000, 61_000, 20_000], { label: 'English', language: 'en' });

describe('the MPD', () => {
  it('names segments by a template', () => {
    const text = mpd(presentationOf([video, audio]), 'live', '?token=1');
    assert.equal(
      text,
      `<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT14S" maxSegmentDuration="PT6S" minBufferTime="PT6S">
  <Period id="0" start="PT0S">
    <AdaptationSet contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
      <Representation id="v1" bandwidth="1200000" codecs="avc1.64001f" width="1280" height="720" frameRate="24000/1001">
        <SegmentTemplate timescale="1000" startNumber="1" initialization="${VERSION}/v1/init.mp4?token=1" media="${VERSION}/v1/$Number$.m4s?token=1">
          <SegmentTimeline>
            <S t="0" d="6000" r="1"/>
            <S d="2000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
      <Label>English</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="a1" bandwidth="81334" codecs="mp4a.40.2" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="1000" startNumber="1" initialization="${VERSION}/a1/init.mp4?token=1" media="${VERSION}/a1/$Number$.m4s?token=1">
          <SegmentTimeline>
            <S t="0" d="6000" r="1"/>
            <S d="2000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
`,
    );
    const { playlists, mediaGroups } = parsed(text);
    assert.deepEqual(
      playlists[0]!.segments.map(({ resolvedUri }) => resolvedUri),
      [1, 2, 3].map(number => `${BASE}${VERSION}/v1/${number}.m4s?token=1`),
    );
    assert.equal(mediaGroups.AUDIO!.audio!.English!.playlists[0]!.segments.length, 3);
  });

  it('or the index of one file a track', () => {
    const text = mpd(presentationOf([video]), 'on-demand', '?a=1&b=2');
    assert.match(text, /profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"/);
    const [playlist] = parsed(text).playlists;
    assert.equal(playlist!.sidx!.resolvedUri, `${BASE}${VERSION}/v1.mp4?a=1&b=2`);
    assert.deepEqual({ ...playlist!.sidx!.byterange }, { offset: 700, length: 300 });
  });

  it('escapes hostile queries and labels', () => {
    const hostile = { ...audio, label: `</Label><x a='"&\0` };
    for (const profile of ['live', 'on-demand'] as const) {
      const text = mpd(presentationOf([video, hostile], { notes: ['--> <x/>'] }), profile, `?$Number$=$&'a'`);
      assert.match(text, /<!-- -> <x\/> -->/);
      const { playlists } = parsed(text);
      const uri = playlists[0]!.sidx?.resolvedUri ?? playlists[0]!.segments[1]!.resolvedUri;
      assert.equal(new URL(uri).search, `?$Number$=$&%27a%27`);
      assert.ok(text.includes('<Label>&lt;/Label&gt;&lt;x a=&apos;&quot;&amp; </Label>'));
    }
  });

  it('tells what light pictures have, parts codecs, and which sound is the main one', () => {
    const pq = { codecs: 'hvc1.2.4.L150.90', videoRange: 'PQ' } as const;
    const text = mpd(
      presentationOf([
        video,
        presentedMedia('v2', [6000], [1], { attributes: pq, openGops: true }),
        audio,
        { ...audio, name: 'a2', language: 'de', isDefault: true },
      ]),
      'live',
      '',
    );
    assert.equal(text.match(/<AdaptationSet contentType="video"/g)?.length, 2);
    assert.match(text, /TransferCharacteristics" value="16"/);
    assert.match(text, /startWithSAP="3"/);
    assert.deepEqual(
      [...text.matchAll(/role:2011" value="(\w+)"/g)].map(([, value]) => value),
      ['alternate', 'main'],
    );
  });

  it('has subtitles: one file beside the film, or segments of cues in MP4', () => {
    const text = mpd(
      presentationOf([
        video,
        presentedText('s1', [6000], { language: 'de' }),
        presentedText('s2', [6000], { isWhole: false }),
      ]),
      'live',
      '?q',
    );
    const { mediaGroups } = parsed(text);
    assert.deepEqual(
      Object.values(mediaGroups.SUBTITLES!.subs!).map(group => group.language),
      ['de', 'und'],
    );
    assert.match(text, new RegExp(`<BaseURL>${VERSION}/s1\\.vtt\\?q</BaseURL>`));
    assert.doesNotMatch(text, /s2\.vtt/);
    assert.match(text, new RegExp(`codecs="wvtt"[^]*media="${VERSION}/s2/\\$Number\\$\\.m4s\\?q"`));
  });

  it('claims the on-demand profile only without text in segments of its own', () => {
    const profilesOf = (isWhole: boolean) =>
      /profiles="([^"]*)"/.exec(
        mpd(presentationOf([video, presentedText('s1', [6000], { isWhole })]), 'on-demand', ''),
      )![1];
    assert.equal(profilesOf(true), 'urn:mpeg:dash:profile:isoff-on-demand:2011');
    assert.equal(profilesOf(false), 'urn:mpeg:dash:profile:full:2011');
  });

  it('times every segment, none of them without duration', () => {
    const ticks = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(ticks, fc.nat(1000), (durations, first) => {
        const begins = sums(durations).map(tick => tick + first);
        const text = mpd(
          presentationOf([{ ...presentedMedia('v1', durations, durations), begins, timescale: 2 }]),
          'live',
          '',
        );
        assert.doesNotMatch(text, / d="0"/);
        const { segments } = parsed(text).playlists[0]!;
        assert.deepEqual(
          segments.map(({ duration, presentationTime }) => [presentationTime, duration]),
          durations.map((duration, i) => [begins[i]! / 2, duration / 2]),
        );
      }),
    );
  });
});
