import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Explanation } from '../../../src/admin/explanation.js';
import type { CachedObjects } from '../../../src/admin/object-list.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const SIZE = 600_000;
const PATHS = ['/a/1.mp4', '/a/2.mp4', '/b/1.mp4'];
const HEADERS = { 'Cache-Control': 'max-age=3600' };

describe('purge', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  let version = 0;
  before(async () => {
    origin = await FaultOrigin.start();
    const settings = 'routes: [{path: /b/, freshness: {max: 60s}, query: {key: [v]}}]';
    edge = await Edge.start({ origin: origin.url, workers: 2, settings });
  });
  after(async () => {
    await edge.end();
    await origin.close();
  });
  beforeEach(async () => {
    version++;
    for (const path of PATHS) origin.put(path, { size: SIZE, version: `v${version}`, headers: HEADERS });
    await purge({ all: true });
    for (const path of PATHS) assert.equal(await versionAt(path), version);
    for (const path of PATHS) origin.put(path, { size: SIZE, version: `v${version + 1}`, headers: HEADERS });
  });

  async function purge(body: object): Promise<{ objects: number; more: boolean }> {
    const response = await fetch(`${edge.admin}/purge`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200);
    return (await response.json()) as { objects: number; more: boolean };
  }

  async function refused(body: object): Promise<string> {
    const response = await fetch(`${edge.admin}/purge`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(response.status, 400);
    return response.text();
  }

  /** The version that every worker gives of a file; they share the port, so several connections reach all of them. */
  async function versionAt(path: string): Promise<number> {
    const seen = new Set<number>();
    for (let i = 0; i < 12; i++) {
      const { status, body } = await edge.get(path);
      assert.equal(status, 200);
      const found = [version, version + 1].find(each => firstWrong(body, path, `v${each}`, 0) === -1);
      assert.ok(found !== undefined, 'the bytes are of one version');
      seen.add(found);
    }
    assert.equal(seen.size, 1, 'all workers give the same version');
    return [...seen][0]!;
  }

  /** Which of the files are new. */
  const renewed = async () => {
    const fresh: string[] = [];
    for (const path of PATHS) if ((await versionAt(path)) === version + 1) fresh.push(path);
    return fresh;
  };

  it('by glob: a star stays within a segment, two go on', async () => {
    assert.deepEqual(await purge({ glob: '/*/1.mp4' }), { objects: 2, more: false });
    assert.deepEqual(await renewed(), ['/a/1.mp4', '/b/1.mp4']);
    assert.deepEqual(await purge({ glob: '/*.mp4' }), { objects: 0, more: false });
    assert.deepEqual(await purge({ glob: '/a/?.mp4' }), { objects: 2, more: false });
    assert.deepEqual(
      await purge({ glob: '/**' }),
      { objects: 1, more: false },
      'what is purged already does not count',
    );
    assert.deepEqual(await renewed(), PATHS);
  });

  it('by regular expression, in time that no expression makes long', async () => {
    assert.deepEqual(await purge({ regex: '^/a/[2-9]' }), { objects: 1, more: false });
    assert.deepEqual(await renewed(), ['/a/2.mp4']);
    const begun = performance.now();
    assert.deepEqual(await purge({ regex: '^(([a-z/])+.)+[A-Z]([a-z/])+$' }), { objects: 0, more: false });
    assert.ok(performance.now() - begun < 60_000);
    assert.match(await refused({ regex: '(?<=a)b' }), /expected a regular expression of RE2/);
    assert.match(await refused({ regex: 'a'.repeat(1001) }), /1 to 1000 characters/);
    assert.match(await refused({ glob: 'films/*' }), /a path or a URL/);
    assert.match(await refused({ tags: ['with blank '] }), /a list of 1 to 1000 tags/);
    assert.deepEqual(await renewed(), ['/a/2.mp4']);
  });

  it('is preceded by a list of what is cached', async () => {
    const response = await fetch(`${edge.admin}/ls`, { method: 'POST', body: JSON.stringify({ prefix: '/a/' }) });
    const { objects, more } = (await response.json()) as CachedObjects;
    assert.equal(more, false);
    assert.deepEqual(
      objects.map(({ path, origin: name, size, freshness, tags }) => [path, name, size, freshness, tags]),
      PATHS.slice(0, 2).map(path => [path, 'main', SIZE, 'fresh', []]),
    );
    assert.deepEqual(objects[0]!.blocks, { memory: 3, disk: 0, origin: 0 });
    await purge({ urls: ['/a/1.mp4'] });
    const after = await fetch(`${edge.admin}/ls`, { method: 'POST', body: JSON.stringify({ limit: 1 }) });
    const rest = (await after.json()) as CachedObjects;
    assert.deepEqual([rest.objects.map(({ path }) => path), rest.more], [['/a/2.mp4'], true]);
  });

  it('can be seen beforehand: what is stored of a URL, how fresh it is, and where its blocks are', async () => {
    const why = async (url: string) => {
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(`${edge.admin}/why`, { method: 'POST', headers, body: JSON.stringify({ url }) });
      return [response.status, response.ok ? await response.json() : undefined] as const;
    };
    const [status, { routes, objects }] = (await why('/a/1.mp4/hls.m3u8')) as [number, Explanation];
    assert.deepEqual([status, routes, objects.length], [200, [], 1]);
    const { path, key, stored, freshness, lifetime, size, blocks } = objects[0]!;
    assert.deepEqual([path, stored, freshness, lifetime, size], ['/a/1.mp4', 'yes', 'fresh', 3600, SIZE]);
    assert.ok(key?.endsWith('/a/1.mp4'));
    const count = Math.ceil(SIZE / 2 ** 18);
    assert.deepEqual(blocks, { memory: count, disk: 0, origin: 0, runs: [['memory', count]] });
    const [, routed] = (await why('/b/1.mp4?u=1')) as [number, Explanation];
    assert.deepEqual(routed.routes, ['1: */b/']);
    assert.equal(routed.objects[0]?.lifetime, 60, 'of the 3600 that the origin says');
    assert.equal(routed.objects[0]?.asked, '/b/1.mp4', 'v alone tells files apart');
    await purge({ urls: ['/a/1.mp4'], soft: true });
    const [, soft] = (await why('/a/1.mp4')) as [number, Explanation];
    assert.equal(soft.objects[0]?.freshness, 'stale');
    const [, unknown] = (await why('/not/known.mp4')) as [number, Explanation];
    assert.equal(unknown.objects[0]?.stored, 'no');
    assert.equal((await why('no path'))[0], 400);
  });

  it('by URL takes effect in every worker before it answers, and on nothing else', async () => {
    const known = await purge({ urls: ['/a/1.mp4', '/not/known.mp4'] });
    assert.deepEqual(known, { objects: 1, more: false });
    assert.equal((await purge({ urls: ['/a/1.mp4'] })).objects, 0);
    assert.equal(await versionAt('/a/1.mp4'), version + 1);
    assert.equal(await versionAt('/a/2.mp4'), version);
    assert.equal(await versionAt('/b/1.mp4'), version);
  });

  it('of what a URL is a view of', async () => {
    await purge({ urls: ['/a/1.mp4?start=3&end=5'] });
    assert.equal(await versionAt('/a/1.mp4'), version + 1);
    assert.equal(await versionAt('/a/2.mp4'), version);
  });

  it('by prefix', async () => {
    assert.deepEqual(await purge({ prefix: '/a/' }), { objects: 2, more: false });
    assert.deepEqual(await purge({ prefix: '/a/' }), { objects: 0, more: false }, 'they were purged before');
    assert.equal(await versionAt('/a/1.mp4'), version + 1);
    assert.equal(await versionAt('/a/2.mp4'), version + 1);
    assert.equal(await versionAt('/b/1.mp4'), version);
  });

  it('of everything', async () => {
    assert.deepEqual(await purge({ all: true }), { objects: 3, more: false });
    assert.deepEqual(await purge({ all: true }), { objects: 0, more: false });
    for (const path of PATHS) assert.equal(await versionAt(path), version + 1);
  });

  it('softly: the next request asks whether the file has changed', async () => {
    for (const path of PATHS) origin.put(path, { size: SIZE, version: `v${version}`, headers: HEADERS });
    const before = origin.bytesSent('/a/1.mp4');
    await purge({ urls: ['/a/1.mp4'], soft: true });
    const asked = origin.requests.length;
    assert.equal(await versionAt('/a/1.mp4'), version);
    assert.equal(origin.requests.length, asked + 1, 'one conditional request for all workers');
    assert.equal(origin.bytesSent('/a/1.mp4'), before, 'no byte is fetched again');
  });

  it('takes cut files with it, though the validator is the same', async () => {
    const put = (path: string, clip: string) =>
      origin.put(path, { bytes: readFileSync(join(SAMPLES, clip)), etag: '"same"', headers: HEADERS });
    const cut = async (path: string) => (await edge.get(`${path}?start=2`)).body;
    put('/cut.mp4', 'bframes-faststart.mp4');
    const before = await cut('/cut.mp4');
    put('/cut.mp4', 'long-gop.mp4');
    put('/oracle.mp4', 'long-gop.mp4');
    for (let i = 0; i < 6; i++) assert.ok(before.equals(await cut('/cut.mp4')), 'it is cached');
    await purge({ urls: ['/cut.mp4'] });
    const after = await cut('/oracle.mp4');
    assert.ok(!after.equals(before));
    for (let i = 0; i < 6; i++) assert.ok(after.equals(await cut('/cut.mp4')), 'every worker cuts the new file');
  });

  it('outlives a restart', async () => {
    await purge({ urls: ['/a/1.mp4'] });
    await edge.stop();
    await edge.restart();
    assert.equal(await versionAt('/a/1.mp4'), version + 1);
    assert.equal(await versionAt('/a/2.mp4'), version);
  });

  it('is refused with a reason when it asks for nothing', async () => {
    const response = await fetch(`${edge.admin}/purge`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /exactly one of urls, prefix, tags, glob, regex and all/);
  });

  it('by tag of the origin, however often, and bytes are new though their validator is not', async () => {
    const tagged = { ...HEADERS, 'Cache-Tag': 'films, a-side', ETag: '"same"' };
    for (const path of PATHS.slice(0, 2)) origin.put(path, { size: SIZE, version: `v${version}`, headers: tagged });
    const keyed = { ...HEADERS, 'Surrogate-Key': 'films b-side' };
    origin.put('/b/1.mp4', { size: SIZE, version: `v${version}`, headers: keyed });
    await purge({ all: true });
    for (const path of PATHS) assert.equal(await versionAt(path), version);
    for (const path of PATHS.slice(0, 2)) origin.put(path, { size: SIZE, version: `v${version + 1}`, headers: tagged });
    origin.put('/b/1.mp4', { size: SIZE, version: `v${version + 1}`, headers: keyed });
    assert.deepEqual(await purge({ tags: ['film', 'Films'] }), { objects: 0, more: false });
    assert.deepEqual(await renewed(), []);
    assert.deepEqual(await purge({ tags: ['none', 'b-side'] }), { objects: 1, more: false });
    assert.deepEqual(await renewed(), ['/b/1.mp4']);
    for (let i = 0; i < 20; i++) await purge({ tags: [`other-${i}`] });
    assert.deepEqual(await purge({ tags: ['films'] }), { objects: 3, more: false });
    assert.deepEqual(await renewed(), PATHS);
    assert.deepEqual(await purge({ tags: ['films'], soft: true }), { objects: 3, more: false });
  });
});
