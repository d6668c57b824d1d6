import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { clusterSettings } from '../../../support/cluster-settings.js';
import { Edge } from '../../../support/edge.js';
import { Etcd } from '../../../support/etcd.js';
import { LiveEdge } from '../../../support/live-edge.js';
import { freePorts } from '../../../support/ports.js';
import { ffmpegPublishing, Program } from '../../../support/rtmp-programs.js';
import { until } from '../../../support/until.js';

/* Live streams in a cluster: published to one edge, watched at all. */

const SAMPLES = fileURLToPath(new URL('../../../../src/samples', import.meta.url));
const NAME = 'studio/main';
const etcd = await Etcd.start();
after(() => etcd.end());
const ports = await freePorts(6);
const edges = await Promise.all(
  [0, 1, 2].map(at =>
    Edge.start({
      origin: SAMPLES,
      settings:
        clusterSettings({ id: `edge-${at + 1}`, port: ports[at]!, endpoints: etcd.urls }) +
        LiveEdge.settings(ports[3 + at]!, 'grace: 60s'),
    }),
  ),
);
const programs: Program[] = [];
after(async () => {
  for (const { child } of programs) child.kill('SIGKILL');
  for (const edge of edges) await edge.end();
});

function publishAt(at: number): Program {
  const program = new Program(
    'ffmpeg',
    ffmpegPublishing({ url: `rtmp://127.0.0.1:${ports[3 + at]}/${NAME}`, duration: 200 }),
  );
  programs.push(program);
  return program;
}

class TestViewer {
  bytes = 0;
  ended = false;
  response!: IncomingMessage;

  static async watch(edge: Edge): Promise<TestViewer> {
    const viewer = new TestViewer();
    viewer.response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${edge.url}/live/${NAME}.flv`, { agent: false }, resolve).once('error', reject);
    });
    viewer.response.on('data', (chunk: Buffer) => {
      viewer.bytes += chunk.length;
    });
    viewer.response.on('error', () => {});
    viewer.response.once('close', () => {
      viewer.ended = true;
    });
    return viewer;
  }
}

const statusOf = async (url: string) => {
  const answer = await fetch(url);
  await answer.body?.cancel();
  return answer.status;
};
/** How the stream stands at an edge, when it is published there. */
const stateAt = async (edge: Edge) => {
  const { services } = await edge.stats();
  return (services as { live?: readonly { name: string; state: string }[] }).live?.find(({ name }) => name === NAME)
    ?.state;
};
/** Segments of the pictures that an edge lists, and numbers of their discontinuities. */
const segmentsAt = async (edge: Edge) => {
  const text = await (await fetch(`${edge.url}/live/${NAME}/hls/v1.m3u8`)).text();
  let discontinuity = Number(/#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)/.exec(text)?.[1] ?? 0);
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '#EXT-X-DISCONTINUITY') discontinuity++;
    else if (line !== '' && !line.startsWith('#')) found.set(line, discontinuity);
  }
  return found;
};
/** A segment with its validator. */
const bytesAt = async (edge: Edge, name: string) => {
  const answer = await fetch(new URL(name, `${edge.url}/live/${NAME}/hls/v1.m3u8`));
  return Buffer.concat([Buffer.from(`${answer.headers.get('etag')} `), Buffer.from(await answer.arrayBuffer())]);
};
const viewersAt = async (edge: Edge) => {
  const text = await (await fetch(`${edge.admin}/metrics`)).text();
  return Number(/^moovedge_live_viewers\{.*protocol="http".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
};

test('a stream is watched at every edge of a cluster, by one link for each, and its viewers outlive its edge', async () => {
  const [first, second, third] = edges as [Edge, Edge, Edge];
  await until('a cluster of three', async () => {
    const { nodes } = (await (await fetch(`${third.admin}/cluster`)).json()) as { nodes: { state: string }[] };
    return nodes.filter(({ state }) => state === 'up').length === 3;
  });
  const publisher = publishAt(0);
  await until('the stream', async () => (await statusOf(`${first.url}/live/${NAME}/hls.m3u8`)) === 200);
  const viewers = await Promise.all([second, second, third].map(edge => TestViewer.watch(edge)));
  assert.deepEqual(
    viewers.map(({ response }) => response.statusCode),
    [200, 200, 200],
  );
  await until('bytes', () => viewers.every(({ bytes }) => bytes > 50_000));
  assert.equal(await viewersAt(first), 2, 'one link for each edge');
  assert.equal(await statusOf(`${second.url}/live/${NAME}/hls.m3u8`), 200);
  assert.equal(await statusOf(`${third.url}/live/studio/none.flv`), 404);
  assert.equal(
    await statusOf(`http://127.0.0.1:${ports[0]}/live/${NAME}.flv`),
    403,
    'edges ask only by their signature',
  );
  // Somebody else who may publishes it to another edge: the first publisher is sent away, and everybody watches on.
  const here = await TestViewer.watch(first);
  viewers.push(here);
  const next = publishAt(1);
  await until('the end of the first', () => publisher.child.exitCode !== null);
  await until(
    'the stream there',
    async () => (await stateAt(second)) === 'publishing' && (await stateAt(first)) === undefined,
  );
  const then = viewers.map(({ bytes }) => bytes);
  await until('bytes of the other publisher', () => viewers.every(({ bytes }, at) => bytes > then[at]! + 50_000));
  assert.ok(viewers.every(({ ended }) => !ended));
  await until('segments of both that are the same everywhere', async () => {
    const lists = await Promise.all(edges.map(segmentsAt));
    const shared = [...lists[0]!].filter(([name]) => lists.every(list => list.has(name)));
    if (shared.filter(([, number]) => number > 0).length < 2) return false;
    for (const [name, discontinuity] of shared.slice(-4)) {
      const bodies = await Promise.all(edges.map(edge => bytesAt(edge, name)));
      assert.ok(
        bodies.every(body => body.equals(bodies[0]!) && body.length > 1000),
        `${name} is the same file everywhere`,
      );
      assert.ok(
        lists.every(list => list.get(name) === discontinuity),
        'and of the same publisher',
      );
    }
    return true;
  });
  // Its edge dies, and its publisher goes to another one: those who watch at a third wait, and go on.
  next.child.kill('SIGKILL');
  await second.killAll();
  publishAt(0);
  await until('the stream elsewhere', async () => (await stateAt(first)) === 'publishing');
  const before = viewers[2]!.bytes;
  await until('bytes of the other edge', () => viewers[2]!.bytes > before + 100_000);
  assert.ok(!viewers[2]!.ended && !here.ended);
  for (const { response } of viewers) response.destroy();
});
