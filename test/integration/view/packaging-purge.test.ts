/** A purge of whatever is packaged takes along what it is made of, and what is made of that. */
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { aac, clip, h264, picture, tone } from '../../support/clips.js';
import { type Answer, Edge } from '../../support/edge.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { until } from '../../support/until.js';

let folder: MediaFolder;
let edge: Edge;
before(async () => {
  folder = await MediaFolder.make();
  const low = await clip('purge-low.mp4', [...picture(6), ...tone(6), ...h264(25), ...aac]);
  const high = await clip('purge-high.mp4', [...picture(6, '25', '192x108'), ...tone(6), ...h264(25), ...aac]);
  for (const [from, to] of [
    [low, 'set_low.mp4'],
    [high, 'set_high.mp4'],
    [high, 'other.mp4'],
  ] as const)
    await copyFile(from, join(folder.path, to));
  await folder.ffmpeg('sound.m4a', '-i', low, '-vn', '-c', 'copy');
  await writeFile(join(folder.path, 'film.en.srt'), '1\n00:00:01,000 --> 00:00:03,000\nHello\n');
  const files = ['set_low.mp4', { path: '/set_high.mp4' }, 'sound.m4a', 'film.en.srt', 'gone.mp4'];
  await writeFile(join(folder.path, 'my.set.json'), JSON.stringify({ files }));
  await writeFile(join(folder.path, 'odd.set.json'), '<html>');
  edge = await Edge.start({ origin: folder.path, settings: 'media: {packaging: {segment: 4s}}' });
});
after(async () => {
  await edge?.end();
  await folder?.remove();
});

async function get(path: string, headers?: Record<string, string>, status = 200): Promise<Answer> {
  const answer = await edge.get(path, headers);
  assert.equal(answer.status, status, `${path}: ${answer.body.subarray(0, 200)}`);
  return answer;
}

async function text(path: string): Promise<string> {
  return (await get(path)).body.toString();
}

/** The folder of the version that a film or a set has now. */
async function versionOf(file: string): Promise<string> {
  const [, version] = /^([0-9a-f]{16})\//m.exec(await text(`${file}/hls.m3u8`)) ?? [];
  return `${file}/${version}`;
}

async function purge(url: string): Promise<{ objects: number }> {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ urls: [url] });
  const response = await fetch(`${edge.admin}/purge`, { method: 'POST', headers, body });
  return (await response.json()) as { objects: number };
}

describe('purges', () => {
  it('of any URL of a film take all of it along', async () => {
    for (const url of [
      '/other.mp4',
      '/other.mp4/hls.m3u8',
      '/other.mp4/dash.mpd?x',
      '/other.mp4/0123456789abcdef/v1/3.m4s',
    ]) {
      await get('/other.mp4/hls.m3u8');
      assert.equal((await purge(url)).objects, 1, url);
      const { headers } = await get('/other.mp4/hls.m3u8');
      assert.match(headers['cache-status'] as string, /fwd=miss/, url);
    }
  });

  it('of a set take its files along', async () => {
    const set = '/set_,low,high,.mp4.urlset';
    const folderOf = await versionOf(set);
    assert.equal((await purge(`${set}/hls.m3u8`)).objects, 2);
    await get(`${folderOf}/f2-v1/1.m4s`);
    await text(`${set}/hls.m3u8`);
    assert.equal((await purge(`${folderOf}/f1-v1/1.m4s`)).objects, 2);
    await text(`${set}/hls.m3u8`);
    assert.equal((await purge(set)).objects, 2);
  });

  it('of a set that an object lists take its files along', async () => {
    const set = '/my.set.json';
    for (const part of ['', '/hls.m3u8', '/dash.mpd?x=1', `${(await versionOf(set)).slice(set.length)}/f2-v1/1.m4s`]) {
      await text(`${set}/hls.m3u8`);
      assert.equal((await purge(set + part)).objects, 5, `the list, two films, sound and subtitles: ${part}`);
      const { headers } = await get('/set_high.mp4', { Range: 'bytes=0-9' }, 206);
      assert.match(headers['cache-status'] as string, /fwd=miss/, part);
    }
  });

  it('of a file take the playlists of its sets along', async () => {
    for (const set of ['/set_,low,high,.mp4.urlset', '/my.set.json'])
      for (const manifest of ['hls.m3u8', 'dash.mpd', `${(await versionOf(set)).slice(set.length + 1)}/f1-v1.m3u8`]) {
        await get(`${set}/${manifest}`);
        await purge('/set_low.mp4');
        const { headers } = await get(`${set}/${manifest}`);
        assert.doesNotMatch(headers['cache-status'] as string, /; hit/, `${set}/${manifest}`);
      }
  });

  it('of a set whose list can not be read purge the list, and say so', async () => {
    await get('/odd.set.json');
    assert.equal((await purge('/odd.set.json/hls.m3u8')).objects, 1);
    await until('a warning', () => /"path":"\/odd\.set\.json".*expected JSON.*not purged with it/.test(edge.log));
  });

  it('a film that has changed has another version, and the old one is gone', async () => {
    const before = await versionOf('/other.mp4');
    await get(`${before}/v1/1.m4s`);
    await copyFile(join(folder.path, 'set_low.mp4'), join(folder.path, 'other.mp4'));
    await purge('/other.mp4/hls.m3u8');
    await get(`${before}/v1/1.m4s`, {}, 410);
    await get(`${before}/v1.m3u8`, {}, 410);
    const now = await versionOf('/other.mp4');
    assert.notEqual(now, before);
    await get(`${now}/v1/1.m4s`);
  });
});
