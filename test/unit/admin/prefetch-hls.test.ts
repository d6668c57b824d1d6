import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchPlaylists, manifestOf, namedIn } from '../../../src/admin/prefetch-hls.js';
import type { EdgeUrl } from '../../../src/admin/purge-request.js';

const FILES: Readonly<Record<string, string>> = {
  '/f.mp4/hls.m3u8?t=1':
    '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME="x,URI=",URI="V/a1.m3u8?t=1"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nV/v1.m3u8?t=1\n' +
    'https://elsewhere.example/x.m3u8\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="V/v1.m3u8?t=1"\n',
  '/f.mp4/V/a1.m3u8?t=1': '#EXTM3U\n#EXT-X-MAP:URI="a1/init.mp4"\n#EXTINF:6,\na1/1.m4s\n#EXTINF:6,\na1/2.m4s\n',
  '/f.mp4/V/v1.m3u8?t=1': '#EXTM3U\r\n#EXT-X-MAP:URI="v1.mp4"\r\n#EXTINF:6.0,\r\nv1.mp4\r\n#EXTINF:6.0,\r\nv1.mp4\r\n',
};
const FILM: EdgeUrl = { host: 'h', path: '/f.mp4', query: 't=1' };

async function fetched(seconds?: number, missing = ''): Promise<[string, string[]]> {
  const asked: string[] = [];
  const end = await fetchPlaylists(
    manifestOf(FILM),
    seconds,
    async ({ host, path, query }, sink) => {
      assert.equal(host, 'h');
      const target = query === '' ? path : `${path}?${query}`;
      asked.push(target);
      if (target === missing) return 'status 404';
      sink.bytes(Buffer.from(FILES[target] ?? 'media'));
      return 'ok';
    },
    { bytes() {} },
  );
  return [end, asked];
}

test('a prefetch of HLS asks for the playlists, and for all that they name, once', async () => {
  const [end, asked] = await fetched();
  assert.equal(end, 'ok');
  assert.deepEqual(asked, [
    '/f.mp4/hls.m3u8?t=1',
    '/f.mp4/V/a1.m3u8?t=1',
    '/f.mp4/V/v1.m3u8?t=1',
    '/f.mp4/V/a1/init.mp4',
    '/f.mp4/V/a1/1.m4s',
    '/f.mp4/V/a1/2.m4s',
    '/f.mp4/V/v1.mp4',
  ]);
});

test('or only for the first seconds', async () => {
  const [, asked] = await fetched(6);
  assert.ok(asked.includes('/f.mp4/V/a1/1.m4s') && !asked.includes('/f.mp4/V/a1/2.m4s'));
});

test('and ends where something is missing', async () => {
  const [end, asked] = await fetched(undefined, '/f.mp4/V/a1/1.m4s');
  assert.deepEqual([end, asked.at(-1)], ['/f.mp4/V/a1/1.m4s: status 404', '/f.mp4/V/a1/1.m4s']);
});

test('a playlist is asked for as it is', () => {
  assert.equal(manifestOf({ ...FILM, path: '/x/master.m3u8' }).path, '/x/master.m3u8');
  assert.deepEqual(
    [...namedIn('#EXTINF:1,\na\n#EXTINF:2.5,\nb\n#EXTINF:1,\nc')].map(({ begin }) => begin),
    [0, 1, 3.5],
  );
});
