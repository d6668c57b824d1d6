/**
 * Ruffle, a Flash player, plays the FLV cut that begins at timestamp 0. (It waits for kept timestamps to come, as Flash
 * did not.)
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { launchChromium, openPage, PAGE_PATIENCE } from '../../support/chromium.js';
import { type Page, serveVirtual, type VirtualServer } from '../../support/serve-virtual.js';
import { playerFilm } from '../../support/swf.js';

const folder = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const START = 11.3;
const html = `<!doctype html><body style="margin:0">
<script>window.RufflePlayer = { config: { autoplay: 'on', unmuteOverlay: 'hidden', splashScreen: false, logLevel: 'error' } };</script>
<script src="/ruffle.js"></script><script>
  const player = window.RufflePlayer.newest().createPlayer();
  player.style.width = '320px';
  player.style.height = '180px';
  document.body.appendChild(player);
  player.ruffle().load({ url: '/film.swf' });
</script>`;

function pages(): Record<string, Page> {
  const ruffle = dirname(createRequire(import.meta.url).resolve('@ruffle-rs/ruffle'));
  const files = readdirSync(ruffle).filter(name => /\.(js|wasm)$/.test(name));
  const type = (name: string) => (name.endsWith('.js') ? 'text/javascript' : 'application/wasm');
  return {
    '/page': { type: 'text/html', body: html },
    '/film.swf': { type: 'application/x-shockwave-flash', body: playerFilm(`keyframes.flv?start=${START}`) },
    ...Object.fromEntries(
      files.map(name => [`/${name}`, { type: type(name), body: readFileSync(join(ruffle, name)) }]),
    ),
  };
}

let browser: Browser;
let server: VirtualServer;
before(async () => {
  browser = await launchChromium();
  server = await serveVirtual({ folder, pages: pages(), flv: { start: 'auto', timestamps: 'rebased' } });
});
after(async () => {
  await browser.close();
  await server.close();
});

const SIZE = 32 * 18 * 3;

/** Small pictures of the clip, ten a second, from `second` on for ten seconds. */
function sourcePictures(second: number): Buffer[] {
  const options = [
    '-nostdin',
    '-v',
    'error',
    '-ss',
    String(second),
    '-t',
    '10',
    '-i',
    `${folder}bframes-faststart.mp4`,
  ];
  const raw = execFileSync('ffmpeg', [...options, ...small, '-r', '10', '-'], { maxBuffer: 8 << 20 });
  return Array.from({ length: Math.floor(raw.length / SIZE) }, (_, i) => raw.subarray(i * SIZE, (i + 1) * SIZE));
}
const small = ['-vf', 'scale=32:18:flags=area', '-f', 'rawvideo', '-pix_fmt', 'rgb24'];

function difference(a: Buffer, b: Buffer): number {
  let sum = 0;
  for (let i = 0; i < SIZE; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / SIZE;
}

test('Ruffle shows the film from the key frame on', async () => {
  const page = await openPage(browser, { viewport: { width: 320, height: 180 } });
  await page.goto(`${server.url}/page`);
  const magenta = Buffer.alloc(SIZE, Buffer.from([255, 0, 255]));
  const deadline = performance.now() + PAGE_PATIENCE;
  let shown = magenta;
  do {
    const png = await page.screenshot();
    shown = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-f', 'png_pipe', '-i', '-', ...small, '-'], {
      input: png,
    });
  } while ((difference(shown, magenta) < 20 || isBlank(shown)) && performance.now() < deadline);
  const nearest = (second: number) => Math.min(...sourcePictures(second).map(picture => difference(shown, picture)));
  const [here, before] = [nearest(10), nearest(0)];
  assert.ok(
    here < 8 && here < before * 0.7,
    `differs by ${here} from the pictures that follow, by ${before} from those before`,
  );
  assert.ok(server.requests.some(request => request.startsWith(`/keyframes.flv?start=${START}`)));
});

/** Whether a picture has one colour: the page before the film. */
function isBlank(picture: Buffer): boolean {
  return difference(picture, Buffer.alloc(SIZE, picture.subarray(0, 3))) < 1;
}
