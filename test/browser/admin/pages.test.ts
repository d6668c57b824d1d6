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
import { launchChromium } from '../../support/chromium.js';
import { Edge } from '../../support/edge.js';

const TOKEN = 'correct-horse-battery';
let browser: Browser;
let edge: Edge;
before(async () => {
  browser = await launchChromium();
  edge = await Edge.start({ origin: fileURLToPath(new URL('../../../src/samples/', import.meta.url)) });
});
after(async () => {
  await browser?.close();
  await edge?.end();
});

/** A page and everything that it complained of, violations of its policy included. */
async function open(path: string, admin = edge.admin) {
  const page = await browser.newPage();
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
  const { page, complaints } = await open('/');
  await page.locator('.tile').first().waitFor();
  assert.match((await page.locator('#about').textContent()) ?? '', /port \d+ · ready/);
  assert.match((await page.locator('#tables').textContent()) ?? '', /Cache.*memory.*Workers.*ready/s);
  assert.equal(await page.locator('#login').isHidden(), true);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('where a token is wanted, the dashboard asks for it', async () => {
  const stats = await (await fetch(`${edge.admin}/stats`)).json();
  const nothing = async () => assert.fail('not asked for');
  const target = {
    ready: true,
    player: { scheme: 'http' as const, port: edge.port },
    metricsText: nothing,
    purge: nothing,
    prefetch: nothing,
  };
  const routes = adminRoutes({ ...target, stats: async () => stats });
  const server = new AdminServer({ host: '127.0.0.1', port: 0, token: TOKEN, routes, log: silentLog });
  const { page, complaints } = await open('/', `http://localhost:${await server.listen()}`);
  await page.locator('#login').waitFor({ state: 'visible' });
  assert.equal(await page.locator('.tile').count(), 0);
  await page.fill('input[name=token]', TOKEN);
  await page.click('#login button');
  await page.locator('.tile').first().waitFor();
  assert.equal(await page.locator('#login').isHidden(), true);
  assert.deepEqual(complaints, []);
  await page.close();
  await server.close();
});

test('the player plays a film from the second that was asked for', async () => {
  const { page, complaints } = await open('/player?u=/long-gop.mp4&start=30');
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.2);
  const duration = await page.evaluate(() => document.querySelector('video')?.duration);
  const whole = await open('/player?u=/long-gop.mp4');
  await whole.page.waitForFunction(() => (document.querySelector('video')?.duration ?? 0) > 0);
  const wholeDuration = await whole.page.evaluate(() => document.querySelector('video')?.duration);
  assert.ok(duration! < wholeDuration!, `${duration} s of ${wholeDuration} s`);
  assert.match((await page.locator('#status').textContent()) ?? '', /asked for from 30 s/);
  assert.deepEqual([...complaints, ...whole.complaints], []);
  await page.close();
  await whole.page.close();
});

test('a path can lead the player nowhere but to the edge', async () => {
  const { page } = await open(`/player?u=${encodeURIComponent('//evil.example/a.mp4"><script>alert(1)</script>')}`);
  const source = await page.evaluate(() => document.querySelector('video')?.src);
  assert.equal(new URL(source!).host, `127.0.0.1:${edge.port}`);
  await page.locator('#status.error').waitFor();
  await page.close();
});
