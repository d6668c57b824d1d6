/** One edge of bench/cluster-hop.ts, in a process of its own: told of its cluster and asked for its CPU time. */
import { silentLog } from '../../src/base/log.js';
import { SharedMemoryTier } from '../../src/cache/memory/shared-memory-tier.js';
import type { ClusterState } from '../../src/cluster/cluster-state.js';
import { TestEdge } from '../../test/support/cluster-edge.js';
import { DEFAULTS } from '../../test/support/defaults.js';

const [id, storage, folder] = process.argv.slice(2) as [string, string, string];
const file = `${folder}/${id}.cache`;
const memory = { file, role: 'worker' as const, log: silentLog, followTimeout: 15_000, ...DEFAULTS.memoryTier };
const owner = new SharedMemoryTier({ ...memory, role: 'supervisor', size: 512 * 1024 * 1024 });
const edge = new TestEdge(id, storage, folder, { tier: new SharedMemoryTier(memory) });
await edge.listen();
process.on('message', (message: { readonly state?: ClusterState }) => {
  if (message.state !== undefined) edge.cluster.update(message.state);
  process.send!({ cpu: process.cpuUsage(), stats: edge.routing.stats });
});
process.on('disconnect', () => {
  owner.close();
  process.exit(0);
});
process.send!({ port: edge.port, peerPort: edge.peerPort });
