import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type FilmDeath, filmReport, REQUEUE_MAX, runFilmSoak } from '../../soak/films/run-film-soak.js';

/** Some of those that `npm run test:soak -- --films` has. */
const DEATHS: readonly FilmDeath[] = [
  { step: 'encode', victim: 'worker' },
  { step: 'probe', victim: 'tool' },
  { step: 'encode', victim: 'tool' },
  { step: 'after put winner.json', victim: 'worker' },
  { step: 'before putFile film_120.mp4', victim: 'redis' },
  { step: 'before remove manifest.json', victim: 'worker' },
];

it('workers, their tools and Redis die while films are made, and each film is there, once, and nothing else', async () => {
  const tally = await runFilmSoak({ deaths: DEATHS, lock: 3_000, say() {} });
  const report = filmReport(tally);
  assert.deepEqual(tally.violations, [], report);
  assert.ok(tally.requeued > 0 && tally.requeued <= REQUEUE_MAX, report);
  assert.deepEqual([...tally.deaths.values()].sort(), [1, 2, 3], report);
});
