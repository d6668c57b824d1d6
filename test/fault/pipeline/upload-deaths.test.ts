import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DEATHS, runUploadSoak, SENT_AGAIN_MAX, uploadReport } from '../../soak/upload/run-upload-soak.js';

it('servers of uploads die at every step, and nothing that was told to be stored is lost', async () => {
  const tally = await runUploadSoak({ kills: DEATHS.length, seed: 19, say() {} });
  const report = uploadReport(tally);
  assert.equal(tally.wrong, 0, report);
  assert.equal(tally.fallen, 0, report);
  assert.ok(tally.sentAgain <= SENT_AGAIN_MAX, report);
  assert.ok(tally.uploads > 0 && tally.deaths.size > DEATHS.length / 2, report);
});
