/** Players show the text tracks of films: hls.js as WebVTT, Shaka Player and dash.js as cues in MP4. */
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../../support/chromium.js';
import { Edge } from '../../support/edge.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import type { FolderServer } from '../../support/serve-folder.js';
import { flashAndBeep } from '../../support/streaming/flash-and-beep.js';
import { PlayerPage, servePlayers } from '../../support/streaming/player-page.js';

let folder: MediaFolder;
let server: FolderServer;
let browser: Browser;
let edge: Edge;
before(async () => {
  folder = await MediaFolder.make();
  await copyFile(await flashAndBeep(60, 90), join(folder.path, 'plain.mp4'));
  const srt = join(folder.path, 'text.srt');
  await writeFile(srt, '1\n00:00:00,500 --> 00:00:02,000\nfirst & <b>\n\n2\n00:00:04,000 --> 00:00:09,000\nover it\n');
  const plain = join(folder.path, 'plain.mp4');
  await folder.ffmpeg('film.mp4', '-i', plain, '-i', srt, '-c', 'copy', '-c:s', 'mov_text');
  server = await servePlayers(folder.path);
  browser = await launchChromium();
  edge = await Edge.start({ origin: folder.path, settings: `http: {cors: {origins: ['*']}}` });
});
after(async () => {
  await browser?.close();
  await edge?.end();
  await server?.close();
  await folder?.remove();
});

for (const [player, manifest] of [
  ['hls.js', 'hls.m3u8'],
  ['shaka', 'dash.mpd'],
  ['dash.js', 'dash.mpd'],
] as const)
  it(`${player} shows text of ${manifest}`, async () => {
    const page = await PlayerPage.open(browser, server.url);
    await page.load(player, `${edge.url}/film.mp4/${manifest}`);
    const cues = await page.readText(2);
    // A cue over two segments may be two that follow each other.
    for (const [text, start, end] of [
      ['first', 0.5, 2],
      ['over it', 4, 9],
    ] as const) {
      const own = cues.filter(cue => cue.text.includes(text));
      assert.ok(own.length > 0, `${text} is among ${JSON.stringify(cues)}`);
      assert.ok(Math.abs(Math.min(...own.map(({ startTime }) => startTime)) - start) < 0.002, JSON.stringify(own));
      const until = Math.max(...own.map(({ endTime }) => endTime));
      assert.ok(Math.abs(until - end) < 0.002 || (own.length === 1 && until >= 6), JSON.stringify(own));
    }
    await page.close();
  });
