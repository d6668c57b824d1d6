import assert from 'node:assert/strict';
import { it } from 'node:test';
import { liveReport, runLiveSoak } from '../../soak/live/run-live-soak.js';

it('sends live streams whole and in order while all around them fails (short; npm run test:soak -- --live is long)', async context => {
  const result = await runLiveSoak({
    duration: 0,
    seed: 7,
    workers: 2,
    watchers: 6,
    players: 2,
    volume: 64 << 20,
    clocks: [2 ** 24],
    say: text => context.diagnostic(text),
  });
  const told = liveReport(result);
  const { violations, crashes, leakedProcesses, faultCount } = result.tally;
  assert.deepEqual(violations, [], told);
  assert.deepEqual([crashes, leakedProcesses], [0, 0], told);
  assert.ok(faultCount === 8 && result.parts > 10 && result.watched.pictures > 1000, told);
  context.diagnostic(told);
});
