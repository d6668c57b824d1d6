import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { ClusterNode } from '../../../src/cluster/cluster-state.js';
import { TestCluster, type TestEdge } from '../../support/cluster-edge.js';
import { firstWrong } from '../../support/content.js';
import { FaultOrigin } from '../../support/fault-origin.js';

const origin = await FaultOrigin.start();
after(() => origin.close());
const cluster = await TestCluster.start(4, origin.url);

const SIZE = 1_000_000;
/** Edges of the two zones, by their number; each zone has a map of its own. */
const ZONES = [
  [0, 1],
  [2, 3],
] as const;
const maps = ZONES.map(zone => cluster.state.map.map((_, at) => [zone[at % 2]!, zone[(at + 1) % 2]!]));
const nodes = cluster.state.nodes.map((node, at): ClusterNode => ({ ...node, zone: at < 2 ? 'here' : 'there' }));
for (const [at, edge] of cluster.edges.entries()) {
  const [own, other] = at < 2 ? [0, 1] : [1, 0];
  const owners = maps[other]!.map(list => list[0]!);
  const state = { ...cluster.state, epoch: 100, self: edge.id, nodes, map: maps[own]!, otherZones: [owners] };
  edge.cluster.update(state);
}

let films = 0;
function film(): string {
  const path = `/zone-film-${films++}.mp4`;
  origin.put(path, { size: SIZE });
  return path;
}

/** Owner and the other edge of a zone. */
function partsOf(path: string, zone: 0 | 1): [owner: TestEdge, other: TestEdge] {
  const [owner, other] = maps[zone]![cluster.partition(path)]!;
  return [cluster.edges[owner!]!, cluster.edges[other!]!];
}

async function whole(edge: TestEdge, path: string): Promise<void> {
  const { status, body } = await edge.get(path);
  assert.equal(status, 200);
  assert.equal(body.length, SIZE);
  assert.equal(firstWrong(body, path, 'v1', 0), -1);
}

test('the owner of this zone has a film from the owner of another one, and the storage is not asked again', async () => {
  const path = film();
  const [there] = partsOf(path, 1);
  const [here, other] = partsOf(path, 0);
  await whole(there, path);
  const sent = origin.bytesSent(path);
  // By way of the other edge of this zone, which keeps nothing.
  await whole(other, path);
  assert.equal(origin.bytesSent(path), sent);
  assert.deepEqual([here.loader.stats.filledBytes, other.loader.stats.filledBytes], [SIZE, 0]);
  assert.equal(other.routing.stats.hops, 1);
});

test('what the other zone has only in part comes from there as far as it goes, then from the storage', async () => {
  const path = film();
  const [there] = partsOf(path, 1);
  const [here] = partsOf(path, 0);
  assert.equal((await there.get(path, { Range: 'bytes=0-299999' })).status, 206);
  await whole(here, path);
  assert.ok(
    origin.timesSent(path).every(times => times <= 1),
    String(origin.timesSent(path)),
  );
});

test('what no zone has comes from the storage, once a zone, and no edge of another zone fetches it for this one', async () => {
  const path = film();
  const [there] = partsOf(path, 1);
  const [here] = partsOf(path, 0);
  const before = there.loader.stats.filledBytes;
  await whole(here, path);
  assert.equal(origin.bytesSent(path), SIZE);
  assert.equal(there.loader.stats.filledBytes, before);
});

test('the other zone is gone: its owner is left out and the storage asked', async () => {
  const path = film();
  const [there] = partsOf(path, 1);
  const [here] = partsOf(path, 0);
  await whole(there, path);
  for (const at of ZONES[1]) cluster.edges[at]!.kill();
  await whole(here, path);
  assert.equal(here.cluster.peers.isWell(there.id), false);
});
