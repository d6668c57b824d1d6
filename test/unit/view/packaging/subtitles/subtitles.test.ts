import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MeteredSource } from '../../../../../src/media/io/metered-source.js';
import type { Reading } from '../../../../../src/media/io/reading.js';
import { parseSrt } from '../../../../../src/view/packaging/subtitles/srt.js';
import { checkSubtitleSize, linesOf } from '../../../../../src/view/packaging/subtitles/text-file.js';
import { isTextSampleType, sampleCues } from '../../../../../src/view/packaging/subtitles/text-sample.js';
import { parseWebVtt, shifted, webVtt } from '../../../../../src/view/packaging/subtitles/webvtt.js';
import { cpuStopwatch } from '../../../../support/stopwatch.js';

/** What a reading of lines comes to, which waits for nothing but its turn. */
function atOnce<T>(reading: Reading<T>): T {
  for (;;) {
    const step = reading.next();
    if (step.done) return step.value;
  }
}
const source = { size: 0, read: () => new Uint8Array() };
const work = () => new MeteredSource(source, { work: Infinity, memory: 0 });
const srtOf = (text: readonly string[]) => atOnce(parseSrt(text, work()));
const vttOf = (text: readonly string[]) => atOnce(parseWebVtt(text, work()));
const lines = (text: string) => linesOf(Buffer.from(text));
const ALL = { from: 0, to: Infinity };

describe('SubRip', () => {
  it('becomes WebVTT', () => {
    const srt = lines(
      '\ufeff1\r\n00:00:01,500 --> 00:00:02,000\r\n<i>Hello</i> & <font color="#ff0000">you</font>\r\nthere\r\n\r\n' +
        '2\r\n00:00:03,000 --> 00:00:04,5\r\n{\\an8}a < b --> c\r\n\r\nstill\r\n\r\n3\r\n00:00:05,000 --> 00:00:05,000\r\nnever\r\n',
    );
    assert.equal(
      webVtt(srtOf(srt), ALL, false),
      'WEBVTT\n\n1\n00:00:01.500 --> 00:00:02.000\n<i>Hello</i> &amp; you\nthere\n\n' +
        '2\n00:00:03.000 --> 00:00:04.500 line:0\na &lt; b --&gt; c\nstill\n',
    );
  });

  it('without numbers, and out of order', () => {
    const { cues } = srtOf(lines('0:0:5,0 --> 0:0:6,0\nb\n0:0:1,0 --> 0:0:2,0\na\n42\n'));
    assert.deepEqual(
      cues.map(({ start, text }) => [start, text]),
      [
        [1000, 'a\n42'],
        [5000, 'b'],
      ],
    );
  });

  it('in any encoding', () => {
    const text = '1\n00:00:01,000 --> 00:00:02,000\nGrüße\n';
    for (const bytes of [
      Buffer.from(text),
      Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]),
      Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(text, 'utf16le').swap16()]),
      Buffer.from(text, 'latin1'),
    ]) {
      assert.equal(srtOf(linesOf(bytes)).cues[0]?.text, 'Grüße');
    }
  });
});

describe('WebVTT', () => {
  it('keeps ids, settings, styles and cue text, and drops what else there is', () => {
    const text = vttOf(
      lines(
        'WEBVTT - title\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\nNOTE x\n\nSTYLE\n::cue { color: red }\n\n' +
          'intro\n00:01.000 --> 01:00:02.000 line:0 evil:x align:start\n<v Bob>Hi</v>\n\n\n00:03.000 --> 00:02.000\nback\n',
      ),
    );
    assert.equal(
      webVtt(text, ALL, false),
      'WEBVTT\n\nSTYLE\n::cue { color: red }\n\nintro\n00:00:01.000 --> 01:00:02.000 line:0 align:start\n<v Bob>Hi</v>\n',
    );
  });

  it('is refused when it is something else, or is large', () => {
    assert.throws(() => vttOf(lines('<html>')), /WEBVTT/);
    assert.throws(() => checkSubtitleSize(3 * 1024 * 1024), /1048576 bytes/);
    checkSubtitleSize(1024 * 1024);
  });
});

describe('segments', () => {
  const cue = (id: string, start: number, end: number) => ({
    id,
    start,
    end,
    settings: '',
    text: `text <00:00:01.000>${id}`,
  });
  const text = {
    blocks: [],
    cues: [cue('a', 0, 1000), cue('b', 5000, 7000), cue('c', 6000, 6500), cue('d', 12_000, 13_000)],
  };

  it('tell which moment of the media their times count from', () => {
    assert.match(
      webVtt(text, { from: 6000, to: 12_000 }, true),
      /^WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00\.000\n\n/,
    );
    assert.equal(webVtt({ blocks: [], cues: [] }, ALL, true), 'WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n');
  });

  it('have a cue over two of them in both, with the same times and the same id', () => {
    const ids = (from: number, to: number) =>
      [...webVtt(text, { from, to }, true).matchAll(/^(\w)\n(.*) --> (.*)$/gm)].map(([, ...found]) => found.join(' '));
    assert.deepEqual(ids(0, 6000), ['a 00:00:00.000 00:00:01.000', 'b 00:00:05.000 00:00:07.000']);
    assert.deepEqual(ids(6000, 12_000), ['b 00:00:05.000 00:00:07.000', 'c 00:00:06.000 00:00:06.500']);
    assert.deepEqual(ids(12_000, 18_000), ['d 00:00:12.000 00:00:13.000']);
  });

  it('of a clip begin with it', () => {
    const { cues } = shifted(text, 6200);
    assert.deepEqual(
      cues.map(({ id, start, end }) => [id, start, end]),
      [
        ['b', 0, 800],
        ['c', 0, 300],
        ['d', 5800, 6800],
      ],
    );
    assert.equal(cues[0]!.text, 'text b', 'times within cues would be wrong');
  });
});

describe('text in films', () => {
  const tx3g = (text: Buffer, more = '') =>
    Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), text, Buffer.from(more)]);
  const box = (type: string, ...bodies: Buffer[]) => {
    const body = Buffer.concat(bodies);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(type, 4, 'latin1');
    return Buffer.concat([head, body]);
  };

  it('becomes cues', () => {
    assert.deepEqual(sampleCues('tx3g', tx3g(Buffer.from('a <b>\n\nc'), 'styl')), [
      { text: 'a &lt;b&gt;\nc', settings: '' },
    ]);
    const utf16 = Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from('ü', 'utf16le').swap16()]);
    assert.deepEqual(sampleCues('text', tx3g(utf16)), [{ text: 'ü', settings: '' }]);
    assert.deepEqual(sampleCues('tx3g', tx3g(Buffer.alloc(0))), []);
    const wvtt = Buffer.concat([
      box(
        'vttc',
        box('iden', Buffer.from('7')),
        box('sttg', Buffer.from('line:0 x')),
        box('payl', Buffer.from('<i>a</i>')),
      ),
      box('vttc', box('payl', Buffer.from('b'))),
    ]);
    assert.deepEqual(sampleCues('wvtt', wvtt), [
      { text: '<i>a</i>', settings: 'line:0' },
      { text: 'b', settings: '' },
    ]);
    assert.deepEqual(sampleCues('wvtt', box('vtte')), []);
    assert.deepEqual(['tx3g', 'stpp'].map(isTextSampleType), [true, false]);
  });
});

it('whatever comes, a segment is its header and whole cues', () => {
  const piece = fc.constantFrom(
    ...[
      'WEBVTT',
      '\n',
      '\n\n',
      '00:01.000 --> 00:02.000',
      '00:00:01,000 --> 00:00:02,000',
      '-->',
      '<',
      '&',
      'STYLE\n',
      'x',
      '\0',
      '\r',
      '7',
      ' ',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      const text = pieces.join('');
      for (const parsed of [srtOf(lines(text)), vttOf(lines(`WEBVTT\n\n${text}`))]) {
        const written = webVtt(parsed, ALL, true);
        const blocks = written.trimEnd().split('\n\n').slice(1);
        for (const block of blocks) {
          if (block.startsWith('STYLE')) continue;
          assert.match(block, /^[^\n]+\n\d{2}:\d{2}:\d{2}\.\d{3} --> \d{2}:\d{2}:\d{2}\.\d{3}[^\n]*(\n[^\n]+)+$/);
          assert.equal(block.split('-->').length, 2);
        }
      }
    }),
    { numRuns: 1000 },
  );
  const spent = cpuStopwatch();
  srtOf(lines('<b'.repeat(1_000_000)));
  srtOf(lines(`00:00:01,000 --> 00:00:02,000\n${'{\\an8'.repeat(200_000)}`));
  vttOf(lines(`WEBVTT\n\n${'00:01.000 --> 00:02.000 a:b\nx\n\n'.repeat(100_000)}`));
  assert.ok(spent() < 5000);
});

it('gives others their turn while a long file is read', () => {
  const long = lines('1\n00:00:01,000 --> 00:00:02,000\nsome words that somebody says\n\n'.repeat(12_000));
  let turns = 0;
  for (const step of [parseSrt(long, work()), parseWebVtt(['WEBVTT', '', ...long], work())]) {
    while (!step.next().done) turns++;
  }
  assert.ok(turns > 8, `${turns} turns`);
});
