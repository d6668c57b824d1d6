import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import type { CachedObjects } from '../../../src/admin/object-list.js';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

const BLOCKS = 3;
const SIZE = BLOCKS * BLOCK_SIZE - 1000;
const QUOTA = 8;

describe('an origin with a quota', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  /** @param policy of both tiers */
  const start = async (policy: string) => {
    const place = (name: string) => `{name: ${name}, url: "${origin.url}", path: /${name}/, stripPath: false`;
    edge = await Edge.start({
      origin: `[${place('a')}, quota: ${(QUOTA * BLOCK_SIZE) / 2 ** 20}MiB}, ${place('b')}}]`,
      settings: `cache: {memory: {size: 64MiB, file: $FOLDER/cache${policy === 'lru' ? ', policy: lru' : ''}},
        disk: {path: $FOLDER/disk, size: 256MiB${policy === 'lru' ? ', admit: views, minHits: 0' : ''}}}`,
    });
  };
  before(async () => {
    origin = await FaultOrigin.start();
    const put = (path: string, size = SIZE) => origin.put(path, { size, headers: { 'Cache-Control': 'max-age=3600' } });
    for (let i = 0; i < 20; i++) for (const of of ['a', 'b']) put(`/${of}/${i}.mp4`);
    put('/b/long.mp4', 70 * 2 ** 20);
  });
  afterEach(() => edge.end());
  after(() => origin.close());

  const get = async (path: string) => {
    const { status, body } = await edge.get(path);
    assert.deepEqual([status, firstWrong(body, path, 'v1', 0)], [200, -1], path);
  };
  /** Blocks by tier, and of how many films something is there. */
  const cached = async (prefix: string) => {
    const body = JSON.stringify({ prefix });
    const headers = { 'Content-Type': 'application/json' };
    const { objects } = (await (
      await fetch(`${edge.admin}/ls`, { method: 'POST', headers, body })
    ).json()) as CachedObjects;
    const sum = (tier: 'memory' | 'disk') => objects.reduce((all, { blocks }) => all + blocks[tier], 0);
    return { memory: sum('memory'), disk: sum('disk'), blocks: sum('memory') + sum('disk'), objects };
  };
  type Usage = Readonly<Record<'quota' | 'bytes' | 'dropped', number>>;
  type Stats = { readonly services: { readonly quotas?: Readonly<Record<string, Usage>> } };
  const usage = async () => ((await edge.stats()) as unknown as Stats).services.quotas!.a!;
  const within = () =>
    until('an origin within its quota', async () => {
      const used = await usage();
      return used.dropped > 0 && used.bytes <= used.quota && (await cached('/a/')).blocks <= QUOTA;
    });

  it('keeps what is watched, loses the rest, and takes nothing from others', async () => {
    await start('demand');
    for (let i = 0; i < 4; i++) await get(`/b/${i}.mp4`);
    for (let i = 0; i < 8; i++) {
      await get(`/a/${i}.mp4`);
      for (let again = 0; again < 3; again++) await get('/a/0.mp4');
    }
    assert.equal((await usage()).quota, QUOTA * BLOCK_SIZE);
    await within();
    const films = await cached('/a/');
    assert.equal(
      films.objects.find(({ path }) => path === '/a/0.mp4')?.blocks.memory,
      BLOCKS,
      'the one that is watched',
    );
    assert.ok(films.blocks > QUOTA / 2, 'no more goes than must');
    assert.equal((await cached('/b/')).memory, 4 * BLOCKS);
    for (let i = 0; i < 8; i++) await get(`/a/${i}.mp4`);

    // A reload without the quota.
    const file = `${edge.folder}/edge.yaml`;
    writeFileSync(file, readFileSync(file, 'utf8').replace(/, quota: \w+/, ''));
    const answer = await fetch(`${edge.admin}/reload`, { method: 'POST' });
    assert.deepEqual(await answer.json(), { mistakes: [] });
    assert.equal(((await edge.stats()) as unknown as Stats).services.quotas, undefined);
  });

  it('is held to it on disk, too', async () => {
    await start('lru');
    for (let i = 0; i < 2; i++) await get(`/a/${i}.mp4`);
    await get('/b/long.mp4');
    await until('films on disk', async () => (await cached('/a/')).disk > 0);
    for (let i = 2; i < 8; i++) await get(`/a/${i}.mp4`);
    await within();
    const { disk } = await cached('/a/');
    assert.ok(disk <= QUOTA, `${disk} blocks`);
    for (let i = 0; i < 8; i++) await get(`/a/${i}.mp4`);
  });
});
