import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trafficOf } from '../../../src/admin/cluster-traffic.js';

const peer = (isWell: boolean, answered: number) => {
  return { isWell, requests: { answered, refused: 1, failed: 2 }, sentBytes: 10, receivedBytes: 20 };
};
const counts = { hops: 3, fallbacks: 1, redirects: 0, warmUps: 2, overflows: 0, loops: 0 };

test('what the workers of an edge tell of the cluster is added up; one that tells nothing is passed over', () => {
  const workers = [
    { stats: { cluster: { ...counts, peers: { b: peer(true, 5), c: peer(true, 1) } } } },
    { stats: undefined },
    { stats: {} },
    { stats: { cluster: { ...counts, peers: { b: peer(false, 7) } } } },
  ];
  const both = { answered: 12, refused: 2, failed: 4, sentBytes: 20, receivedBytes: 40 };
  const { requests, ...rest } = peer(true, 1);
  assert.deepEqual(trafficOf({ workers }), {
    ...{ hops: 6, fallbacks: 2, redirects: 0, warmUps: 4, overflows: 0, loops: 0 },
    peers: { b: { isWell: false, ...both }, c: { ...rest, ...requests } },
  });
  assert.deepEqual(trafficOf({}).peers, {});
});
