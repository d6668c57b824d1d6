import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseSize } from '../src/config/units.js';
import { spareMemory, withCacheFile } from './support/cache-file.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';

/** Collections and pauses of the same work with caches of different sizes: the cache must not matter. */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { sizes: '1GiB,16GiB,64GiB' });
  const notes = ['sparse files; the work is the same for each: views of blocks, and objects that live for a while'];
  const script = fileURLToPath(new URL('./support/gc-process.ts', import.meta.url));
  const sizes = rest.sizes!.split(',').filter(size => {
    const fits = (parseSize(size) ?? 0) / 64 < spareMemory();
    if (!fits) notes.push(`${size} left out: not enough memory in /dev/shm`);
    return fits;
  });
  const found = new Map<string, number[][]>(sizes.map(size => [size, []]));
  for (let round = 0; round < rounds; round++) {
    for (const size of sizes) {
      const measured = await withCacheFile(async file => {
        const child = fork(script, [file, String(parseSize(size))]);
        let values: number[] | undefined;
        child.once('message', message => {
          values = message as number[];
        });
        const [code, signal] = await once(child, 'exit');
        if (values === undefined) throw new Error(`the process that works with ${size} ended early: ${signal ?? code}`);
        return values;
      });
      found.get(size)!.push(measured);
    }
  }
  const titles = ['collections', 'of these full', 'ms paused', 'longest ms', 'heap MB'];
  const rows: Row[] = sizes.map(size => ({
    name: size,
    values: titles.map((_, column) => new Sample(found.get(size)!.map(values => values[column]!))),
  }));
  const table = {
    title: 'garbage collection, by size of the memory tier',
    columns: titles.map((title, column) => ({ title, digits: column < 2 ? 0 : 1 })),
    rows,
  };
  return { title: 'effect on the JavaScript heap', tables: [table], notes };
}
