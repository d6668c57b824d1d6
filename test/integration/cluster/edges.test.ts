import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EXIT } from '../../../src/app/exit-code.js';
import type { ClusterNode } from '../../../src/cluster/cluster-state.js';
import { clusterSettings } from '../../support/cluster-settings.js';
import { Edge } from '../../support/edge.js';
import { Etcd } from '../../support/etcd.js';
import { freePort, freePorts } from '../../support/ports.js';
import { kill } from '../../support/processes.js';
import { assertSoon } from '../../support/stopwatch.js';
import { until } from '../../support/until.js';
import { moovedge } from '../commands/cli.js';

/** Films of the clips that come with the product. */
const SAMPLES = new URL('../../../src/samples', import.meta.url).pathname;

let folder: string;
let etcd: Etcd;
let edges: Edge[];
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-edges-'));
  etcd = await Etcd.start();
  const ports = await freePorts(3);
  edges = await Promise.all(
    ports.map((port, i) => Edge.start({ origin: SAMPLES, settings: settings(`edge-${i + 1}`, port, etcd.urls) })),
  );
  await until('the first map', async () => {
    const views = await Promise.all(edges.map((_, index) => status(index)));
    return views.every(
      ({ epoch, nodes }) =>
        epoch === views[0]?.epoch && epoch > 0 && nodes.length === 3 && nodes.every(({ owns }) => owns > 0),
    );
  });
});
after(async () => {
  await Promise.all(edges.map(edge => edge.end()));
  await etcd.end();
  rmSync(folder, { recursive: true });
});

function settings(id: string, port: number, endpoints: readonly string[], node = ''): string {
  const named = `, url: 'https://${id}.example.com/'${node}`;
  return clusterSettings({ id, port, endpoints, node: named, more: ', partitions: 64, ramp: 2s, holdDown: 10s' });
}

interface Status {
  readonly epoch: number;
  readonly leader: string;
  readonly nodes: readonly (ClusterNode & { readonly owns: number })[];
}

async function ask<T>(edge: Edge, path: string): Promise<T> {
  return (await fetch(edge.admin + path)).json() as T;
}

function status(index: number): Promise<Status> {
  return ask(edges[index]!, '/cluster');
}

/** What HAProxy is told. */
async function agentWords(index: number): Promise<string> {
  return (await fetch(`${edges[index]!.admin}/health/agent`)).text();
}

async function stateOf(index: number, id: string): Promise<string | undefined> {
  return (await status(index)).nodes.find(node => node.id === id)?.state;
}

describe('edges of a cluster', () => {
  it('tell alike who has a film, and all that belongs to it', async () => {
    const found = await Promise.all(
      edges.flatMap(edge =>
        ['/a.mp4', '/a.mp4?token=x', '/a.mp4/hls.m3u8'].map(path =>
          ask<{ owner: string; replicas: string[]; url: string }>(edge, `/locate?path=${encodeURIComponent(path)}`),
        ),
      ),
    );
    assert.equal(new Set(found.map(({ owner }) => owner)).size, 1);
    const [{ owner, replicas, url } = { owner: '', replicas: [], url: '' }] = found;
    assert.equal(url, `https://${owner}.example.com/a.mp4`);
    assert.deepEqual([owner, ...replicas].sort(), ['edge-1', 'edge-2', 'edge-3']);
  });

  it('are shown and changed by commands', async () => {
    const [edge] = edges;
    const run = async (...args: string[]) => moovedge(['cluster', ...args, '--admin', edge!.admin]);
    const shown = await run('status');
    assert.equal(shown.code, 0, shown.errors);
    assert.match(shown.output, /^map \d+, 64 partitions, leader edge-\d, etcd \S+ reachable\n/);
    assert.match(shown.output, /^edge-1 \* +default +up +1 +2[12] +4[23] +127\.0\.0\.1:\d+$/m);
    assert.match(
      (await run('where', '/a.mp4')).output,
      /^owner +edge-\d\nreplicas +edge-\d, edge-\d\npartition +\d+\nurl /,
    );
    assert.equal((await run('plan')).output, 'nothing to change\n');
    assert.equal((await run('plan', '--apply')).output, 'nothing to change\n');
    const wrong = await run('drain', 'edge-9');
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.errors, /expected the id of a node of the cluster, found "edge-9"/);
    const drained = await run('drain', 'edge-2');
    assert.match(drained.output, /^edge-2 +default +draining/m);
    await until(
      'edge-2 to own nothing',
      async () => (await status(0)).nodes.find(({ id }) => id === 'edge-2')?.owns === 0,
    );
    // Each edge sees the map, and how far a joiner has come, at a time of its own.
    await until('edge-2 to know it', async () => (await agentWords(1)) === 'drain\n');
    assert.equal((await fetch(`${edges[1]!.admin}/healthz`)).status, 503);
    assert.equal((await fetch(`${edges[0]!.admin}/healthz`)).status, 200);
    const { owner, replicas } = await ask<{ owner: string; replicas: string[] }>(edge!, '/locate?path=/a.mp4');
    assert.ok(![owner, ...replicas].includes('edge-2'));
    assert.equal((await edges[1]!.get('/bframes-faststart.mp4')).status, 200, 'it still answers');
    assert.equal((await run('undrain', 'edge-2')).code, 0);
    await until('edge-2 to have come back', async () => {
      const node = (await status(0)).nodes.find(({ id }) => id === 'edge-2');
      return node?.state === 'up' && node.owns > 0 && node.share === 1;
    });
    let words = '';
    await until(
      () => `edge-2 to say '100% ready', found '${words}'`,
      async () => {
        words = await agentWords(1);
        return words === '100% ready\n';
      },
    );
  });

  it('tell their figures', async () => {
    let text = '';
    const told = (line: RegExp) =>
      until(
        () => `${line}, found ${text}`,
        async () => {
          text = await (await fetch(`${edges[0]!.admin}/metrics`)).text();
          return line.test(text);
        },
      );
    await told(/^moovedge_cluster_nodes\{state="up"\} 3$/m);
    await told(/^moovedge_cluster_partitions\{role="owner"\} 2[12]$/m);
    await told(/^moovedge_cluster_partitions\{role="replica"\} 4[23]$/m);
    const { epoch } = await status(0);
    await told(new RegExp(`^moovedge_cluster_map_epoch ${epoch}$`, 'm'));
    await told(/^moovedge_cluster_etcd_reachable 1$/m);
  });

  it('send some viewers to replicas, and count them', async () => {
    const path = '/bframes-faststart.mp4';
    const { owner } = await ask<{ owner: string }>(edges[0]!, `/locate?path=${path}`);
    const edge = edges[Number(owner.slice('edge-'.length)) - 1]!;
    let sent = 0;
    for (let viewer = 0; viewer < 200; viewer++) {
      const headers = { Range: 'bytes=0-99', 'User-Agent': `player ${viewer}` };
      const { headers: fields } = await edge.get(path, headers);
      if (String(fields['cache-status']).includes('peer')) sent++;
    }
    assert.ok(sent > 0 && sent < 100, String(sent));
    await until(`${sent} to be counted`, async () =>
      (await (await fetch(`${edge.admin}/metrics`)).text()).includes(
        `\nmoovedge_cluster_warmup_requests_total ${sent}\n`,
      ),
    );
  });

  it('see a death within 8 s, and give the films away after the hold-down', async () => {
    const { epoch } = await status(0);
    const begun = performance.now();
    for (const pid of edges[2]!.pids) kill(pid);
    await until(
      'it to be seen by all',
      async () => (await stateOf(0, 'edge-3')) === 'away' && (await stateOf(1, 'edge-3')) === 'away',
    );
    assertSoon(performance.now() - begun, 8000, 'the sight of it');
    assert.equal((await status(0)).epoch, epoch);
    await until('a map without it', async () => (await status(0)).epoch > epoch && (await status(1)).epoch > epoch);
    assert.ok(performance.now() - begun > 10_000);
    const shares = (await status(0)).nodes.filter(({ id }) => id !== 'edge-3').map(({ owns }) => owns);
    assert.deepEqual(shares, [32, 32]);
    await edges[2]!.restart();
    await until(
      'it to be back with its share',
      async () => (await status(0)).nodes.find(({ id }) => id === 'edge-3')!.owns > 0,
    );
  });

  it('leave at once when they stop', async () => {
    await edges[2]!.stop();
    const stopped = performance.now();
    await until('it to be away', async () => (await stateOf(0, 'edge-3')) === 'away');
    assertSoon(performance.now() - stopped, 3000, 'the sight of it');
    await edges[2]!.restart();
    await until('it to be back', async () => (await stateOf(0, 'edge-3')) === 'up');
  });
});

it('an edge plays though its etcd is nowhere, and says that it is alone', async () => {
  const [port, nowhere] = [await freePort(), await freePort()];
  const edge = await Edge.start({
    origin: SAMPLES,
    settings: settings('lonely', port, [`http://127.0.0.1:${nowhere}`]),
  });
  try {
    assert.equal((await edge.get('/bframes-faststart.mp4')).status, 200);
    await edge.logged('etcd does not answer');
    await edge.logged('this edge serves alone');
    const { epoch, nodes } = await ask<Status>(edge, '/cluster');
    assert.equal(epoch, 0);
    assert.deepEqual(
      nodes.map(({ id, owns }) => [id, owns]),
      [['lonely', 64]],
    );
    assert.equal((await fetch(`${edge.admin}/healthz`)).status, 200);
    assert.equal((await ask<{ owner: string }>(edge, '/locate?path=/x.mp4')).owner, 'lonely');
    const plan = await fetch(`${edge.admin}/cluster/plan`);
    assert.equal(plan.status, 503);
  } finally {
    await edge.end();
  }
});

it('does not start where another program has the port for peers, and says which', async () => {
  const [port, nowhere] = [await freePort(), await freePort()];
  const other = createServer().listen(port, '127.0.0.1');
  const edge = await Edge.launch({
    origin: SAMPLES,
    settings: settings('late', port, [`http://127.0.0.1:${nowhere}`]),
  });
  try {
    assert.deepEqual(await edge.exited, { code: EXIT.tryAgain, signal: null });
    await edge.logged(new RegExp(`port ${port} is taken by .+ \\(pid ${process.pid}\\): stop it, choose another port`));
  } finally {
    other.close();
    await edge.end();
  }
});

it('a reload changes the weight of a node, and nothing that would make it another', async () => {
  const own = await Etcd.start();
  const port = await freePort();
  const edge = await Edge.start({ origin: SAMPLES, settings: settings('one', port, own.urls) });
  const alone = await Edge.start({ origin: SAMPLES });
  try {
    edge.configure(settings('one', port, own.urls, ', weight: 3'));
    edge.signal('SIGHUP');
    await until('the weight to be known', async () => {
      const { epoch, nodes } = await ask<Status>(edge, '/cluster');
      return epoch > 0 && nodes[0]?.weight === 3;
    });
    edge.configure(settings('two', port, own.urls));
    edge.signal('SIGHUP');
    await edge.logged("can't be changed by a reload");
    assert.equal((await ask<{ self: string }>(edge, '/cluster')).self, 'one');
    alone.configure(settings('three', await freePort(), own.urls));
    alone.signal('SIGHUP');
    await alone.logged("cluster can't be changed by a reload");
    assert.equal((await fetch(`${alone.admin}/cluster`)).status, 404);
  } finally {
    await edge.end();
    await alone.end();
    await own.end();
  }
});
