import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDirectives } from '../../../../src/live/hls/hls-directives.js';
import { parseHlsPath } from '../../../../src/live/hls/hls-url.js';
import { HlsViewers } from '../../../../src/live/hls/hls-viewers.js';
import { HlsWaits } from '../../../../src/live/hls/hls-waits.js';

test('paths: what is a file of HLS of which stream, and what is none', () => {
  const file = (path: string) => parseHlsPath('/live/', `/live/${path}`);
  assert.deepEqual(file('a/b/hls.m3u8'), { stream: 'a/b', file: { kind: 'multivariant' } });
  assert.deepEqual(file('a/b.c/d/hls/a1.m3u8'), { stream: 'a/b.c/d', file: { kind: 'playlist', track: 'a1' } });
  assert.deepEqual(file('a/%7Eb/hls/v1/init-7.mp4')?.stream, 'a/~b');
  assert.deepEqual(file('a/b/hls/v1/12.m4s')?.file, { kind: 'segment', track: 'v1', number: 12 });
  assert.deepEqual(file('a/b/hls/v1/12.3.m4s')?.file, { kind: 'part', track: 'v1', number: 12, part: 3 });
  for (const path of ['a/b.flv', 'a/b/flv', 'hls.m3u8', 'a/b/hls/v2.m3u8', 'a/b/hls/v1/x.m4s', 'a/%zz/hls.m3u8']) {
    assert.equal(file(path), undefined, path);
  }
  assert.equal(parseHlsPath('/live/', '/films/a/b/hls.m3u8'), undefined);
});

test('directives are taken out of the query, which is left as it was', () => {
  const query = 'a=1&_HLS_msn=5&token=x%20y&_HLS_part=2&_HLS_skip=v2';
  assert.deepEqual(parseDirectives(query), { number: 5, part: 2, skips: true, rest: 'a=1&token=x%20y' });
  assert.deepEqual(parseDirectives(''), { number: undefined, part: undefined, skips: false, rest: '' });
  for (const wrong of [
    '_HLS_part=1',
    '_HLS_msn=-1',
    '_HLS_msn=',
    '_HLS_msn=1&_HLS_part=1e3',
    `_HLS_msn=${'9'.repeat(20)}`,
  ])
    assert.throws(() => parseDirectives(wrong), { code: 'bad_request' });
});

test('players are as many as would ask as often', () => {
  let now = 0;
  const viewers = new HlsViewers(() => now);
  assert.equal(viewers.count, 0);
  for (; now < 20_000; now += 200) for (let player = 0; player < 7; player++) viewers.asked(200);
  assert.equal(viewers.count, 7);
  for (; now < 40_000; now += 2000) for (let player = 0; player < 3; player++) viewers.asked(2000);
  assert.ok(Math.abs(viewers.count - 3) <= 1, `${viewers.count} of 3`);
  now += 13_000;
  assert.equal(viewers.count, 0);
});

test('those who wait for the same thing wait as one; too many are refused; the end of waiting lets all go', async () => {
  const waits = new HlsWaits(3);
  let [isThere, looks] = [false, 0];
  const isOver = () => {
    looks++;
    return isThere;
  };
  const both = [waits.until('a', isOver, 60_000), waits.until('a', () => false, 60_000)];
  const failed = assert.rejects(
    waits.until(
      'b',
      () => {
        throw new Error('no ring');
      },
      60_000,
    ),
    /no ring/,
  );
  assert.throws(() => waits.until('c', isOver, 60_000), { code: 'overloaded' });
  isThere = true;
  await Promise.all(both);
  await failed;
  assert.equal(looks, 1);
  assert.equal(waits.players, 0);
  await waits.until('d', () => false, 1);
  const last = waits.until('e', () => false, 60_000);
  waits.end();
  await last;
  await waits.until('f', () => false, 60_000);
});
