/**
 * Chromium plays and seeks the bundled clips through an edge: by byte ranges, and by `?start=`, MP4 in a plain <video>
 * and FLV in mpegts.js. What it shows is compared with what ffmpeg decodes from the source.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, openPage } from '../../support/chromium.js';
import { Edge } from '../../support/edge.js';
import { serveVirtual, type VirtualServer } from '../../support/serve-virtual.js';
import { assertSoon } from '../../support/stopwatch.js';

const folder = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const mpegts = readFileSync(createRequire(import.meta.url).resolve('mpegts.js'), 'utf8');
const CORS = `http: {cors: {origins: ['*'], exposeHeaders: [X-Seek-Actual]}}`;
const html =
  '<!doctype html><video muted playsinline></video><script src="/mpegts.js"></script><script src="/player.js"></script>';
const pages = {
  '/page': { type: 'text/html', body: html },
  '/mpegts.js': { type: 'text/javascript', body: mpegts },
  '/player.js': { type: 'text/javascript', body: readFileSync(new URL('player.mjs', import.meta.url), 'utf8') },
};

let browser: Browser;
let local: VirtualServer;
let edge: Edge;
let rebased: Edge;
let exact: Edge;
before(async () => {
  browser = await launchChromium();
  local = await serveVirtual({ folder, pages });
  edge = await Edge.start({ origin: folder, settings: CORS });
  rebased = await Edge.start({ origin: folder, settings: `${CORS}\nmedia: {flv: {timestamps: rebased}}` });
  exact = await Edge.start({ origin: folder, settings: `${CORS}\nmedia: {mp4: {seek: exact}}` });
});
after(async () => {
  await browser.close();
  await Promise.all([local.close(), edge.end(), rebased.end(), exact.end()]);
});

/** What a page tells of its first second of playing. */
interface Played {
  readonly error: string | undefined;
  /** Milliseconds from the call of play to the first frame. */
  readonly firstFrameAfter: number;
  /** `currentTime` when the first picture had come, and after a while of playing. */
  readonly begin: number;
  readonly later: number;
  readonly duration: number;
  readonly frames: number;
  /** Bytes of sound that were decoded by then. */
  readonly soundBytes: number;
  /** The first frame, 320 × 180, red, green, blue, alpha. */
  readonly picture: number[];
  readonly seekActual: number;
}

async function play(url: string, how: 'video' | 'mpegts'): Promise<Played> {
  const page: Page = await openPage(browser);
  try {
    await page.goto(`${local.url}/page`);
    // The script is plain JavaScript of its own: what tsx makes of a function can't run in a page.
    const played = await page.evaluate<Played>(`playAndTell(${JSON.stringify(url)}, ${JSON.stringify(how)})`);
    const head = await fetch(url, { headers: { Range: 'bytes=0-0' } });
    return { ...played, seekActual: Number(head.headers.get('X-Seek-Actual') ?? Number.NaN) };
  } finally {
    await page.close();
  }
}

/** The frame that ffmpeg decodes at a second of a clip, as RGBA. */
function frameAt(name: string, second: number): Buffer {
  const source = name.endsWith('.flv') || name.startsWith('fragmented') ? 'bframes-faststart.mp4' : name;
  const options = ['-nostdin', '-v', 'error', '-ss', String(second), '-i', `${folder}${source}`, '-frames:v', '1'];
  return execFileSync('ffmpeg', [...options, '-f', 'rawvideo', '-pix_fmt', 'rgba', '-'], { maxBuffer: 1 << 20 });
}

/** Mean difference of two pictures, 0 to 255. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

function check(name: string, played: Played, start: number): void {
  assert.equal(played.error, undefined);
  assert.ok(played.seekActual <= start && played.seekActual > start - 13, `X-Seek-Actual ${played.seekActual}`);
  assertSoon(played.firstFrameAfter, 3000, 'the first frame');
  assert.ok(played.later >= played.begin + 1, `it plays: from ${played.begin} to ${played.later}`);
  assert.ok(played.frames > 10, `${played.frames} frames`);
  // 32 kbit/s: what was played, and a bit that is decoded ahead, not ten seconds that were thrown away.
  const most = 24_000 + 4_000 * (played.later - played.begin - 1);
  assert.ok(played.soundBytes > 1000 && played.soundBytes < most, `${played.soundBytes} bytes of sound`);
  const shown = difference(played.picture, frameAt(name, played.seekActual));
  const elsewhere = difference(played.picture, frameAt(name, played.seekActual + 3));
  assert.ok(shown < 6 && shown < elsewhere / 2, `the frame at ${played.seekActual} s: ${shown}, another: ${elsewhere}`);
}

for (const name of ['bframes-faststart.mp4', 'bframes-moov-last.mp4', 'long-gop.mp4', 'fragmented.mp4']) {
  test(`${name} in <video>, seeked by byte ranges`, async () => {
    const page: Page = await openPage(browser);
    try {
      await page.goto(`${local.url}/page`);
      const url = JSON.stringify(`${edge.url}/${name}`);
      const { error, picture } = await page.evaluate<{ error?: string; picture: number[] }>(
        `seekAndTell(${url}, 25.02)`,
      );
      assert.equal(error, undefined);
      const shown = difference(picture, frameAt(name, 25));
      assert.ok(shown < 6 && shown < difference(picture, frameAt(name, 28)) / 2, `the frame at 25 s: ${shown}`);
    } finally {
      await page.close();
    }
  });
}

for (const [name, start, seekActual] of [
  ['bframes-faststart.mp4', 11.3, 10],
  ['bframes-moov-last.mp4', 20, 20],
  ['long-gop.mp4', 23.9, 12],
] as const) {
  test(`${name} in <video>`, async () => {
    const played = await play(`${edge.url}/${name}?start=${start}`, 'video');
    check(name, played, start);
    assert.ok(Math.abs(played.seekActual - seekActual) < 0.1);
    assert.ok(played.begin < 0.1, 'its time begins at 0');
    assert.ok(Math.abs(played.duration - (36 - seekActual)) < 0.2, `${played.duration} s`);
  });
}

test('bframes-faststart.mp4 in <video>, seeked exactly: the lead-in is not shown', async () => {
  const played = await play(`${exact.url}/bframes-faststart.mp4?start=11.32`, 'video');
  check('bframes-faststart.mp4', played, 11.32);
  assert.equal(played.seekActual, 11.32);
  assert.ok(played.begin < 0.1, 'its time begins at 0');
  assert.ok(Math.abs(played.duration - (36 - 11.32)) < 0.2, `${played.duration} s`);
});

test('fragmented.mp4 in <video>: the time shown is the film’s', async () => {
  const played = await play(`${edge.url}/fragmented.mp4?start=11.3`, 'video');
  check('fragmented.mp4', played, 11.3);
  assert.ok(Math.abs(played.begin - 10) < 0.2, `begins at ${played.begin}`);
  assert.ok(Math.abs(played.duration - 36.08) < 0.2, `${played.duration} s`);
});

for (const [name, start] of [
  ['keyframes.flv', 11.3],
  ['plain.flv', 20.5],
] as const) {
  test(`${name} in mpegts.js, timestamps kept`, async () => {
    const played = await play(`${edge.url}/${name}?start=${start}`, 'mpegts');
    check(name, played, start);
  });
  test(`${name} in mpegts.js, timestamps rebased`, async () => {
    const played = await play(`${rebased.url}/${name}?start=${start}`, 'mpegts');
    check(name, played, start);
    assert.ok(Math.abs(played.duration - (36 - played.seekActual)) < 0.3, `${played.duration} s`);
  });
}
