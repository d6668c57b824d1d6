/** The way of a live stream from ffmpeg by RTMP through an edge to the demo player in Chromium, and to ffmpeg. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, openPage } from '../../support/chromium.js';
import { clip, picture, tone } from '../../support/clips.js';
import { BEHIND, publishClock } from '../../support/clock-picture.js';
import { Edge } from '../../support/edge.js';
import { freePorts } from '../../support/ports.js';
import { publishedFilm, publishInTime } from '../../support/published-film.js';
import { RtmpPublisher } from '../../support/rtmp-publisher.js';
import { until } from '../../support/until.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const NAME = 'demo/test';

let browser: Browser;
let edge: Edge;
let publisher: ChildProcess;
let target = '';
let rtmpPort = 0;

const AV1 = ['-c:v', 'libaom-av1', '-usage', 'realtime', '-cpu-used', '8', '-g', '25'];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25'];

/** Four seconds as Enhanced RTMP has them. */
async function film(name: string, ...codecs: readonly string[]) {
  return publishedFilm(await clip(name, [...picture(4), ...tone(4, 330, 48_000), ...codecs]));
}

before(async () => {
  browser = await launchChromium();
  [rtmpPort = 0] = await freePorts(1);
  const settings = `http: {cors: {origins: ['*']}}\nlive: {rtmp: {host: 127.0.0.1, port: ${rtmpPort}}, grace: 100s}`;
  edge = await Edge.start({ origin: SAMPLES, settings });
  target = `rtmp://127.0.0.1:${rtmpPort}/${NAME}`;
  publisher = publishClock(target);
});
after(async () => {
  publisher?.kill('SIGKILL');
  await browser?.close();
  await edge?.end();
});

test('the demo player plays a live stream, and ffmpeg decodes it without a word', async () => {
  const path = `/live/${NAME}.flv`;
  await until('the stream', async () => (await fetch(`${edge.url}${path}`, { method: 'HEAD' })).ok);
  const page = await openPage(browser);
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  await page.goto(`${edge.admin}/player?u=${encodeURIComponent(path)}`);
  const told = () => page.locator('#status').textContent();
  let status: string | null = '';
  await until(
    () => `a second of playing; the page says: ${status}`,
    async () => {
      status = await told();
      return page.evaluate<boolean>('document.getElementById("video").currentTime > 1');
    },
  );
  assert.match((await told()) ?? '', /320 × 180 · live FLV by mpegts\.js/);
  // The same by WebSocket, in the page that has the library already.
  const socketUrl = `${edge.url.replace('http', 'ws')}${path}`;
  await page.evaluate(`{
    const video = document.getElementById('video');
    window.second = document.body.appendChild(document.createElement('video'));
    second.muted = true;
    const player = mpegts.createPlayer({ type: 'flv', url: ${JSON.stringify(socketUrl)}, isLive: true });
    player.attachMediaElement(second);
    player.load();
    void player.play();
  }`);
  await until('a second of playing by WebSocket', () => page.evaluate<boolean>('second.currentTime > 1'));
  const before = await (await fetch(`${edge.admin}/metrics`)).text();
  assert.match(before, /^moovedge_live_viewers\{.*protocol="websocket".*\} 1$/m);
  assert.deepEqual(complaints, []);
  await page.close();
  const input = ['-nostdin', '-v', 'error', '-i', `${edge.url}${path}`, '-t', '2', '-f', 'null', '-'];
  const { stderr } = await promisify(execFile)('ffmpeg', input);
  assert.equal(stderr, '');
  const metrics = await (await fetch(`${edge.admin}/metrics`)).text();
  assert.match(metrics, /^moovedge_live_latency_seconds_count [1-9]/m);
});

test('hls.js plays it at most 2.5 s behind, and goes on with another publisher, of larger pictures', async t => {
  const page = await openPage(browser);
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  await page.goto(`${edge.admin}/player?as=hls&u=${encodeURIComponent(`/live/${NAME}.flv`)}`);
  const time = () => page.evaluate<number>('document.getElementById("video").currentTime');
  const told = () => page.locator('#status').textContent();
  /** Waits until the middle one of the last looks is near enough. */
  const isNear = async (what: string) => {
    const seen: number[] = [];
    const middle = () => seen.slice(-9).sort((a, b) => a - b)[4] ?? Number.POSITIVE_INFINITY;
    let [before, status] = [-1, ''];
    await until(
      () => `${what}; the last looks: ${seen.slice(-9)} ms, at ${before} s; the page says: ${status}`,
      async () => {
        status = (await told()) ?? '';
        const now = await time();
        if (now > before) seen.push(await page.evaluate<number>(BEHIND));
        before = now;
        return seen.length >= 9 && middle() <= 2500;
      },
    );
    t.diagnostic(`${what}: ${middle()} ms from encoder to picture`);
  };
  await isNear('hls.js plays');
  assert.match((await told()) ?? '', /320 × 180 · live HLS by hls\.js/);
  const gone = new Promise(resolve => publisher.once('exit', resolve));
  publisher.kill('SIGKILL');
  await gone;
  const stopped = await time();
  publisher = publishClock(target, '640x360');
  await until('the picture moves again', async () => (await time()) > stopped + 3);
  await isNear('hls.js plays on');
  const width = () => page.evaluate<number>('document.getElementById("video").videoWidth');
  assert.equal(await width(), 640);
  assert.deepEqual(complaints, []);
  assert.doesNotMatch((await told()) ?? '', /hls\.js: /);
  const playlist = await (await fetch(`${edge.url}/live/${NAME}/hls/v1.m3u8`)).text();
  assert.match(playlist, /^#EXT-X-DISCONTINUITY$/m);
  const metrics = await (await fetch(`${edge.admin}/metrics`)).text();
  assert.match(metrics, /^moovedge_live_viewers\{protocol="hls"\} [1-9]/m);
  await page.close();
});

test('hls.js is begun again where sound has another codec, which Chromium takes into no buffer of the old one', async () => {
  const path = '/live/demo/sound.flv';
  const films = [
    await film('live-aac.mp4', ...H264, '-c:a', 'aac'),
    await film('live-opus.mp4', ...H264, '-c:a', 'libopus'),
  ];
  let page: Page | undefined;
  for (const each of films) {
    const publisher = await RtmpPublisher.publish(rtmpPort, 'demo/sound');
    const timer = publishInTime(publisher, each);
    const playlist = `${edge.url}/live/demo/sound/hls/v1.m3u8`;
    await until('a playlist', async () => (await fetch(playlist)).ok);
    if (page === undefined) {
      page = await openPage(browser);
      await page.goto(`${edge.admin}/player?as=hls&u=${encodeURIComponent(path)}`);
    }
    const state = '[video.currentTime, video.webkitAudioDecodedByteCount]';
    const look = () => page!.evaluate<[number, number]>(`{ const video = document.getElementById('video'); ${state} }`);
    const [from] = await look();
    let [seen, status]: [readonly [number, number], string | null] = [[0, 0], ''];
    await until(
      () => `pictures and sound from ${from} s on; found ${seen}; the page says: ${status}`,
      async () => {
        [seen, status] = [await look(), await page!.locator('#status').textContent()];
        return seen[0] > from + 4 && seen[1] > 0;
      },
    ).finally(() => clearInterval(timer));
    await publisher.stop();
  }
  await page!.close();
});

test('mpegts.js plays AV1 and Opus out of FLV', async () => {
  const modern = await RtmpPublisher.publish(rtmpPort, 'demo/av1');
  const timer = publishInTime(modern, await film('live-av1.mp4', ...AV1, '-c:a', 'libopus'));
  const path = '/live/demo/av1.flv';
  await until('the stream', async () => (await fetch(`${edge.url}${path}`, { method: 'HEAD' })).ok);
  const page = await openPage(browser);
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  await page.goto(`${edge.admin}/player?u=${encodeURIComponent(path)}`);
  const state = '[video.videoWidth, video.currentTime, video.webkitAudioDecodedByteCount > 0]';
  let seen: readonly [width: number, time: number, sounds: boolean] = [0, 0, false];
  await until(
    () => `a second of playing; found ${seen}`,
    async () => {
      seen = await page.evaluate(`{ const video = document.getElementById('video'); ${state} }`);
      return seen[0] === 160 && seen[1] > 1 && seen[2];
    },
  );
  assert.match((await page.locator('#status').textContent()) ?? '', /160 × 90 · live FLV by mpegts\.js/);
  assert.deepEqual(complaints, []);
  await page.close();
  clearInterval(timer);
  await modern.stop();
});

test('the page of live streams shows what is published, and who watches it', async () => {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  const viewer = new AbortController();
  const answer = await fetch(`${edge.url}/live/${NAME}.flv`, { signal: viewer.signal });
  await page.goto(`${edge.admin}/live.html`);
  let text = '';
  await until(
    () => `the stream and its viewer; the page says: ${text}`,
    async () => {
      text = (await page.locator('tbody tr').allTextContents()).join('\n');
      const cells = await page.locator('tbody tr').first().locator('td').allTextContents();
      const [name, state, codecs, bitrate, interval, since, http] = cells;
      return (
        name === NAME &&
        state === 'publishing' &&
        /avc1.*mp4a/.test(codecs!) &&
        /[1-9].*b\/s/.test(bitrate!) &&
        interval === '1.0 s' &&
        /frames/.test(since!) &&
        Number(http) >= 1
      );
    },
  );
  // Streams of the tests before this one may still be listed.
  await until(
    () => `one stream that is published; the page says: ${text}`,
    async () => {
      text = (await page.locator('#tiles').textContent()) ?? '';
      return new RegExp(`Published\\s*1 of ${await page.locator('tbody tr').count()}\\D`).test(text);
    },
  );
  viewer.abort();
  await answer.body?.cancel().catch(() => {});
  assert.deepEqual(complaints, []);
  await page.close();
});
