import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { Edge } from '../edge.js';
import { MediaFolder } from '../ffmpeg.js';
import type { FolderServer } from '../serve-folder.js';
import { flashAndBeep } from './flash-and-beep.js';
import { type Measured, type PlayerName, PlayerPage, servePlayers } from './player-page.js';

const CORS = `http: {cors: {origins: ['*']}}`;
const SECONDS = 60;
const [LOW, HIGH] = [90, 180];
/** Seconds of a frame of AAC. */
const AAC_FRAME = 1024 / 48000;
const FRAME = 1 / 25;
/** Where is sought to: within a segment, and within a group of pictures. */
const PLACE = 14.5;

/** Seconds by which the sound of one film begins after its pictures. */
const LATE = 1.2;

/** Seconds of a clip, and of the key frame with which it begins: a whole one, so that flashes stay where they are. */
const [CLIP, CLIP_BEGIN] = [[20.3, 50] as const, 20];

let folder: MediaFolder;
let server: FolderServer;
let browser: Browser;
let edge: Edge;
/** Of the file itself, in the element: at the beginning and behind a seek. */
let native: Skews;
interface Skews {
  readonly start: number;
  readonly seek: number;
}

/** Seconds after a whole one; a little before one is below 0. */
function fraction(second: number): number {
  return second - Math.round(second);
}

/** When pictures turn light, after a whole second. Of flashes whose first picture was dropped others tell. */
function lightOf({ flashes }: Measured): number {
  return Math.min(...flashes.map(fraction));
}

/** Seconds by which beeps come after their flashes. A machine that is busy for a moment shifts some of them. */
function skewOf(measured: Measured): number {
  const beeps = measured.beeps.map(fraction).sort((a, b) => a - b);
  return beeps[Math.floor(beeps.length / 2)]! - lightOf(measured);
}

/** Times that are measured: a machine that is busy for a moment hears beeps late. */
const TRIES = 4;
/** Seconds within which what is measured again is the same. */
const STEADY = 0.005;

/** The skew of what plays, by two measurements in a row that agree; `first` is the one at hand. */
async function steadySkew(page: PlayerPage, first: Measured): Promise<number> {
  let skew = skewOf(first);
  for (let i = 0; i < TRIES; i++) {
    const again = skewOf(await page.measure(3));
    if (Math.abs(again - skew) < STEADY) return again;
    skew = again;
  }
  return skew;
}

/** What is off stays off as it plays on, while a busy machine drops pictures and hears late for a moment only. */
async function assertTogether(page: PlayerPage, first: Measured, expected: number): Promise<void> {
  const isTogether = (measured: Measured) =>
    Math.abs(skewOf(measured) - expected) <= AAC_FRAME && Math.abs(lightOf(measured)) < FRAME;
  let measured = first;
  for (let i = 1; i < TRIES && !isTogether(measured); i++) measured = await page.measure(3);
  const told = `light ${lightOf(measured).toFixed(4)} s after the second, sound ${skewOf(measured).toFixed(4)} s later`;
  assert.ok(isTogether(measured), `${told}; in the file ${expected.toFixed(4)} s: ${JSON.stringify(measured)}`);
}

const SET = `film-,${LOW},${HIGH},.mp4.urlset`;

/**
 * Has players play what an edge packages, seek in it and switch renditions: pictures and sound stay together as they
 * are in the file itself.
 */
export function testPlayers(players: readonly PlayerName[], manifest: string): void {
  before(async () => {
    folder = await MediaFolder.make();
    for (const height of [LOW, HIGH])
      await copyFile(await flashAndBeep(SECONDS, height), join(folder.path, `film-${height}.mp4`));
    server = await servePlayers(folder.path);
    browser = await launchChromium();
    edge = await Edge.start({ origin: folder.path, settings: CORS });
    const page = await PlayerPage.open(browser, server.url);
    await page.load('native', `${edge.url}/film-${LOW}.mp4`);
    native = {
      start: await steadySkew(page, await page.measure(3)),
      seek: await steadySkew(page, await page.measure(3, PLACE)),
    };
    await page.close();
    const plain = join(folder.path, `film-${LOW}.mp4`);
    const late = ['-i', plain, '-itsoffset', `${LATE}`, '-i', plain, '-map', '0:v', '-map', '1:a', '-c', 'copy'];
    await folder.ffmpeg('late.mp4', ...late);
  });
  after(async () => {
    await browser?.close();
    await edge?.end();
    await server?.close();
    await folder?.remove();
  });
  // They mostly wait for a film that plays.
  describe(`players of ${manifest}`, { concurrency: players.length }, () => {
    for (const player of players) testPlayer(player, manifest);
  });
}

function testPlayer(player: PlayerName, manifest: string): void {
  describe(`${player}, ${manifest}`, () => {
    it('plays a film to its end', async () => {
      const page = await PlayerPage.open(browser, server.url);
      const { duration, height } = await page.load(player, `${edge.url}/film-${LOW}.mp4/${manifest}`);
      assert.ok(Math.abs(duration - SECONDS) < 2 * FRAME, `${duration} s`);
      assert.equal(height, LOW);
      await assertTogether(page, await page.measure(3), native.start);
      await assertTogether(page, await page.measure(3, SECONDS - 15.5), native.seek);
      await page.measure(2, SECONDS - 4.5);
      const end = await page.playToEnd();
      assert.ok(Math.abs(end.currentTime - SECONDS) < 3 * FRAME, `it ended at ${end.currentTime} s`);
      await page.close();
    });

    it('plays a film whose sound begins later', async () => {
      const page = await PlayerPage.open(browser, server.url);
      await page.load(player, `${edge.url}/late.mp4/${manifest}`);
      await assertTogether(page, await page.measure(3), native.start + fraction(LATE));
      await assertTogether(page, await page.measure(3, PLACE), native.seek + fraction(LATE));
      await page.close();
    });

    it('plays a clip, which begins with the key frame before, and seeks in it', async () => {
      const page = await PlayerPage.open(browser, server.url);
      const { duration } = await page.load(
        player,
        `${edge.url}/film-${LOW}.mp4/${manifest}?start=${CLIP[0]}&end=${CLIP[1]}`,
      );
      // Pictures past its end on which others before it lean are shown, too.
      const lasts = duration - (CLIP[1] - CLIP_BEGIN);
      assert.ok(lasts > -FRAME && lasts < 10 * FRAME, `${duration} s`);
      await assertTogether(page, await page.measure(3), native.seek);
      await assertTogether(page, await page.measure(3, PLACE), native.seek);
      await page.close();
    });

    it('plays a set, seeks and switches', async () => {
      const page = await PlayerPage.open(browser, server.url);
      await page.load(player, `${edge.url}/${SET}/${manifest}`);
      await assertTogether(page, await page.measure(3), native.start);
      const sought = await page.measure(3, PLACE);
      assert.ok(sought.currentTime > PLACE && sought.flashes[0]! > PLACE, 'it plays from there');
      assert.equal(sought.height, LOW);
      await assertTogether(page, sought, native.seek);
      await page.switchTo(HIGH);
      const switched = await page.measure(3);
      assert.equal(switched.height, HIGH);
      await assertTogether(page, switched, native.seek);
      const back = await page.measure(3, 1.5);
      await assertTogether(page, back, native.seek);
      await page.close();
    });
  });
}
