import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FilmViews } from '../../../src/cluster/routing/film-views.js';
import { warmUpFactor } from '../../../src/cluster/routing/warm-up.js';

const HOUR = 3_600_000;

test('what few watch is sent to replicas more, what many watch less', () => {
  const shares = [0.05, 0.01];
  assert.equal(warmUpFactor(shares, 0), 2);
  assert.equal(warmUpFactor(shares, 30), 2);
  assert.equal(warmUpFactor(shares, 60), 1);
  assert.equal(warmUpFactor(shares, 6000), 0.01);
  for (const views of [60, 600, 60_000]) assert.ok(Math.abs(views * 0.05 * warmUpFactor(shares, views) - 3) < 1e-9);
});

test('no more than half of the viewers are sent there, but where more is set', () => {
  assert.equal(warmUpFactor([0.5], 0), 1);
  assert.equal(warmUpFactor([0.3, 0.1], 0), 1.25);
  assert.equal(warmUpFactor([0.5, 0.5], 0), 1);
  assert.equal(warmUpFactor([], 10), 1);
  assert.equal(warmUpFactor([0, 0.1], 10), 1);
});

test('by Zipf’s law no more viewers are sent to replicas than is set', () => {
  const shares = [0.05, 0.01];
  let views = 0;
  let sent = 0;
  for (let rank = 1; rank <= 100_000; rank++) {
    const each = 50_000 / rank;
    views += each;
    sent += each * 0.06 * warmUpFactor(shares, each);
  }
  assert.ok(sent / views < 0.06, String(sent / views));
});

test('views of films are counted, and forgotten by halves', () => {
  const views = new FilmViews();
  for (let i = 0; i < 1000; i++) views.count(0.25, 0);
  assert.equal(views.of(0.25), 1000);
  assert.equal(views.of(0.75), 0);
  views.count(0.25, 13 * HOUR);
  assert.equal(views.of(0.25), 501);
  views.count(0.25, 26 * HOUR);
  assert.equal(views.of(0.25), 251);
});

test('never are too few views said, and seldom too many of films that few watch', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), seed => {
      const views = new FilmViews();
      let random = seed;
      const films = Array.from({ length: 3000 }, () => {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
        return random / 2 ** 32;
      });
      for (const film of films) views.count(film, 0);
      assert.ok(films.every(film => views.of(film) >= 1));
      assert.ok(films.filter(film => views.of(film) > 1).length < 0.05 * films.length);
    }),
    { numRuns: 20 },
  );
});
