import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FlvReader } from '../../../../src/live/relay/flv-reader.js';
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
const EDGES = 5;
const ports = await freePorts(2 * EDGES);
const edges = await Promise.all(
  Array.from({ length: EDGES }, (_, at) =>
    Edge.start({
      origin: SAMPLES,
      settings:
        clusterSettings({ id: `edge-${at + 1}`, port: ports[at]!, endpoints: etcd.urls }) +
        LiveEdge.settings(ports[EDGES + at]!, 'grace: 60s, links: 2, hls: {segment: 1s}'),
    }),
  ),
);
const programs: Program[] = [];
after(async () => {
  for (const { child } of programs) child.kill('SIGKILL');
  for (const edge of edges) await edge.end();
});

function publishAt(at: number, name = NAME): Program {
  const url = `rtmp://127.0.0.1:${ports[EDGES + at]}/${name}`;
  const program = new Program('ffmpeg', ffmpegPublishing({ url, duration: 200 }));
  programs.push(program);
  return program;
}

class TestViewer {
  bytes = 0;
  ended = false;
  response!: IncomingMessage;
  /** Frames that have come, as type and timestamp. */
  readonly frames: string[] = [];

  static async watch(edge: Edge, name = NAME): Promise<TestViewer> {
    const viewer = new TestViewer();
    viewer.response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${edge.url}/live/${name}.flv`, { agent: false }, resolve).once('error', reject);
    });
    const reader = new FlvReader((type, timestamp, body) => {
      if (type !== 18 && body[1] !== 0) viewer.frames.push(`${type} ${timestamp}`);
    });
    viewer.response.on('data', (chunk: Buffer) => {
      viewer.bytes += chunk.length;
      if (viewer.response.statusCode === 200) reader.push(chunk);
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
/** What an edge tells of a stream. */
const streamAt = async (edge: Edge, name = NAME) => {
  const { services } = await edge.stats();
  const { live = [] } = services as { live?: readonly TestStream[] };
  return live.find(stream => stream.name === name);
};
interface TestStream {
  readonly name: string;
  readonly state: string;
  readonly level?: number;
  readonly from?: string;
  readonly viewers: { readonly http: number };
}
/** Segments of the pictures that an edge lists, and numbers of their discontinuities. */
const segmentsAt = async (edge: Edge, name = NAME) => {
  const text = await (await fetch(`${edge.url}/live/${name}/hls/v1.m3u8`)).text();
  let discontinuity = Number(/#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)/.exec(text)?.[1] ?? 0);
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '#EXT-X-DISCONTINUITY') discontinuity++;
    else if (line !== '' && !line.startsWith('#')) found.set(line, discontinuity);
  }
  return found;
};
/** A segment with its validator. */
const bytesAt = async (edge: Edge, segment: string, name = NAME) => {
  const answer = await fetch(new URL(segment, `${edge.url}/live/${name}/hls/v1.m3u8`));
  return Buffer.concat([Buffer.from(`${answer.headers.get('etag')} `), Buffer.from(await answer.arrayBuffer())]);
};
/** Newest segments that all edges list; they must be the same files everywhere. */
const sharedSegments = async (all: readonly Edge[], name = NAME) => {
  const lists = await Promise.all(all.map(edge => segmentsAt(edge, name)));
  const shared = [...lists[0]!].filter(([segment]) => lists.every(list => list.has(segment)));
  for (const [segment, discontinuity] of shared.slice(-4)) {
    const bodies = await Promise.all(all.map(edge => bytesAt(edge, segment, name)));
    assert.ok(
      bodies.every(body => body.equals(bodies[0]!) && body.length > 1000),
      `${segment} is the same file everywhere`,
    );
    assert.ok(
      lists.every(list => list.get(segment) === discontinuity),
      'and of the same publisher',
    );
  }
  return shared;
};
const metricOf = async (edge: Edge, line: RegExp) => {
  const text = await (await fetch(`${edge.admin}/metrics`)).text();
  return Number(line.exec(text)?.[1] ?? 0);
};
const LINKS = /^moovedge_live_links (\d+)$/m;

/** Edges that live yet, but for the first. */
let others = edges.slice(1);

test('a stream that more edges want than one may send it to comes over two links, from edge to edge', async () => {
  const name = 'studio/hot';
  const [first] = edges as [Edge];
  await until('a cluster', async () => {
    const { nodes } = (await (await fetch(`${edges.at(-1)!.admin}/cluster`)).json()) as { nodes: { state: string }[] };
    return nodes.filter(({ state }) => state === 'up').length === EDGES;
  });
  const publisher = publishAt(0, name);
  await until('the stream', async () => (await statusOf(`${first.url}/live/${name}/hls.m3u8`)) === 200);
  const viewers = await Promise.all(others.map(edge => TestViewer.watch(edge, name)));
  assert.ok(viewers.every(({ response }) => response.statusCode === 200));
  await until('frames', () => viewers.every(({ frames }) => frames.length > 100));
  const told = await until('what edges tell', async () => {
    const streams = await Promise.all(others.map(edge => streamAt(edge, name)));
    return streams.every(stream => stream?.state === 'pulled') && streams.map(stream => stream!);
  });
  assert.deepEqual(told.map(({ level }) => level).toSorted(), [1, 1, 2, 2]);
  const idOf = (at: number) => `edge-${at + 2}`;
  const parents = told.flatMap(({ level, from }, at) => {
    if (level === 1) assert.equal(from, 'edge-1');
    return level === 1 ? [idOf(at)] : [];
  });
  assert.ok(told.every(({ level, from }) => level === 1 || parents.includes(from!)));
  const links = await Promise.all(edges.map(edge => metricOf(edge, LINKS)));
  assert.equal(links[0], 2, 'no more than it may');
  assert.ok(links.every(count => count <= 2) && links.reduce((sum, count) => sum + count) === 4, links.join(' '));
  assert.ok((await metricOf(first, /^moovedge_live_link_requests_total\{outcome="sentOn"\} (\d+)$/m)) >= 2);
  await until('segments that are the same everywhere', async () => (await sharedSegments(edges, name)).length >= 2);
  // An edge in between dies: whoever had it from there has it from elsewhere, without a frame twice or out of order.
  const dead = parents.find(id => told.some(({ from }) => from === id))!;
  const children = told.flatMap(({ from }, at) => (from === dead ? [at] : []));
  const victim = others[Number(dead.slice(5)) - 2]!;
  const before = viewers.map(({ frames }) => frames.length);
  await victim.killAll();
  await until('frames from elsewhere', () => children.every(at => viewers[at]!.frames.length > before[at]! + 200));
  for (const at of children) {
    const { frames, ended } = viewers[at]!;
    assert.ok(!ended);
    assert.equal(new Set(frames).size, frames.length);
    for (const type of ['8', '9']) {
      const times = frames.flatMap(frame => (frame.startsWith(type) ? [Number(frame.slice(2))] : []));
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    }
  }
  others = others.filter(edge => edge !== victim);
  await until('segments that are the same everywhere', async () => {
    return (await sharedSegments([first, ...others], name)).length >= 2;
  });
  publisher.child.kill('SIGKILL');
  for (const { response } of viewers) response.destroy();
});

test('a stream is watched at every edge of a cluster, by one link for each, and its viewers outlive its edge', async () => {
  const [first] = edges as [Edge];
  const [second, third] = others as [Edge, Edge];
  const publisher = publishAt(0);
  await until('the stream', async () => (await statusOf(`${first.url}/live/${NAME}/hls.m3u8`)) === 200);
  const viewers = await Promise.all([second, second, third].map(edge => TestViewer.watch(edge)));
  assert.deepEqual(
    viewers.map(({ response }) => response.statusCode),
    [200, 200, 200],
  );
  await until('bytes', () => viewers.every(({ bytes }) => bytes > 50_000));
  await until('both links', async () => ((await streamAt(first))?.viewers.http ?? 0) > 1);
  assert.equal((await streamAt(first))?.viewers.http, 2, 'one link for each edge');
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
  const next = publishAt(edges.indexOf(second));
  await until('the end of the first', () => publisher.child.exitCode !== null);
  await until(
    'the stream there',
    async () => (await streamAt(second))?.state === 'publishing' && (await streamAt(first))?.state === 'pulled',
  );
  const then = viewers.map(({ bytes }) => bytes);
  await until('bytes of the other publisher', () => viewers.every(({ bytes }, at) => bytes > then[at]! + 50_000));
  assert.ok(viewers.every(({ ended }) => !ended));
  await until('segments of both that are the same everywhere', async () => {
    const shared = await sharedSegments([first, second, third]);
    return shared.filter(([, number]) => number > 0).length >= 2;
  });
  // Its edge dies, and its publisher goes to another one: those who watch at a third wait, and go on.
  next.child.kill('SIGKILL');
  await second.killAll();
  publishAt(0);
  await until('the stream elsewhere', async () => (await streamAt(first))?.state === 'publishing');
  const before = viewers[2]!.bytes;
  await until('bytes of the other edge', () => viewers[2]!.bytes > before + 100_000);
  assert.ok(!viewers[2]!.ended && !here.ended);
  for (const { response } of viewers) response.destroy();
});
