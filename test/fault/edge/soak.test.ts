import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runSoak } from '../../soak/run-soak.js';
import { report } from '../../soak/tally.js';

it('serves no wrong byte and recovers while everything around it fails (a short soak; npm run test:soak is the long one)', async context => {
  const tally = await runSoak({
    policy: 'demand',
    duration: 12_000,
    faults: 4,
    // Longer than a busy machine takes for an answer of all players' own origin.
    originPatience: 10,
    seed: 7,
    players: 60,
    rate: 60,
    workers: 2,
    pause: 20,
    calm: 1000,
    say: text => context.diagnostic(text),
  });
  const told = report(tally);
  assert.deepEqual(tally.violations, [], told);
  assert.deepEqual([tally.wrongBytes, tally.hangs, tally.crashes, tally.leakedProcesses], [0, 0, 0, 0], told);
  assert.ok(tally.faultCount >= 4 && tally.endings.whole >= 50 && tally.bytesVerified > 10 * 2 ** 20, told);
});
