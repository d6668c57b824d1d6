import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { partitionOf } from '../../../../src/cluster/map/partition-of.js';
import { partPath } from '../../../../src/view/packaging/url/packaged-path.js';

const PARTITIONS = 1024;
const VERSION = '0123456789abcdef';

/** Everything that may be asked for of a file. */
function pathsOf(file: string): string[] {
  const video = { file: 0, kind: 'v', number: 1 } as const;
  const text = { file: 0, kind: 's', number: 1 } as const;
  const rendition = { file: 2, kind: 'v', number: 1 } as const;
  const parts = [
    partPath({ kind: 'playlist', track: video }, 'v1'),
    partPath({ kind: 'keyFramePlaylist', track: video }, 'v1'),
    partPath({ kind: 'init', track: video }, 'v1'),
    partPath({ kind: 'trackFile', track: video }, 'v1'),
    partPath({ kind: 'segment', track: video, number: 17 }, 'v1'),
    partPath({ kind: 'keyFrame', track: video, number: 3 }, 'v1'),
    partPath({ kind: 'subtitleFile', track: text }, 's1'),
    partPath({ kind: 'subtitleSegment', track: text, number: 2 }, 's1'),
    partPath({ kind: 'segment', track: rendition, number: 1 }, 'f2-v1'),
  ];
  const manifests = ['hls.m3u8', 'master.m3u8', 'dash.mpd', 'manifest.mpd'];
  const versions = [VERSION, `${VERSION}-1000`, `${VERSION}-1000-2000`];
  return [...manifests, ...versions.flatMap(version => parts.map(part => `${version}/${part}`))].map(
    below => `${file}/${below}`,
  );
}

describe('the partition of a path', () => {
  it('is that of its film, for all that is packaged of it', () => {
    for (const file of ['/a/film.mp4', '/x.mov', '/deep/er/s%C3%A9rie.m4v', '/list.set.json']) {
      const film = partitionOf(file, PARTITIONS);
      for (const path of pathsOf(file)) assert.equal(partitionOf(path, PARTITIONS), film, path);
    }
  });

  it('of a set of renditions is that of its first', () => {
    const set = '/a/film_,low,high,.mp4.urlset';
    const first = partitionOf('/a/film_low.mp4', PARTITIONS);
    for (const path of pathsOf(set)) assert.equal(partitionOf(path, PARTITIONS), first, path);
  });

  it('does not depend on how octets are escaped', () => {
    const plain = partitionOf('/a/b~film.mp4', PARTITIONS);
    for (const path of ['/a/b%7Efilm.mp4', '/a/b%7efilm.mp4', '/%61/b~film.mp4']) {
      assert.equal(partitionOf(path, PARTITIONS), plain, path);
    }
  });

  it('never changes: nodes of different versions must agree', () => {
    assert.deepEqual(
      ['/film.mp4', '/a/b/c.flv', '/', '/%C3%A9.mp4'].map(path => partitionOf(path, PARTITIONS)),
      [795, 34, 452, 56],
    );
  });

  it('lies among the partitions, for any path', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.integer({ min: 1, max: 65_536 }), (path, partitions) => {
        const partition = partitionOf(`/${path}`, partitions);
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions);
      }),
    );
  });

  it('spreads films evenly', () => {
    const counts = new Array<number>(PARTITIONS).fill(0);
    const films = 400 * PARTITIONS;
    for (let film = 0; film < films; film++) counts[partitionOf(`/films/${film}.mp4`, PARTITIONS)]!++;
    // Chi-squared of 1023 degrees of freedom: mean 1023, deviation 45.
    const chi = counts.reduce((sum, count) => sum + (count - 400) ** 2 / 400, 0);
    assert.ok(chi < 1023 + 6 * 45, `chi-squared ${chi}`);
  });
});
