/** The way of a live stream from ffmpeg by RTMP through an edge to the demo player in Chromium, and to ffmpeg. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../../support/chromium.js';
import { Edge } from '../../support/edge.js';
import { freePorts } from '../../support/ports.js';
import { until } from '../../support/until.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const NAME = 'demo/test';

let browser: Browser;
let edge: Edge;
let publisher: ChildProcess;
before(async () => {
  browser = await launchChromium();
  const [rtmp] = await freePorts(1);
  const settings = `http: {cors: {origins: ['*']}}\nlive: {rtmp: {host: 127.0.0.1, port: ${rtmp}}}`;
  edge = await Edge.start({ origin: SAMPLES, settings });
  const picture = ['-f', 'lavfi', '-i', 'testsrc=size=320x180:rate=25', '-f', 'lavfi', '-i', 'sine=440'];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25', '-c:a', 'aac'];
  const target = `rtmp://127.0.0.1:${rtmp}/${NAME}`;
  publisher = spawn('ffmpeg', ['-nostdin', '-v', 'error', '-re', ...picture, ...codecs, '-f', 'flv', target], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
});
after(async () => {
  publisher?.kill('SIGKILL');
  await browser?.close();
  await edge?.end();
});

test('the demo player plays a live stream, and ffmpeg decodes it without a word', async () => {
  const path = `/live/${NAME}.flv`;
  await until('the stream', async () => (await fetch(`${edge.url}${path}`, { method: 'HEAD' })).ok);
  const page = await browser.newPage();
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
