import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPackagedFile } from '../../../../../src/view/packaging/url/file-set.js';
import {
  type PackagedPath,
  parsePackagedPath,
  partPath,
  type TrackPart,
} from '../../../../../src/view/packaging/url/packaged-path.js';
import { trackNameText } from '../../../../../src/view/packaging/url/track-name.js';
import { parseVersion, versionHash, versionText } from '../../../../../src/view/packaging/url/version.js';
import { cpuStopwatch } from '../../../../support/stopwatch.js';

const V = '0123456789abcdef';
const parse = (path: string) => parsePackagedPath(path, isPackagedFile);
const v1 = { file: 0, kind: 'v', number: 1 };

describe('paths of what is packaged', () => {
  const cases: [path: string, expected: unknown][] = [
    ['/film.mp4/hls.m3u8', { file: '/film.mp4', manifest: { kind: 'hls' } }],
    ['/a/film.MOV/master.m3u8', { file: '/a/film.MOV', manifest: { kind: 'hls' } }],
    ['/film.m4a/dash.mpd', { file: '/film.m4a', manifest: { kind: 'dash' } }],
    ['/film.mp4/manifest.mpd', { file: '/film.mp4', manifest: { kind: 'dash' } }],
    ['/x.set.json/hls.m3u8', { file: '/x.set.json', manifest: { kind: 'hls' } }],
    ['/f_,a,b,.mp4.urlset/hls.m3u8', { file: '/f_,a,b,.mp4.urlset', manifest: { kind: 'hls' } }],
    [`/film.mp4/${V}/v1.m3u8`, { part: { kind: 'playlist', track: v1 } }],
    [`/film.mp4/${V}/v1-iframes.m3u8`, { part: { kind: 'keyFramePlaylist', track: v1 } }],
    [`/film.mp4/${V}/v1/init.mp4`, { part: { kind: 'init', track: v1 } }],
    [`/film.mp4/${V}/v1/12.m4s`, { part: { kind: 'segment', track: v1, number: 12 } }],
    [`/film.mp4/${V}/v1/i12.m4s`, { part: { kind: 'keyFrame', track: v1, number: 12 } }],
    [`/film.mp4/${V}/v1.mp4`, { part: { kind: 'trackFile', track: v1 } }],
    [`/film.mp4/${V}/a2/3.m4s`, { part: { kind: 'segment', track: { ...v1, kind: 'a', number: 2 }, number: 3 } }],
    [`/film.mp4/${V}/s1.m3u8`, { part: { kind: 'playlist', track: { ...v1, kind: 's' } } }],
    [`/film.mp4/${V}/s1/3.vtt`, { part: { kind: 'subtitleSegment', track: { ...v1, kind: 's' }, number: 3 } }],
    [`/film.mp4/${V}/s1/3.m4s`, { part: { kind: 'segment', track: { ...v1, kind: 's' }, number: 3 } }],
    [`/film.mp4/${V}/s1/init.mp4`, { part: { kind: 'init', track: { ...v1, kind: 's' } } }],
    [`/film.mp4/${V}/s1.vtt`, { part: { kind: 'subtitleFile', track: { ...v1, kind: 's' } } }],
    [`/f,a,b,.mp4.urlset/${V}/f2-v1/1.m4s`, { part: { kind: 'segment', track: { ...v1, file: 2 }, number: 1 } }],
    [`/film.mp4/${V}-12500/v1.m3u8`, { version: { hash: V, clip: { start: 12500, end: undefined } } }],
    [`/film.mp4/${V}-0-9000/v1.m3u8`, { version: { hash: V, clip: { start: 0, end: 9000 } } }],
  ];
  for (const [path, expected] of cases) {
    it(path, () => {
      const read = parse(path);
      assert.ok(read !== undefined);
      assert.deepEqual({ ...read, ...(expected as PackagedPath) }, read);
    });
  }

  const others = [
    '/film.mp4',
    '/hls.m3u8',
    '/film/hls.m3u8',
    '/film.flv/hls.m3u8',
    '/film.mp4/index.m3u8',
    '/film.mp4/x/hls.m3u8',
    '/.mp4/hls.m3u8',
    '/film.mp4//hls.m3u8',
    '/film.mp4/HLS.m3u8',
    `/film.mp4/${V.toUpperCase()}/v1.m3u8`,
    `/film.mp4/${V}0/v1.m3u8`,
    `/film.mp4/${V.slice(1)}/v1.m3u8`,
    `/film.mp4/${V}-/v1.m3u8`,
    `/film.mp4/${V}-0/v1.m3u8`,
    `/film.mp4/${V}-5-5/v1.m3u8`,
    `/film.mp4/${V}-05/v1.m3u8`,
    `/film.mp4/${V}-1e3/v1.m3u8`,
    `/film.mp4/${V}/v0.m3u8`,
    `/film.mp4/${V}/v01.m3u8`,
    `/film.mp4/${V}/x1.m3u8`,
    `/film.mp4/${V}/f0-v1.m3u8`,
    `/film.mp4/${V}/a1-iframes.m3u8`,
    `/film.mp4/${V}/s1.mp4`,
    `/film.mp4/${V}/v1.vtt`,
    `/film.mp4/${V}/v1/0.m4s`,
    `/film.mp4/${V}/v1/01.m4s`,
    `/film.mp4/${V}/v1/-1.m4s`,
    `/film.mp4/${V}/v1/12345678.m4s`,
    `/film.mp4/${V}/a1/i1.m4s`,
    `/film.mp4/${V}/v1/1.vtt`,
    `/film.mp4/${V}/s1/i1.m4s`,
    `/film.mp4/${V}/s1/1.mp4`,
    `/film.mp4/${V}/1.m4s`,
    `/${V}/v1.m3u8`,
    `${V}/v1/1.m4s`,
    'v1.m3u8',
    '/,.urlset/hls.m3u8',
    '/a,b.mp4.urlset/hls.m3u8',
    '/a,x,b,.txt.urlset/hls.m3u8',
    '/a,x,.srt.urlset/hls.m3u8',
    `/a,${'x,'.repeat(33)}.mp4.urlset/hls.m3u8`,
  ];
  for (const path of others) it(`not ${path.slice(0, 60)}`, () => assert.equal(parse(path), undefined));
});

const number = fc.integer({ min: 1, max: 9_999_999 });
const track = fc.record(
  {
    file: fc.integer({ min: 0, max: 99 }),
    kind: fc.constantFrom('v' as const, 'a' as const, 's' as const),
    number: fc.integer({ min: 1, max: 99 }),
  },
  { noNullPrototype: true },
);
const KINDS: Readonly<Record<string, readonly TrackPart['kind'][]>> = {
  v: ['playlist', 'keyFramePlaylist', 'init', 'trackFile', 'segment', 'keyFrame'],
  a: ['playlist', 'init', 'trackFile', 'segment'],
  s: ['playlist', 'subtitleFile', 'subtitleSegment', 'init', 'segment'],
};
const part = fc.tuple(track, number, fc.nat(5)).map(([name, n, which]): TrackPart => {
  const kinds = KINDS[name.kind]!;
  const kind = kinds[which % kinds.length]!;
  const numbered = kind === 'segment' || kind === 'keyFrame' || kind === 'subtitleSegment';
  return (numbered ? { kind, track: name, number: n } : { kind, track: name }) as TrackPart;
});
const clip = fc.option(
  fc
    .tuple(fc.nat(10_000_000), fc.option(fc.integer({ min: 1, max: 10_000_000 }), { nil: undefined }))
    .filter(([start, length]) => start > 0 || length !== undefined)
    .map(([start, length]) => ({ start, end: length === undefined ? undefined : start + length })),
  { nil: undefined },
);
const version = fc.record(
  {
    hash: fc.stringMatching(/^[0-9a-f]{16}$/),
    clip,
  },
  { noNullPrototype: true },
);

it('every name is read as what it was written from', () => {
  fc.assert(
    fc.property(version, part, (written, named) => {
      const path = `/a b/film.mp4/${versionText(written)}/${partPath(named, trackNameText(named.track))}`;
      assert.deepEqual(parse(path), { file: '/a b/film.mp4', version: written, part: named });
    }),
  );
});

it('what is read has been written the one way, and reading ends soon on anything', () => {
  const piece = fc.constantFrom(
    '/',
    V,
    '-',
    '12',
    'v1',
    'a1',
    's1',
    'i3',
    '.m4s',
    '.m3u8',
    '.mp4',
    'film',
    ',',
    '.urlset',
    '0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), pieces => {
      const path = `/${pieces.join('')}`;
      const read = parse(path);
      if (read === undefined || 'manifest' in read) return;
      const name = trackNameText(read.part.track);
      assert.equal(`${read.file}/${versionText(read.version)}/${partPath(read.part, name)}`, path);
    }),
    { numRuns: 2000 },
  );
  const spent = cpuStopwatch();
  parse(`/${'/f1-v1'.repeat(2000)}/film.mp4/${V}/v1.m3u8`);
  parse(`/${','.repeat(16_000)}.urlset/hls.m3u8`);
  assert.ok(spent() < 100);
});

it('versions of clips are written the one way', () => {
  assert.equal(versionText(parseVersion(`${V}-1-2`)!), `${V}-1-2`);
  assert.equal(parseVersion(`${V}-2-1`), undefined);
});

it('versions differ by everything that they are made of', () => {
  const hashes = [['a', 'b'], ['ab'], ['a', ['b']], ['a', 'b', 1]].map(versionHash);
  assert.equal(new Set(hashes).size, 4);
  for (const hash of hashes) assert.deepEqual(parseVersion(hash), { hash, clip: undefined });
});
