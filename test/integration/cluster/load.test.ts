import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TestCluster, type TestEdge, type TestEdgeOptions } from '../../support/cluster-edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

const origin = await FaultOrigin.start();
after(() => origin.close());

const SIZE = 20_000;
const FILMS = 60;
/** Share of the requests that are for one film. */
const CROWD = 0.6;
/** Films are small here: what edges send counts as so much more. */
const SCALE = 1000;
/** Times that are short enough for a test. */
const PACE = { window: 1500, interval: 100 };

/** Films by Zipf's law with the exponent 1: the n-th is asked for 1/n as often as the first. */
const WEIGHTS = Array.from({ length: FILMS }, (_, at) => 1 / (at + 1));
const TOTAL = WEIGHTS.reduce((sum, weight) => sum + weight, 0);
let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
function filmOf(set: string): string {
  if (random() < CROWD) return `/${set}/crowd.mp4`;
  let left = random() * TOTAL;
  const at = WEIGHTS.findIndex(weight => {
    left -= weight;
    return left <= 0;
  });
  return `/${set}/${at}.mp4`;
}

async function start(set: string, options: TestEdgeOptions): Promise<TestCluster> {
  for (const name of ['crowd', ...WEIGHTS.keys()]) origin.put(`/${set}/${name}.mp4`, { size: SIZE });
  return TestCluster.start(3, origin.url, { pace: PACE, sentScale: SCALE, ...options });
}

/** So many viewers, each of whom asks one of the edges for a film; the bytes that each edge has sent for them. */
async function watch(cluster: TestCluster, set: string, viewers: number): Promise<number[]> {
  const before = cluster.edges.map(edge => edge.sent);
  let begun = 0;
  const next = async (): Promise<void> => {
    while (begun < viewers) {
      const edge = cluster.edges[begun++ % 3]!;
      const { status, body } = await edge.get(filmOf(set), { 'User-Agent': `player ${random()}` });
      assert.equal(status, 200);
      assert.equal(body.length, SIZE);
    }
  };
  await Promise.all(Array.from({ length: 8 }, next));
  return cluster.edges.map((edge, at) => edge.sent - before[at]!);
}

const unevenness = (sent: readonly number[]) =>
  (Math.max(...sent) * sent.length) / sent.reduce((sum, one) => sum + one, 0);

test('a flash crowd on one film is shared by all edges', async () => {
  const cluster = await start('shared', {});
  // Until all know that the film is hot, and have copies of it.
  const knows = (edge: TestEdge) => edge.loader.stats.filledBytes >= 2 * SIZE;
  await until('the crowd to be spread', async () => {
    const sent = await watch(cluster, 'shared', 600);
    return cluster.edges.every(knows) && unevenness(sent) < 1.25;
  });
  // And it stays so.
  const sent = await watch(cluster, 'shared', 2000);
  assert.ok(unevenness(sent) <= 1.25, `${unevenness(sent)}: ${sent}`);
});

test('control: where no film is found to be hot, and no edge is relieved, its owner has too much of it', async () => {
  const cluster = await start('owned', { pace: { ...PACE, window: 1e9 }, overload: 100 });
  await watch(cluster, 'owned', 300);
  const sent = await watch(cluster, 'owned', 1500);
  assert.ok(unevenness(sent) > 1.25, `${unevenness(sent)}: ${sent}`);
});

test('bounded load: what goes beyond an edge’s bound goes to others, where no film is found to be hot', async () => {
  const cluster = await start('bounded', { pace: { ...PACE, window: 1e9 }, overload: 1.1 });
  const overflows = () => cluster.edges.reduce((sum, { routing }) => sum + routing.stats.overflows, 0);
  // Until edges know one another's load as it is with some of it sent elsewhere.
  await until('some to overflow', async () => {
    const sent = await watch(cluster, 'bounded', 600);
    return overflows() > 0 && unevenness(sent) < 1.25;
  });
  // And it stays so.
  const sent = await watch(cluster, 'bounded', 1500);
  assert.ok(unevenness(sent) <= 1.25, `${unevenness(sent)}: ${sent}`);
});
