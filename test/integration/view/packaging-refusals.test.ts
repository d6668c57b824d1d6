/** What can't be packaged: players, the log and `moovedge inspect` say why, and it plays by ranges as before. */
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspectMedia } from '../../../src/commands/inspect.js';
import { Edge } from '../../support/edge.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { full, movie, table } from '../../support/hostile.js';
import { pictures, replaced, sound, text, written } from '../../support/plain-tracks.js';

const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer).swap32();

const everyFifty = (i: number) => i % 50 === 0;
const twice = pictures(100, everyFifty);
const cut = [
  { duration: 2000, media: 2000 },
  { duration: 2000, media: 0 },
];
/** Films, and what is to be said of them. */
const FILMS: readonly (readonly [name: string, reason: RegExp, film: () => Uint8Array])[] = [
  [
    'pictures without key frames',
    /track 1, it has no key frames/,
    () => written([pictures(100, () => false), sound(200)]),
  ],
  [
    'encrypted pictures',
    /track 1, it is encrypted/,
    () => replaced(written([pictures(100, everyFifty)]), 'avc1', 'encv'),
  ],
  ['encrypted sound alone', /it is encrypted/, () => replaced(written([sound(100)]), 'mp4a', 'enca')],
  [
    'a codec of which nobody knows',
    /do not know its codec "zz\?9"/,
    () => replaced(written([pictures(100, everyFifty), sound(200)]), 'avc1', 'zz\u00019'),
  ],
  [
    'pictures coded in two ways',
    /track 1, its samples are coded in several ways/,
    () => written([{ ...twice, descriptions: twice.chunks.map((_, i) => 1 + (i % 2)) }]),
  ],
  [
    'pictures in another order',
    /presents parts of it that do not follow/,
    () => written([pictures(100, everyFifty, cut)]),
  ],
  [
    'pictures that stand still',
    /makes a picture stand still/,
    () => {
      const film = Buffer.from(written([pictures(100, everyFifty, [{ duration: 4000, media: 0 }])]));
      const rate = film.indexOf('elst') + 4 + 8 + 8;
      film.writeUInt32BE(0, rate);
      return film;
    },
  ],
  [
    'pictures that are never shown',
    /presents nothing of it/,
    () => written([pictures(100, everyFifty, [{ duration: 4000, media: -1 }])]),
  ],
  ['text alone', /neither pictures nor sound/, () => written([text(3)])],
  ['TTML alone', /TTML, of which nothing is made/, () => replaced(written([text(3)]), 'tx3g', 'stpp')],
  [
    'a sample entry that is none',
    /is broken: a sample entry of 77 bytes/,
    () => {
      const film = Buffer.from(written([pictures(100, everyFifty)]));
      const entry = film.indexOf('avc1') - 4;
      film.writeUInt32BE(film.readUInt32BE(entry) - 1, entry);
      return film;
    },
  ],
  [
    'two tracks of one number',
    /track 1, another track has the same number/,
    () => {
      const film = Buffer.from(written([text(3), pictures(100, everyFifty)]));
      const second = film.indexOf('tkhd', film.indexOf('tkhd') + 4);
      film.writeUInt32BE(1, second + 4 + 4 + 8);
      return film;
    },
  ],
  [
    'a group of more pictures than a segment may have',
    /200000 frames of 200000 bytes, which are no segment/,
    () => {
      const samples = 200_000;
      const tables = () => [
        table('stts', u32(samples, 40), 1),
        full('stss', 0, 0, u32(1, 1)),
        table('stsc', u32(1, samples, 1), 1),
        full('stsz', 0, 0, u32(1, samples)),
        table('stco', u32(32), 1),
      ];
      return Buffer.concat([movie(tables, { samples }), Buffer.alloc(samples)]);
    },
  ],
  [
    'tables that contradict each other',
    /is broken: .*stsc/,
    () => {
      const film = Buffer.from(written([pictures(100, everyFifty)]));
      film.writeUInt32BE(0, film.indexOf('stsc') + 4 + 8 + 4);
      return film;
    },
  ],
];
/** A film whose movie box is larger than the limit. */
function large(): Buffer {
  const samples = 300_000;
  return movie(() => [
    table('stts', u32(samples, 40), 1),
    table('stsc', u32(1, samples, 1), 1),
    full('stsz', 0, 0, u32(0, samples), Buffer.alloc(4 * samples)),
    table('stco', u32(32), 1),
  ]);
}

/** Lines of one kind that the log has in a while. */
const LINES = 10;

let folder: MediaFolder;
let edge: Edge;
before(async () => {
  folder = await MediaFolder.make();
  for (const [i, [, , film]] of FILMS.entries()) await writeFile(join(folder.path, `${i}.mp4`), film());
  await copyFile(
    fileURLToPath(new URL('../../../src/samples/keyframes.flv', import.meta.url)),
    join(folder.path, `${FILMS.length}.mp4`),
  );
  await writeFile(join(folder.path, 'large.mp4'), large());
  edge = await Edge.start({ origin: folder.path, settings: 'media: {mp4: {maxMoov: 1MiB}}' });
});
after(async () => {
  await edge?.end();
  await folder?.remove();
});

describe('packaging is refused, and everybody is told why:', () => {
  const cases = [...FILMS, ['FLV', /it is no MP4/, undefined] as const];
  for (const [i, [name, reason]] of cases.entries()) {
    it(name, async () => {
      const path = `/${i}.mp4`;
      const since = edge.log.length;
      const hls = await edge.get(`${path}/hls.m3u8`);
      assert.equal(hls.status, 422, hls.body.toString());
      assert.match(hls.body.toString(), reason);
      if (i < LINES) {
        const line = JSON.parse(await edge.logged(`${path}/hls.m3u8`, since));
        assert.match(line.found, reason);
        assert.deepEqual([line.status, line.level === undefined], [422, false]);
      }
      const inspected = inspectMedia(join(folder.path, `${i}.mp4`)).then(
        ({ packaging }) => packaging.refused,
        (error: Error) => error.message,
      );
      assert.match((await inspected)!, reason, 'inspect');
      const part = await edge.get(path, { Range: 'bytes=4-99' });
      assert.equal(part.status, 206);
      assert.equal(part.body.length, 96);
    });
  }

  it('a movie box above the limit', async () => {
    for (const manifest of ['hls.m3u8', 'dash.mpd']) {
      const { status, body } = await edge.get(`/large.mp4/${manifest}`);
      assert.equal(status, 422);
      assert.match(body.toString(), /its index has \d+ bytes, and the limit media\.mp4\.maxMoov is 1048576/);
    }
    assert.equal((await edge.get('/large.mp4', { Range: 'bytes=0-9' })).status, 206);
  });
});
