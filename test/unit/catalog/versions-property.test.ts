import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import type { BlockReader } from '../../../src/cache/read/block-reader.js';
import { hasValidator } from '../../../src/origin/fields.js';
import { CatalogBench, type Worker } from '../../support/catalog-bench.js';
import { contentAt } from '../../support/content.js';
import { FakeOrigin } from '../../support/fake-origin.js';
import { readAll, verifyAll } from '../../support/read-all.js';
import { SlabTier } from '../../support/slab-tier.js';

const FILM = '/film.mp4';
const SIZE = 5 * BLOCK_SIZE - 99;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('watch' as const),
      worker: fc.integer({ min: 0, max: 1 }),
      start: fc.integer({ min: 0, max: SIZE - 1 }),
      /** Goes on while the next steps happen. */
      meanwhile: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const), sameSize: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 90 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), all: fc.boolean(), soft: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('break' as const), after: fc.integer({ min: 0, max: SIZE }) }),
  },
);

/** A world with an origin that keeps changing its film. */
class World {
  readonly origin = new FakeOrigin('main');
  readonly tier = new SlabTier({ blocks: 256, fillShare: 0.9 });
  readonly bench = new CatalogBench(this.origin, { tier: this.tier });
  readonly workers: readonly Worker[] = [this.bench.worker(), this.bench.worker()];
  /** Version by the tag that players see, or by the date. */
  readonly versions = new Map<string, string>();
  #version = 0;

  constructor(readonly validators: 'etag' | 'date') {
    this.change(true);
  }

  change(sameSize: boolean): void {
    const version = `v${++this.#version}`;
    const lastModified = new Date(Date.UTC(2026, 0, 1) + this.#version * 1000).toUTCString();
    this.versions.set(this.validators === 'etag' ? `"${version}"` : lastModified, version);
    this.origin.put(FILM, {
      size: sameSize ? SIZE : SIZE + this.#version,
      version,
      etag: this.validators === 'etag' ? undefined : null,
      lastModified,
      fields: { 'cache-control': 'max-age=60' },
    } as never);
  }

  async #watchOne(reader: BlockReader, start: number, size: number): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      await readAll(reader, Math.min(start, size), size, bytes => void chunks.push(Buffer.from(bytes)));
    } finally {
      const bytes = Buffer.concat(chunks);
      const isOf = (version: string) => bytes.equals(contentAt(FILM, version, start, start + bytes.length));
      assert.ok([...this.versions.values()].some(isOf), 'a mixture');
    }
  }

  /** Reads to the end; whatever comes must be of the one version that was promised, from the first byte to the last. */
  async watch(worker: Worker, start: number): Promise<void> {
    try {
      const opened = await worker.object(FILM, { start });
      const { validator, size } = opened.object;
      const version = this.versions.get(validator.etag ?? validator.lastModified ?? '');
      const reader = opened.reader();
      opened.release();
      try {
        // After changes in quick succession validators are not trusted: then it is one version, whichever.
        if (version === undefined && !hasValidator(validator)) await this.#watchOne(reader, start, size);
        else assert.ok(version !== undefined, 'a version that never was');
        if (version === undefined) return;
        await verifyAll(reader, Math.min(start, size), size, { path: FILM, version });
      } finally {
        reader.close();
      }
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'object_changed' && code !== 'origin_unavailable') throw error;
    }
  }
}

it('a player gets one version from the first byte to the last, whatever changes meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('etag' as const, 'date' as const),
      fc.array(step, { maxLength: 25 }),
      async (validators, steps) => {
        const world = new World(validators);
        const running: Promise<void>[] = [];
        for (const one of steps) {
          if (one.kind === 'change') world.change(one.sameSize);
          else if (one.kind === 'pass') world.bench.pass(one.seconds);
          else if (one.kind === 'break') world.origin.next = { failAfter: one.after };
          else if (one.kind === 'purge') {
            if (one.all) void world.bench.purger.all(one.soft);
            else world.bench.purger.urls([`main${FILM}`], one.soft);
          } else if (one.kind === 'turns') {
            for (let i = 0; i < one.count; i++) await new Promise(resolve => setImmediate(resolve));
          } else {
            const watching = world.watch(world.workers[one.worker]!, one.start);
            if (one.meanwhile) running.push(watching);
            else await watching;
          }
        }
        await Promise.all(running);
      },
    ),
    { numRuns: 80 },
  );
});
