/** The soak of a cluster, short: `npm run test:soak -- --cluster` injects every kind of fault. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { clusterReport, runClusterSoak } from '../../soak/cluster/run-cluster-soak.js';

const KINDS = ['kill -9', 'edge cut off from etcd', 'take-over'];

it('edges that are killed, cut off and taken over leave a history without a flaw', async t => {
  const result = await runClusterSoak({ duration: 0, seed: 1, rate: 5, kinds: KINDS, say: text => t.diagnostic(text) });
  assert.deepEqual(result.violations, [], clusterReport(result));
  assert.ok(result.requests > 20);
  assert.equal(result.faults.length + result.skipped.length, KINDS.length);
});
