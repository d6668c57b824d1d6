/** Files that are made to cost much: packaging ends with a package or a refusal, within the budget, and never twice. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Packager } from '../../../../src/media/packaging/packager.js';
import { full, HOSTILE, movie, table } from '../../../support/hostile.js';
import { build } from '../../../support/mp4/build.js';
import { movies } from '../../../support/mp4/model.js';
import { withCodecs } from '../../../support/mp4/sample-entries.js';
import { isRefusal } from '../../../support/mutation.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const SIZE = 3 * 1024 * 1024;
/** Milliseconds of CPU here, where others use the processor's caches too and code is cold. */
const CPU_MAX = 3000;
const MEMORY_MAX = 128 * 1024 * 1024;
const CUT = { target: 0.001, shortest: 0.5 };

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

/** Packages a file and reads all that is in the package; whatever is thrown is a refusal. */
async function packageAll(edge: Packager, source: MemorySource, cut = CUT): Promise<void> {
  const object = mediaObject(source);
  try {
    const pack = await edge.package(object, cut);
    for (const track of pack.tracks) {
      const { samples, count } = track.segments;
      await edge.keyFrames(object, track);
      for (const row of new Set([0, count >> 1, count - 1]))
        await edge.samples(object, track, samples[row]!, samples[row + 1]!);
    }
  } catch (error) {
    assert.ok(isRefusal(error), String((error as Error).stack));
  }
}

describe('packaging a file that is made to cost much', () => {
  const families = [
    ...HOSTILE.filter(({ name }) => !name.startsWith('flv')),
    {
      name: 'mp4: samples that a few bytes tell of',
      make: () => {
        const samples = 200_000_000;
        const head = movie(() => [
          table('stts', u32(samples, 1), 1),
          table('stsc', u32(1, samples, 1), 1),
          full('stsz', 0, 0, u32(2, samples)),
          table('stco', u32(32), 1),
        ]);
        return Object.assign(head, { hole: samples * 2 });
      },
    },
    {
      name: 'mp4: key frames everywhere',
      make: (size: number) => {
        const count = Math.floor(size / 12);
        const numbers = Buffer.alloc(count * 4);
        for (let i = 0; i < count; i++) numbers.writeUInt32BE(i + 1, i * 4);
        return movie(() => [
          table('stts', u32(count + 5, 1), 1),
          full('stss', 0, 0, u32(count), numbers),
          table('stsc', u32(1, count + 5, 1), 1),
          full('stsz', 0, 0, u32(0, count + 5), Buffer.alloc((count + 5) * 4)),
          table('stco', u32(32), 1),
        ]);
      },
    },
  ];
  for (const { name, make } of families) {
    it(name, async () => {
      const edge = makePackager();
      const bytes = make(SIZE);
      const hole = 'hole' in bytes ? (bytes.hole as number) : 0;
      const source = new MemorySource(bytes);
      // A file with a hole behind it, as large as it says.
      if (hole > 0) Object.defineProperty(source, 'size', { value: bytes.length + hole });
      let turns = 0;
      let running = true;
      const turn = () => {
        turns++;
        if (running) setImmediate(turn);
      };
      setImmediate(turn);
      const before = process.memoryUsage();
      const begun = process.cpuUsage();
      await packageAll(edge, source);
      const { user, system } = process.cpuUsage(begun);
      running = false;
      const cpu = (user + system) / 1000;
      assert.ok(cpu < CPU_MAX, `${cpu} ms of CPU`);
      assert.ok(cpu < 400 || turns > cpu / 40, `${turns} turns of the event loop in ${cpu} ms`);
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      assert.ok(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers < MEMORY_MAX);
      const { reads } = source;
      await packageAll(edge, source);
      assert.ok(source.reads - reads < 2000, 'the second time it is known');
    });
  }
});

describe('packaging a damaged file', () => {
  it('comes to a package that can be read, or to a refusal', async () => {
    const films = fc.sample(movies(60), { numRuns: 12, seed: 11 }).map(film => withCodecs(build(film, true)));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(films.length - 1),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (film, changes) => {
          const bytes = Uint8Array.from(films[film]!);
          const moov = Buffer.from(bytes).indexOf('moov') - 4;
          const size =
            Buffer.from(bytes).readUInt32BE(moov) === 1 ? bytes.length - moov : Buffer.from(bytes).readUInt32BE(moov);
          for (const [at, value] of changes) bytes[moov + (at % size)] = value;
          await packageAll(makePackager(), new MemorySource(bytes), { target: 0.5, shortest: 0.5 });
        },
      ),
      { numRuns: 400, interruptAfterTimeLimit: 20_000 },
    );
  });
});
