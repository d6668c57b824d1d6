import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HotCopies, HotFilms } from '../../../src/cluster/routing/hot-films.js';

/** Counts of requests for films, in the order of their numbers, in one window that begins at `now`. */
function window(films: HotFilms, counts: readonly number[], now: number): void {
  for (const [film, count] of counts.entries()) for (let i = 0; i < count; i++) films.count(`/${film}`, now);
}

test('a film gets copies in proportion to what it takes of an even share, as many as there are edges', () => {
  const films = new HotFilms({ ratio: () => 1, others: () => 9 });
  window(films, [500, 50, 10, ...Array(440).fill(1)], 0);
  films.count('/x', 6000);
  // 2 % of 1000 requests.
  assert.equal(films.of('/0', 6000)?.copies, 9);
  assert.equal(films.of('/1', 6000)?.copies, 2);
  assert.equal(films.of('/2', 6000), undefined);
  assert.equal(films.of('/1', 36_001), undefined, 'for half a minute');
});

test('what the owner sees of a spread film is its part of it', () => {
  const films = new HotFilms({ ratio: () => 1, others: () => 9 });
  window(films, [60, ...Array(940).fill(1)], 0);
  window(films, [20, ...Array(980).fill(1)], 6000);
  films.count('/x', 12_000);
  assert.equal(films.of('/0', 12_000)?.copies, 2, 'a third of as many as before comes to it');
});

test('an edge that has more than its share counts against that; few requests say nothing; none are alone', () => {
  const busy = new HotFilms({ ratio: () => 0.5, others: () => 9 });
  window(busy, [20, ...Array(980).fill(1)], 0);
  busy.count('/x', 6000);
  assert.equal(busy.of('/0', 6000)?.copies, 1);
  for (const films of [
    new HotFilms({ ratio: () => 1, others: () => 0 }),
    new HotFilms({ ratio: () => 1, others: () => 3 }),
  ]) {
    window(films, [40], 0);
    films.count('/x', 6000);
    assert.equal(films.of('/0', 6000), undefined);
  }
});

test('copies take an eighth of the cache at most, and end with their time', () => {
  const copies = new HotCopies(8000);
  copies.learn('/a', { copies: 2, until: 100 }, 600);
  copies.learn('/b', { copies: 2, until: 100 }, 600);
  assert.deepEqual([copies.copies('/a', 0), copies.copies('/b', 0)], [2, 0]);
  assert.equal(copies.copies('/a', 100), 0);
  copies.learn('/b', { copies: 3, until: 300 }, 600);
  assert.equal(copies.copies('/b', 200), 3);
  copies.learn('/b', { copies: 0, until: 300 }, 600);
  assert.equal(copies.copies('/b', 200), 0);
});
