/**
 * Chromium shows the admin port's pages: the dashboard with a token, and the demo player, which plays a film from a
 * second on.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { AdminServer } from '../../../src/admin/admin-server.js';
import { adminRoutes } from '../../../src/admin/routes.js';
import { silentLog } from '../../../src/base/log.js';
import { certificateFiles } from '../../support/certificate.js';
import { launchChromium, openPage as newPage } from '../../support/chromium.js';
import { Edge } from '../../support/edge.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const TOKEN = 'correct-horse-battery';
let browser: Browser;
let edge: Edge;
before(async () => {
  browser = await launchChromium();
  const { cert, key } = certificateFiles().files;
  edge = await Edge.start({
    origin: `[{name: main, url: "${SAMPLES}", quota: 1GiB}]`,
    listeners: `{host: 127.0.0.1, port: ${await freePort()}, tls: {certificate: ${cert}, key: ${key}}}`,
    settings: `routes: [{path: /fragmented.mp4, fields: {set: {X-Of: films}}}]
access: [{path: /closed/, addresses: {allow: [192.0.2.1]}}]`,
  });
});
after(async () => {
  await browser?.close();
  await edge?.end();
});

/** A page and everything that it complained of, violations of its policy included. */
async function openPage(path: string, admin = edge.admin) {
  const page = await newPage(browser);
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  page.on('console', message => {
    // The browser itself reports answers of status 401, which the page deals with, and the icon that is not there.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`${admin}${path}`);
  return { page, complaints };
}

test('the dashboard shows the edge', async () => {
  const { page, complaints } = await openPage('/');
  await page.locator('.tile').first().waitFor();
  assert.match((await page.locator('#about').textContent()) ?? '', /port \d+ · ready/);
  assert.match((await page.locator('#tables').textContent()) ?? '', /Cache.*memory.*Workers.*ready/s);
  assert.equal(await page.locator('#login').isHidden(), true);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('the dashboard tells of films, routes, quotas, certificates and answers that ended badly', async () => {
  for (const path of ['/fragmented.mp4', '/fragmented.mp4', '/closed/film.mp4']) await edge.get(path);
  const { page, complaints } = await openPage('/');
  const rowOf = (title: string, text: RegExp) =>
    page
      .locator('table', { has: page.locator('caption', { hasText: title }) })
      .locator('tbody tr', { hasText: text })
      .first();
  await rowOf('Routes', /^\*\/fragmented\.mp4200[\d.]+ \w+$/).waitFor();
  await rowOf('Routes', /^no route–\d+1/).waitFor();
  await rowOf('Hottest films', /^\/fragmented\.mp4main2/).waitFor();
  await rowOf('Answers that ended badly', /not let in: the address is not one that is allowed\/closed\/film/).waitFor();
  await rowOf('Certificates', /localhost[12] days, until \d{4}-\d\d-\d\d\/.*cert\.pem$/).waitFor();
  await rowOf('Quotas', /^main.*1\.0 GiB/).waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test('the dashboard has the past when it is opened, and purges and fetches films, on a phone in the dark', async () => {
  const columns = async () => (await (await fetch(`${edge.admin}/history`)).json()) as { requests: (number | null)[] };
  for (let i = 0; i < 20; i++) await edge.get('/plain.flv');
  await until('a point with requests', async () => (await columns()).requests.some(rate => (rate ?? 0) > 0));
  assert.equal((await fetch(`${edge.admin}/history?span=1y`)).status, 400);
  const { page, complaints } = await openPage('/');
  await page.setViewportSize({ width: 360, height: 640 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.locator('.chart canvas').nth(5).waitFor();
  const drawn = await page.evaluate(() => {
    const { data } = document.querySelector('canvas')!.getContext('2d')!.getImageData(0, 0, 300, 150);
    return data.some(value => value !== 0);
  });
  assert.ok(drawn, 'the chart is not empty');
  // What the axis says stands left of the lines.
  await page.waitForFunction(() => {
    const { data } = document.querySelector('canvas')!.getContext('2d')!.getImageData(0, 0, 80, 150);
    const seen = data.filter((_, at) => at % 4 === 0 && data[at + 3]! > 100);
    return seen.length > 0 && seen.every(red => red > 128);
  });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, 'nothing sticks out');
  const [purge, prefetch] = [0, 1].map(i => page.locator('.operation').nth(i));
  await prefetch!.locator('input[name=path]').fill('/long-gop.mp4');
  await prefetch!.locator('button').click();
  await prefetch!.locator('output', { hasText: '· ok' }).waitFor();
  await purge!.locator('input[name=path]').fill('/long-gop.mp4');
  await purge!.locator('button').click();
  await purge!.locator('output', { hasText: '1 object purged' }).waitFor();
  await purge!.locator('input[name=path]').fill('/*');
  await purge!.locator('button').click();
  await purge!.locator('output', { hasText: /[1-9] objects? purged/ }).waitFor();
  await purge!.locator('input[name=path]').fill('no path');
  await purge!.locator('button').click();
  await page.locator('#error', { hasText: 'a path that begins with /' }).waitFor();
  await page.locator('label', { hasText: 'a day' }).click();
  assert.deepEqual(complaints, []);
  await page.close();
});

test('the player shows where a film lies, and seeks with what it cost', async () => {
  await (await fetch(`${edge.admin}/purge`, { method: 'POST', body: '{"all": true}' })).arrayBuffer();
  const { page, complaints } = await openPage('/player?u=/long-gop.mp4');
  await page.locator('.film-map .memory').first().waitFor();
  assert.match((await page.locator('#main').textContent()) ?? '', /KiB: memory .* · disk 0 B · origin/);
  await page.waitForFunction(() => (document.querySelector('video')?.duration ?? 0) > 0);
  const whole = await page.evaluate(() => document.querySelector('video')!.duration);
  const { width } = (await page.locator('.film-map').boundingBox())!;
  await page.locator('.film-map').click({ position: { x: width * 0.75, y: 5 } });
  await page
    .locator('#cost', { hasText: /Seek to \d+\.\d s: first picture after \d+ ms, .* from the origin/ })
    .waitFor();
  const left = await page.evaluate(() => document.querySelector('video')!.duration);
  assert.ok(left < whole * 0.6, `${left} s of ${whole} s`);
  await page.waitForFunction(() => Number.parseFloat(document.querySelector<HTMLElement>('.mark')!.style.left) > 40);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('where a token is wanted, the dashboard asks for it', async () => {
  const stats = await (await fetch(`${edge.admin}/stats`)).json();
  const nothing = async () => assert.fail('not asked for');
  const target = {
    ready: true,
    player: { scheme: 'http' as const, port: edge.port },
    cluster: () => undefined,
    metricsText: nothing,
    purge: nothing,
    list: async () => ({ objects: [], more: false }),
    explain: () => ({ routes: [], access: undefined, objects: [] }),
    prefetch: nothing,
  };
  const routes = adminRoutes({ ...target, stats: async () => stats });
  const server = new AdminServer({ host: '127.0.0.1', port: 0, token: TOKEN, routes, log: silentLog });
  const { page, complaints } = await openPage('/', `http://localhost:${await server.listen()}`);
  await page.locator('#login').waitFor({ state: 'visible' });
  assert.equal(await page.locator('.tile').count(), 0);
  await page.fill('input[name=token]', TOKEN);
  await page.click('#login button');
  await page.locator('.tile').first().waitFor();
  assert.equal(await page.locator('#login').isHidden(), true);
  // Links go on with it: to answers that only requests with the token get, and to other pages.
  const admin = new URL(page.url()).origin;
  await page.locator('a', { hasText: 'Stats' }).click();
  await page.waitForURL(/^blob:/);
  assert.match((await page.textContent('body')) ?? '', /"version":/);
  await page.goto(`${admin}/live.html`);
  await page.locator('caption', { hasText: 'Live streams are off' }).waitFor();
  assert.equal(await page.locator('#login').isHidden(), true);
  assert.equal(await page.locator('nav a[aria-current]').textContent(), 'Live');
  assert.deepEqual(complaints, []);
  await page.close();
  await server.close();
});

test('the player plays a film from the second that was asked for', async () => {
  const { page, complaints } = await openPage('/player?u=/long-gop.mp4&start=30');
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.2);
  const duration = await page.evaluate(() => document.querySelector('video')?.duration);
  const whole = await openPage('/player?u=/long-gop.mp4');
  await whole.page.waitForFunction(() => (document.querySelector('video')?.duration ?? 0) > 0);
  const wholeDuration = await whole.page.evaluate(() => document.querySelector('video')?.duration);
  assert.ok(duration! < wholeDuration!, `${duration} s of ${wholeDuration} s`);
  assert.match((await page.locator('#status').textContent()) ?? '', /asked for from 30 s/);
  assert.deepEqual([...complaints, ...whole.complaints], []);
  await page.close();
  await whole.page.close();
});

for (const [as, by] of [
  ['hls', 'hls.js'],
  ['dash', 'dash.js'],
] as const) {
  test(`the player plays a film as ${as}, on a phone in the dark, where its page may read answers`, async () => {
    const open = await Edge.start({ origin: SAMPLES, settings: `http: {cors: {origins: ['*']}}` });
    try {
      const { page, complaints } = await openPage(`/player?u=/bframes-faststart.mp4&as=${as}&start=20`, open.admin);
      await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 20.2);
      assert.ok(Math.abs((await page.evaluate(() => document.querySelector('video')!.duration)) - 36) < 0.2);
      assert.match((await page.locator('#status').textContent()) ?? '', new RegExp(`320 × 180 · .* by ${by} \\d`));
      assert.equal(await page.locator('input[name=as]:checked').getAttribute('value'), as);
      await page.setViewportSize({ width: 360, height: 640 });
      await page.emulateMedia({ colorScheme: 'dark' });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, 'nothing sticks out');
      const ground = await page.evaluate(() => getComputedStyle(document.querySelector('input')!).backgroundColor);
      assert.notEqual(ground, 'rgb(255, 255, 255)');
      await page.locator('label', { hasText: 'file' }).click();
      await page.waitForURL(/as=file/);
      await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.2);
      assert.deepEqual(complaints, []);
      await page.close();
    } finally {
      await open.end();
    }
  });
}

test('where the player may not read answers, or the film can not be packaged, it says so', async () => {
  const { page } = await openPage('/player?u=/bframes-faststart.mp4&as=hls');
  await page.locator('#status.error').waitFor();
  assert.match((await page.locator('#status').textContent()) ?? '', /http\.cors\.origins/);
  await page.close();
  const open = await Edge.start({ origin: SAMPLES, settings: `http: {cors: {origins: ['*']}}` });
  const flv = await openPage('/player?u=/nothing.mp4&as=dash', open.admin);
  await flv.page.locator('#status.error').waitFor();
  assert.match((await flv.page.locator('#status').textContent()) ?? '', /404/);
  await flv.page.close();
  await open.end();
});

test('a path can lead the player nowhere but to the edge', async () => {
  const { page } = await openPage(`/player?u=${encodeURIComponent('//evil.example/a.mp4"><script>alert(1)</script>')}`);
  const source = await page.evaluate(() => document.querySelector('video')?.src);
  assert.equal(new URL(source!).host, `127.0.0.1:${edge.port}`);
  await page.locator('#status.error').waitFor();
  await page.close();
});
