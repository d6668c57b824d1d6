// `node --import tsx test/browser/screenshots.ts`: takes the pictures of README.md, of an edge that has served for a
// minute and a half. Needs Chromium, and a build.
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { launchChromium, openPage } from '../support/chromium.js';
import { Edge } from '../support/edge.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FILMS = ['/bframes-faststart.mp4', '/long-gop.mp4', '/fragmented.mp4', '/keyframes.flv', '/missing.mp4'];
const TIME = 90_000;
const SHOTS = [
  { name: 'dashboard', path: '/', viewport: { width: 1100, height: 760 }, colorScheme: 'light' },
  {
    name: 'player',
    path: '/player?u=/bframes-faststart.mp4',
    viewport: { width: 400, height: 760 },
    colorScheme: 'dark',
  },
] as const;

mkdirSync(`${ROOT}docs/images`, { recursive: true });
const edge = await Edge.start({
  origin: `${ROOT}src/samples`,
  settings: `http: {cors: {origins: ['*']}}\ncache: {memory: {size: 64MiB, file: $FOLDER/cache}, disk: {path: $FOLDER/disk}}`,
});
const browser = await launchChromium();
try {
  for (const end = performance.now() + TIME; performance.now() < end; ) {
    const wave = 1.2 + Math.sin(performance.now() / 9000);
    for (let i = 0; i < 12 * wave; i++) await edge.get(`${FILMS[i % FILMS.length]}?start=${(i * 3) % 20}`);
    await sleep(200);
  }
  for (const { name, path, viewport, colorScheme } of SHOTS) {
    const page = await openPage(browser, { viewport, colorScheme });
    await page.goto(`${edge.admin}${path}`);
    await sleep(6000);
    if (name === 'player') {
      await page.locator('.film-map').click({ position: { x: 250, y: 8 } });
      await page.locator('#cost', { hasText: 'first picture' }).waitFor();
      await sleep(1500);
    }
    await page.screenshot({ path: `${ROOT}docs/images/${name}.png` });
    await page.close();
  }
} finally {
  await browser.close();
  await edge.end();
}
