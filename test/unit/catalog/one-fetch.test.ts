import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { CatalogBench, type Worker } from '../../support/catalog-bench.js';
import { contentAt } from '../../support/content.js';
import { type FakeFault, FakeOrigin } from '../../support/fake-origin.js';
import { SlabTier } from '../../support/slab-tier.js';

/*
 * Objects whose parts nothing tells from those of another version: whatever the origin does, a body is of one version,
 * and a film that the cache can hold plays.
 */
const FILM = '/film.mp4';
const SIZE = 5 * BLOCK_SIZE + 777;
const BARE = { etag: null, lastModified: null };

function bench(options: ConstructorParameters<typeof CatalogBench>[1] = {}): CatalogBench {
  const b = new CatalogBench(new FakeOrigin('main'), options);
  b.origin.put(FILM, { size: SIZE, ...BARE });
  return b;
}

async function turns(count = 60): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve));
}

/** The version that bytes from `start` on are of; undefined for a mixture. */
function versionOf(bytes: Buffer, start: number, versions: number): string | undefined {
  for (let i = 1; i <= versions; i++) {
    if (bytes.equals(contentAt(FILM, `v${i}`, start, start + bytes.length))) return `v${i}`;
  }
  return undefined;
}

/** What a player gets of the film from `start` on, as far as it comes. */
async function play(worker: Worker, start: number): Promise<{ bytes: Buffer; whole: boolean }> {
  const chunks: Buffer[] = [];
  const opened = await worker.open(FILM, { start });
  return new Promise(resolve => {
    const end = (whole: boolean) => resolve({ bytes: Buffer.concat(chunks), whole });
    if (opened.kind === 'stream') {
      opened.start({
        bytes: chunk => chunks.push(Buffer.from(chunk)) > 0,
        ended: () => end(true),
        failed: () => end(false),
      });
      return;
    }
    const reader = opened.reader();
    opened.release();
    let at = start;
    const finish = (whole: boolean) => {
      reader.close();
      end(whole);
    };
    const listener = {
      readable() {
        while (at < opened.object.size) {
          const bytes = reader.read(at, opened.object.size);
          if (bytes === undefined) {
            reader.want(at, opened.object.size, listener);
            return;
          }
          chunks.push(Buffer.from(bytes));
          at += bytes.length;
          reader.release();
        }
        finish(true);
      },
      failed: () => finish(false),
    };
    listener.readable();
  });
}

const ANSWERS: Record<string, FakeFault> = {
  ranges: {},
  'no ranges': { ignoreRange: true },
  'no length': { noLength: true },
  'no length, no framing': { noLength: true, head: { unframed: true } },
};

describe('an object without validators', () => {
  for (const [name, answer] of Object.entries(ANSWERS)) {
    for (const start of [0, 3 * BLOCK_SIZE + 5, SIZE - 1]) {
      it(`${name}, first asked for from ${start} on: comes whole, and is an object for all workers`, async () => {
        const b = bench();
        b.origin.every = answer;
        const [one, two] = [b.worker(), b.worker()];
        const from = answer.noLength ? 0 : start;
        const first = await play(one, start);
        assert.ok(first.whole);
        assert.equal(versionOf(first.bytes, from, 1), 'v1');
        assert.equal(first.bytes.length, SIZE - from);
        await turns();
        const asked = b.origin.requests.length;
        assert.ok(asked <= 2, `${asked}`);
        b.origin.put(FILM, { size: SIZE, version: 'v2', ...BARE });
        for (const worker of [one, two]) {
          const later = await play(worker, start);
          assert.equal(versionOf(later.bytes, start, 2), 'v1');
          assert.equal(later.bytes.length, SIZE - start);
        }
        assert.equal(b.origin.requests.length, asked, 'nothing is fetched again while it is fresh');
      });
    }
  }

  it('is fetched to its end though the player leaves at once', async () => {
    const b = bench();
    const opened = await b.worker().object(FILM, { end: 100 });
    opened.release();
    await b.origin.until(() => b.origin.requests.at(-1)!.done);
    await turns();
    b.origin.put(FILM, { size: SIZE, version: 'v2', ...BARE });
    assert.equal(versionOf((await play(b.worker(), 0)).bytes, 0, 2), 'v1');
  });

  it('is fetched anew, as another version, when a part has been evicted', async () => {
    const b = bench({ tier: new SlabTier({ blocks: 8, fillShare: 0.9 }) });
    b.origin.put('/other.mp4', { size: 4 * BLOCK_SIZE });
    const worker = b.worker();
    const before = await worker.object(FILM);
    await play(worker, 0);
    await turns();
    await worker.watch('/other.mp4');
    await worker.watch('/other.mp4');
    b.origin.put(FILM, { size: SIZE, version: 'v2', ...BARE });
    const { bytes, whole } = await play(worker, 0);
    assert.ok(whole, 'not an error, for nothing has been sent yet');
    assert.equal(versionOf(bytes, 0, 2), 'v2');
    assert.notEqual((await worker.object(FILM)).object.etag, before.object.etag);
  });

  it('goes past the cache, just what the player reads, when it is too large or the player begins far back', async () => {
    const b = bench({ supplyOptions: { wholeMax: SIZE - 1 } });
    const worker = b.worker();
    for (const start of [0, BLOCK_SIZE + 5]) {
      const { bytes, whole } = await play(worker, start);
      assert.ok(whole);
      assert.equal(versionOf(bytes, start, 1), 'v1');
    }
    assert.ok(b.origin.requests.every(({ range }) => range !== undefined));
    assert.deepEqual(b.origin.requests.at(-1)!.range?.start, BLOCK_SIZE + 5);
    const far = bench();
    const size = 40 * BLOCK_SIZE;
    far.origin.put(FILM, { size, ...BARE });
    const { bytes } = await play(far.worker(), 36 * BLOCK_SIZE);
    assert.equal(bytes.length, 4 * BLOCK_SIZE);
    assert.ok(far.origin.bytesSent < 6 * BLOCK_SIZE, 'nothing waits for what lies before');
  });

  it('ends for its readers when the fetch breaks off, and is fetched anew for the next', async () => {
    const b = bench();
    b.origin.every = { ignoreRange: true };
    b.origin.next = { ignoreRange: true, failAfter: 2 * BLOCK_SIZE + 10 };
    const worker = b.worker();
    const { bytes, whole } = await play(worker, 0);
    assert.ok(!whole);
    assert.equal(versionOf(bytes, 0, 1), 'v1');
    b.origin.put(FILM, { size: SIZE, version: 'v2', ...BARE });
    await turns();
    const next = await play(worker, 0);
    assert.ok(next.whole);
    assert.equal(versionOf(next.bytes, 0, 2), 'v2');
  });
});

describe('validators that change with each answer', () => {
  it('play from the second try on, in each worker, whole and from the middle', async () => {
    const b = bench();
    const workers = [b.worker(), b.worker()];
    let count = 0;
    const change = () => b.origin.put(FILM, { size: SIZE, etag: `"${count++}"` });
    b.origin.every = undefined;
    const fetch = b.origin.fetch.bind(b.origin);
    b.origin.fetch = (request, sink) => {
      change();
      return fetch(request, sink);
    };
    for (const worker of workers) {
      await play(worker, 0).catch(() => {});
      await turns();
      for (const start of [0, 2 * BLOCK_SIZE]) {
        const { bytes, whole } = await play(worker, start);
        assert.ok(whole);
        assert.equal(versionOf(bytes, start, 1), 'v1');
      }
      await turns();
    }
    const asked = b.origin.requests.length;
    for (const worker of workers) assert.ok((await play(worker, 0)).whole);
    assert.equal(b.origin.requests.length, asked, 'and it is cached');
  });
});

describe('whatever the origin does meanwhile', () => {
  it('a body is of one version', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('play' as const), start: fc.nat(SIZE - 1), worker: fc.nat(1) }),
      fc.record({ kind: fc.constant('change' as const), after: fc.nat(12), unstable: fc.boolean() }),
      fc.record({ kind: fc.constant('answer' as const), name: fc.constantFrom(...Object.keys(ANSWERS)) }),
      fc.record({ kind: fc.constant('break' as const), at: fc.nat(SIZE) }),
      fc.record({ kind: fc.constant('time' as const), seconds: fc.nat(700) }),
      fc.record({ kind: fc.constant('purge' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 14 }),
        fc.integer({ min: 5, max: 40 }),
        async (steps, blocks) => {
          const b = bench({ tier: new SlabTier({ blocks, fillShare: 0.9 }) });
          const workers = [b.worker(), b.worker()];
          let version = 1;
          const plays: Promise<void>[] = [];
          for (const next of steps) {
            if (next.kind === 'change') {
              await turns(next.after);
              version++;
              const validators = next.unstable ? { etag: `"${version}"` } : BARE;
              b.origin.put(FILM, { size: SIZE, version: `v${version}`, ...validators });
            } else if (next.kind === 'answer') b.origin.every = ANSWERS[next.name];
            else if (next.kind === 'break') b.origin.next = { ...b.origin.every, failAfter: next.at };
            else if (next.kind === 'time') b.pass(next.seconds);
            else if (next.kind === 'purge') void b.purger.all(false);
            else {
              const playing = play(workers[next.worker]!, next.start).then(
                ({ bytes }) => {
                  const isOne = versionOf(bytes, next.start, version) ?? versionOf(bytes, 0, version);
                  assert.ok(isOne !== undefined, 'a mixture');
                },
                () => {},
              );
              plays.push(playing);
              if (next.start % 2 === 0) await turns(next.start % 40);
            }
          }
          await Promise.all(plays);
        },
      ),
      { numRuns: 150 },
    );
  });
});
