import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EdgeError } from '../../../../../src/base/errors.js';
import { childQuery } from '../../../../../src/view/packaging/url/child-query.js';
import { besideFilm, fileSet, isPackagedFile } from '../../../../../src/view/packaging/url/file-set.js';

describe('sets named by their path', () => {
  const cases: [path: string, paths: string[]][] = [
    ['/a/film_,low,mid,high,.mp4.urlset', ['/a/film_low.mp4', '/a/film_mid.mp4', '/a/film_high.mp4']],
    ['/film,,_hd,.mp4.urlset', ['/film.mp4', '/film_hd.mp4']],
    ['/film,.mp4,.en.srt,.urlset', ['/film.mp4', '/film.en.srt']],
    ['/a/,low/x,high/x,.mp4.urlset', ['/a/low/x.mp4', '/a/high/x.mp4']],
    ['/a%2Cb/x,1,.mp4.urlset', ['/a%2Cb/x1.mp4']],
  ];
  for (const [path, paths] of cases) {
    it(path, () => {
      assert.ok(isPackagedFile(path));
      assert.deepEqual(fileSet(path), { kind: 'urlset', paths });
    });
  }

  for (const path of [
    '/a/.,./secret/x,y,.mp4.urlset',
    '/a/%2,e%2e/x,y,.mp4.urlset',
    '/a/.%2,e/x,y,.mp4.urlset',
    '/a/%c0%ae%c0,%ae/x,y,.mp4.urlset',
    '/a/x%,41,y,.mp4.urlset',
    '/a/x%0,0,y,.mp4.urlset',
  ]) {
    it(`${path} leads nowhere that a path may not`, () => {
      assert.throws(
        () => fileSet(path),
        (error: unknown) => error instanceof EdgeError && error.code === 'bad_request',
      );
    });
  }

  it('a film is itself, a list is itself', () => {
    assert.deepEqual(fileSet('/x.mp4'), { kind: 'film', path: '/x.mp4' });
    assert.deepEqual(fileSet('/x.set.json'), { kind: 'list', path: '/x.set.json' });
  });

  it('what is beside a film bears its name', () =>
    assert.equal(besideFilm('/a.b/film.x.mp4', '.en.srt'), '/a.b/film.x.en.srt'));
});

it('queries go on to children as what a URI may hold', () => {
  assert.equal(childQuery(''), '');
  assert.equal(childQuery('token=a.b~c&d=%2F$x'), '?token=a.b~c&d=%2F$x');
  assert.equal(childQuery('a="><\\{$x}|^`[]'), '?a=%22%3E%3C%5C%7B$x%7D%7C%5E%60%5B%5D');
});
