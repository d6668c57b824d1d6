/** Clips and sets of renditions, as others' tools read them: the packets, times and pictures of their films. */
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { aac, clip, h264, picture, tone } from '../../support/clips.js';
import { Edge } from '../../support/edge.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { judgePart } from '../../support/streaming/judge.js';
import { loadHls } from '../../support/streaming/packaged.js';
import { cases as fragmented } from '../media/fmp4/clips.js';
import { cases as progressive } from '../media/mp4/clips.js';

const named = (name: string) => [...progressive, ...fragmented].find(film => film.name === name)!.make;
/** A rendition: its rate of pictures stays, its size and the distance of its key frames do not. */
const rendition = (name: string, size: string, gop: number, ...more: string[]) =>
  clip(`set-${name}.mp4`, [...picture(10, '30000/1001', size), ...tone(10, 330, 48000), ...h264(gop, ...more), ...aac]);

/** Films, and the queries of clips of them. */
const clips: readonly (readonly [film: string, query: string])[] = [
  ['B-frames and AAC', 'start=5.5&end=9.3'],
  ['video that begins after the sound', 'start=3'],
  ['variable frame rate', 'start=2.2&end=6'],
  ['a fragment for each track', 'start=7'],
  ['sound only', 'start=3.3&end=9'],
];

/** A set of films, how it is named, and the query of its manifests. */
interface SetCase {
  readonly name: string;
  readonly kind: 'urlset' | 'set.json';
  readonly query: string;
  readonly make: () => Promise<readonly string[]>;
  /** Whether each film is cut on its own. */
  readonly isApart?: boolean;
}

const coincide = async () => [await rendition('low', '160x90', 60), await rendition('high', '320x180', 30)];
const sets: readonly SetCase[] = [
  { name: 'key frames that coincide', kind: 'urlset', query: '', make: coincide },
  {
    name: 'key frames that do not',
    kind: 'set.json',
    query: '',
    isApart: true,
    make: async () => [await rendition('low', '160x90', 60), await rendition('odd', '192x108', 47)],
  },
  ...['', 'start=4&end=8'].map(
    (query): SetCase => ({
      name: 'films with and without edit lists',
      kind: 'urlset',
      query,
      make: async () => [
        await rendition('low', '160x90', 60),
        await clip('set-no-edits.mp4', [
          ...['-i', await rendition('high', '320x180', 30), '-c', 'copy', '-use_editlist', '0'],
        ]),
      ],
    }),
  ),
  {
    name: 'one in fragments',
    kind: 'set.json',
    query: 'start=4&end=8',
    make: async () => [
      await rendition('low', '160x90', 60),
      await clip('set-fragments.mp4', [
        ...['-i', await rendition('high', '320x180', 30), '-c', 'copy'],
        ...['-movflags', 'frag_keyframe+delay_moov+default_base_moof'],
      ]),
    ],
  },
];

let media: MediaFolder;
let folder: MediaFolder;
let edge: Edge;
before(async () => {
  media = await MediaFolder.make();
  folder = await MediaFolder.make();
  edge = await Edge.start({ origin: media.path, settings: 'media: {packaging: {segment: 3s}}' });
});
after(async () => {
  await edge?.end();
  await folder?.remove();
  await media?.remove();
});

for (const [number, [film, query]] of clips.entries())
  it(`a clip of a film: ${film}, ${query}`, async () => {
    const file = await named(film)();
    const path = `clip-${number}${extname(file)}`;
    await copyFile(file, join(media.path, path));
    await judgePart([file], `${edge.url}/${path}`, query, folder);
  });

for (const [number, { name, kind, query, make, isApart = false }] of sets.entries())
  it(`a set (${kind}) of ${name} ${query}`, async () => {
    const films = await make();
    const names = films.map((_, i) => `s${number}-${i}.mp4`);
    for (const [i, film] of films.entries()) await copyFile(film, join(media.path, names[i]!));
    const parts = names.map((_, i) => i).join(',');
    const path = kind === 'urlset' ? `s${number}-,${parts},.mp4.urlset` : `s${number}.set.json`;
    if (kind === 'set.json') await writeFile(join(media.path, path), JSON.stringify({ files: names }));
    const { text } = await loadHls(`${edge.url}/${path}/hls.m3u8?${query}`);
    assert.equal(/do not coincide/.test(text), isApart);
    await judgePart(films, `${edge.url}/${path}`, query, folder);
  });
