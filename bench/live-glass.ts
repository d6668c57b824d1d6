import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { launchChromium, openPage } from '../test/support/chromium.js';
import { BEHIND, publishClock } from '../test/support/clock-picture.js';
import { freePort } from '../test/support/ports.js';
import { until } from '../test/support/until.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';

const SAMPLES = fileURLToPath(new URL('../src/samples', import.meta.url));
const NAME = 'demo/test';
/** Milliseconds from one look at the picture to the next, and of the shown clock's steps. */
const LOOK = 100;
/** Pictures a second. */
const RATE = 25;
/** Times that a player joins. */
const JOINS = 10;

/**
 * From glass to glass: ffmpeg encodes pictures of a clock and publishes them, the demo player in Chromium shows them,
 * and the page compares them with its own clock. The clock steps by 50 ms. Encoder, edge and browser have the machine
 * together. Also from a player's beginning to its first picture.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { seconds } = benchOptions(args);
  const folder = runFolder(2 ** 28);
  mkdirSync(folder, { recursive: true });
  const rtmpPort = await freePort();
  const settings = `http: {cors: {origins: ['*']}}\nlive: {rtmp: {host: 127.0.0.1, port: ${rtmpPort}}}`;
  const edge = await startEdge({ origin: SAMPLES, folder, memory: '64MiB', settings });
  const publisher = publishClock(`rtmp://127.0.0.1:${rtmpPort}/${NAME}`);
  const browser = await launchChromium();
  try {
    const path = `/live/${NAME}.flv`;
    await until('the stream', async () => (await edge.get(`/live/${NAME}/hls.m3u8`)).status === 200);
    const rows = [];
    let joins: number[] = [];
    for (const as of ['flv', 'hls']) {
      const page = await openPage(browser);
      await page.goto(`${edge.adminUrl}/player?${as === 'hls' ? 'as=hls&' : ''}u=${encodeURIComponent(path)}`);
      // What a player begins behind it makes up for.
      const shown = 'document.getElementById("video").getVideoPlaybackQuality().totalVideoFrames';
      await until(`15 seconds of playing ${as}`, () => page.evaluate<boolean>(`${shown} > ${15 * RATE}`));
      const behind = await looks(page, seconds * 1000);
      rows.push({ name: as === 'hls' ? 'HLS, hls.js' : 'HTTP-FLV, mpegts.js', values: spread(behind) });
      if (as === 'flv') joins = await joinTimes(page, `${edge.url}${path}`);
      await page.close();
    }
    rows.push({ name: 'first picture, HTTP-FLV', values: spread(joins) });
    const columns = ['p50 ms', 'p99 ms', 'most ms'].map(title => ({ title, digits: 0 }));
    const notes = ['first picture: from the beginning to load, in a page that has the library, to the picture shown'];
    return { title: 'from glass to glass', tables: [{ title: 'pictures of a clock', columns, rows }], notes };
  } finally {
    publisher.kill('SIGKILL');
    await browser.close();
    await edge.stop();
  }
}

/** How far behind the page is, again and again. */
async function looks(page: Page, milliseconds: number): Promise<number[]> {
  const seen: number[] = [];
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    seen.push(await page.evaluate<number>(BEHIND));
    await page.waitForTimeout(LOOK);
  }
  return seen;
}

/** Milliseconds from the beginning of a player to its first picture. */
async function joinTimes(page: Page, url: string): Promise<number[]> {
  const times: number[] = [];
  for (let join = 0; join < JOINS; join++) {
    times.push(
      await page.evaluate<number>(`new Promise(resolve => {
        const video = document.body.appendChild(document.createElement('video'));
        video.muted = true;
        const source = { type: 'flv', url: ${JSON.stringify(url)}, isLive: true };
        const player = mpegts.createPlayer(source, { enableStashBuffer: false });
        player.attachMediaElement(video);
        const begun = performance.now();
        video.requestVideoFrameCallback(() => {
          resolve(performance.now() - begun);
          player.destroy();
          video.remove();
        });
        player.load();
        void player.play();
      })`),
    );
  }
  return times;
}

function spread(values: number[]): Sample[] {
  values.sort((a, b) => a - b);
  const share = (of: number) => new Sample([values[Math.floor((values.length - 1) * of)]!]);
  return [share(0.5), share(0.99), share(1)];
}
