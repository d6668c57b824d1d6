import { copyFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { Edge } from '../edge.js';
import { MediaFolder } from '../ffmpeg.js';
import { judge, judgeFrames } from './judge.js';

/** A film, and what is particular about it. */
export interface PackagedCase {
  readonly name: string;
  readonly make: () => Promise<string>;
  /** Whether key frames are followed by pictures that lean on the group before. */
  readonly leading?: boolean;
  /** Seconds by which ffmpeg shows pictures of the file later than it says. */
  readonly shownLate?: number;
  /** Seconds by which ffmpeg has its sound later than it says. */
  readonly heardLate?: number;
}

/** Films whose beginning is hidden by an edit, and shown when packaged. */
const TRIMMED = new Set(['an edit that hides the beginning']);

/**
 * Has an edge package films: others' tools read the packets, times and pictures of the film, and playlists tell the
 * truth.
 * @param settings of `media.packaging`, as YAML flow
 */
export function testPackaged(films: readonly PackagedCase[], settings = 'segment: 3s'): void {
  let media: MediaFolder;
  let folder: MediaFolder;
  let edge: Edge;
  before(async () => {
    media = await MediaFolder.make();
    folder = await MediaFolder.make();
    edge = await Edge.start({ origin: media.path, settings: `media: {packaging: {${settings}}}` });
  });
  after(async () => {
    await edge?.end();
    await folder?.remove();
    await media?.remove();
  });

  for (const [number, { name, make, leading = false, shownLate = 0, heardLate = 0 }] of films.entries()) {
    it(name, async () => {
      const file = await make();
      const path = `film-${number}${extname(file)}`;
      await copyFile(file, join(media.path, path));
      const url = `${edge.url}/${path}`;
      const film = {
        file,
        url,
        isTrimmed: TRIMMED.has(name),
        hasOpenGops: leading,
        late: { video: shownLate, audio: heardLate },
      };
      await judge(film, folder);
      await judgeFrames(film, /sound (alone|only)/.test(name) ? 'a' : 'v');
    });
  }
}
