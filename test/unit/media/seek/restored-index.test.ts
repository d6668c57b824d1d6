import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Flv } from '../../../../src/media/flv/flv.js';
import { FragmentedMp4 } from '../../../../src/media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import type { IndexStore } from '../../../../src/media/seek/media.js';
import { Planner } from '../../../../src/media/seek/planner.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

/** Gives what was put into it in Buffers, as LMDB does: their `slice` is a view. */
class BufferStore implements IndexStore {
  readonly #kept = new Map<string, Buffer>();

  get(identity: string, kind: string): Uint8Array | undefined {
    return this.#kept.get(`${identity} ${kind}`);
  }

  put(identity: string, kind: string, bytes: Uint8Array): void {
    this.#kept.set(`${identity} ${kind}`, Buffer.from(bytes));
  }
}

function planner(store?: IndexStore): Planner {
  return new Planner({
    ...DEFAULTS.planner,
    formats: [
      new ProgressiveMp4({ seek: 'keyframe', maxMoov: 2 ** 28 }),
      new FragmentedMp4(),
      new Flv({ start: 'auto', timestamps: 'rebased' }),
    ],
    indexMemory: 2 ** 24,
    ...(store && { store }),
  });
}

for (const name of ['bframes-faststart.mp4', 'bframes-moov-last.mp4', 'fragmented.mp4', 'keyframes.flv', 'plain.flv']) {
  test(`cuts do not change the restored index that they are made from: ${name}`, async () => {
    const clip = readFileSync(new URL(`../../../../src/samples/${name}`, import.meta.url));
    const object = mediaObject(new MemorySource(clip));
    const store = new BufferStore();
    await planner(store).seek(object, { start: 1, end: undefined });
    const restored = planner(store);
    for (const start of [22.5, 9, 30, 22.5]) {
      const seek = { start, end: undefined };
      const [found, expected] = await Promise.all([restored.seek(object, seek), planner().seek(object, seek)]);
      assert.ok(found && expected);
      assert.equal(found.etag, expected.etag);
      assert.deepEqual(render(found, clip), render(expected, clip));
    }
    assert.equal(restored.stats.restored, 1);
  });
}
