import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { clusterSettings } from '../../support/cluster-settings.js';
import { contentAt } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { Etcd } from '../../support/etcd.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { freePorts } from '../../support/ports.js';
import { until } from '../../support/until.js';

const SIZE = 300_000;

let origin: FaultOrigin;
let etcd: Etcd;
let edges: Edge[];
let films = 0;
before(async () => {
  origin = await FaultOrigin.start();
  etcd = await Etcd.start();
  const ports = await freePorts(2);
  edges = await Promise.all(
    ports.map((port, at) => {
      const more = ', partitions: 64, replicas: 1, ramp: 0s, warmUp: {share: [0%]}';
      const settings = clusterSettings({ id: `edge-${at + 1}`, port, endpoints: etcd.urls, more });
      return Edge.start({ origin: origin.url, settings, workers: 1 });
    }),
  );
  await until('the first map', async () => {
    const states = await Promise.all(
      edges.map(edge => ask<{ epoch: number; nodes: { owns: number }[] }>(edge, '/cluster')),
    );
    return states.every(({ epoch, nodes }) => epoch > 0 && nodes.length === 2 && nodes.every(({ owns }) => owns > 0));
  });
});
after(async () => {
  await Promise.all(edges.map(edge => edge.end()));
  await etcd.end();
  await origin.close();
});

async function ask<T>(edge: Edge, path: string): Promise<T> {
  return (await fetch(edge.admin + path)).json() as T;
}

/** A new film that an edge owns, cached there in its first version, while the storage has the second. */
async function filmOf(edge: Edge): Promise<string> {
  const id = `edge-${edges.indexOf(edge) + 1}`;
  for (;;) {
    const path = `/films/${films++}.mp4`;
    if ((await ask<{ owner: string }>(edge, `/locate?path=${path}`)).owner !== id) continue;
    put(path, 1);
    assert.equal(await versionAt(edge, path), 1);
    put(path, 2);
    assert.equal(await versionAt(edge, path), 1);
    return path;
  }
}

function put(path: string, version: number): void {
  origin.put(path, { size: SIZE, version: `v${version}`, headers: { 'Cache-Control': 'max-age=3600' } });
}

async function versionAt(edge: Edge, path: string): Promise<number> {
  const { status, body } = await edge.get(path);
  assert.equal(status, 200);
  return [1, 2, 3].find(version => body.equals(contentAt(path, `v${version}`, 0, SIZE))) ?? 0;
}

async function purge(edge: Edge, body: object): Promise<{ status: number; objects?: number }> {
  const answer = await fetch(`${edge.admin}/purge`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, ...((await answer.json().catch(() => ({}))) as object) };
}

describe('a purge reaches every node', () => {
  // First: what was purged shortly before a restart is purged once more.
  it('one that was away, before it answers anybody', async () => {
    const [a, b] = edges as [Edge, Edge];
    const [path, kept] = [await filmOf(b), await filmOf(b)];
    await b.stop();
    assert.equal((await purge(a, { urls: [path] })).status, 200);
    await b.restart();
    assert.equal(await versionAt(b, path), 2);
    assert.equal(await versionAt(b, kept), 1, 'it has kept the rest');
  });

  for (const [name, body] of [
    ['by URL', (path: string) => ({ urls: [path] })],
    ['by prefix', () => ({ prefix: '/films/' })],
    ['of everything', () => ({ all: true })],
  ] as const) {
    it(name, async () => {
      const [a, b] = edges as [Edge, Edge];
      const [own, other] = [await filmOf(a), await filmOf(b)];
      assert.equal((await purge(a, body(own))).status, 200);
      assert.equal(await versionAt(a, own), 2, 'where it is asked for it is in effect at once');
      if (name === 'by URL') assert.equal(await versionAt(b, other), 1, 'and nothing else is purged');
      assert.equal((await purge(a, body(other))).status, 200);
      await until('the other node to have done it', async () => (await versionAt(b, other)) === 2);
      assert.equal(await versionAt(a, other), 2);
    });
  }

  it('without etcd only the one that is asked, which says so', async () => {
    const [a] = edges as [Edge];
    const path = await filmOf(a);
    await etcd.members[0]!.stop();
    try {
      assert.equal((await purge(a, { urls: [path] })).status, 503);
      assert.equal(await versionAt(a, path), 2);
    } finally {
      etcd.members[0]!.signal('SIGCONT');
    }
  });
});
