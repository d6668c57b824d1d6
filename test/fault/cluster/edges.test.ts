import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { clusterSettings } from '../../support/cluster-settings.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { Etcd } from '../../support/etcd.js';
import { FaultOrigin, faults } from '../../support/fault-origin.js';
import { freePorts } from '../../support/ports.js';
import { assertSoon } from '../../support/stopwatch.js';
import { until } from '../../support/until.js';

const SIZE = 8_000_000;
const origin = await FaultOrigin.start();
after(() => origin.close());
const etcd = await Etcd.start();
after(() => etcd.end());
const peerPorts = await freePorts(3);
const edges = await Promise.all(
  peerPorts.map((port, at) =>
    Edge.start({
      origin: origin.url,
      workers: 2,
      settings: clusterSettings({
        ...{ id: `edge-${at + 1}`, port, endpoints: etcd.urls },
        more: ', warmUp: {share: [0%]}',
      }),
    }),
  ),
);
after(async () => {
  for (const edge of edges) {
    for (const pid of edge.pids) process.kill(pid, 'SIGCONT');
    await edge.end();
  }
});

interface Located {
  readonly owner: string;
  readonly replicas: readonly string[];
}

const locate = async (edge: Edge, path: string) =>
  (await (await fetch(`${edge.admin}/locate?path=${path}`)).json()) as Located;

let films = 0;

/** A film whose owner is that edge. */
async function filmOf(owner: Edge): Promise<string> {
  for (;;) {
    const path = `/film-${films++}.mp4`;
    if ((await locate(edges[0]!, path)).owner !== `edge-${edges.indexOf(owner) + 1}`) continue;
    origin.put(path, { size: SIZE });
    return path;
  }
}

function right({ status, body }: { status: number; body: Buffer }, path: string): void {
  assert.equal(status, 200);
  assert.equal(body.length, SIZE);
  assert.equal(firstWrong(body, path, 'v1', 0), -1);
}

test('three edges of the product are one cache', async () => {
  await until('all have a map of all', async () => {
    const states = await Promise.all(edges.map(async edge => (await fetch(`${edge.admin}/cluster`)).json()));
    return states.every(state => JSON.stringify(state).match(/"state":"up"/g)?.length === 3);
  });
  for (const owner of edges) {
    const path = await filmOf(owner);
    for (const edge of [...edges, ...edges]) right(await edge.get(path), path);
    assert.ok(
      origin.timesSent(path).every(times => times === 1),
      `${path} ${origin.timesSent(path)}`,
    );
  }
  const metrics = await (await fetch(`${edges[0]!.admin}/metrics`)).text();
  assert.match(metrics, /moovedge_peer_requests_total\{peer="edge-2",outcome="answered"\} [1-9]/);
  assert.match(metrics, /moovedge_peer_response_bytes_total\{peer="edge-\d",direction="received"\} [1-9]/);
});

test('kill -9 of an owner within an answer: the player of another edge gets every byte, and the next at once', async () => {
  const [, victim, other] = edges as [Edge, Edge, Edge];
  const path = await filmOf(victim);
  origin.fault(faults.drip(64 * 1024, 10), { path, times: 1 });
  const answer = other.get(path);
  await until('it flows', () => origin.bytesSent(path) > 1_000_000);
  await victim.killAll();
  right(await answer, path);
  const started = performance.now();
  for (let i = 0; i < 10; i++) right(await other.get(path), path);
  assertSoon(performance.now() - started, 10_000, 'ten films');
  await victim.restart();
});

test('SIGSTOP of an owner within an answer: given up within three seconds', async () => {
  const [, , victim] = edges as [Edge, Edge, Edge];
  const other = edges[0]!;
  await until('it is asked', async () => (await locate(other, '/x')) !== undefined);
  const path = await filmOf(victim);
  origin.fault(faults.drip(64 * 1024, 10), { path, times: 1 });
  const answer = other.get(path);
  await until('it flows', () => origin.bytesSent(path) > 1_000_000);
  for (const pid of victim.pids) process.kill(pid, 'SIGSTOP');
  const stopped = performance.now();
  right(await answer, path);
  const took = performance.now() - stopped;
  for (const pid of victim.pids) process.kill(pid, 'SIGCONT');
  assertSoon(took, 6000, 'the film');
});
