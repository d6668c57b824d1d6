import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BLOCK_SIZE } from '../src/base/block.js';
import { SharedMemoryTier } from '../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../test/support/defaults.js';
import { fillBlocks, withCacheFile } from './support/cache-file.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';

const LENGTH = 4096;
const BLOCKS = 200;

/** Several processes that look up blocks of one stripe, and of many, as fast as they can. */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, { processes: '1,2,4' });
  const rows: Row[] = [];
  for (const [name, size] of [
    ['one stripe', 256],
    ['16 stripes', 4096],
  ] as const) {
    for (const processes of rest.processes!.split(',').map(Number)) {
      const results = await withCacheFile(async file => {
        const tier = new SharedMemoryTier({
          ...DEFAULTS.memoryTier,
          file,
          role: 'supervisor',
          size: size * BLOCK_SIZE,
          reserve: false,
        });
        fillBlocks(tier, BLOCKS, LENGTH);
        const measured: number[][] = [];
        for (let round = 0; round < rounds; round++) measured.push(await hammer(file, processes, seconds));
        tier.close();
        return measured;
      });
      rows.push({
        name: `${name}, ${processes} ${processes === 1 ? 'process' : 'processes'}`,
        values: [
          new Sample(results.map(rates => rates.reduce((sum, rate) => sum + rate, 0) / 1e6)),
          new Sample(results.map(rates => Math.min(...rates) / Math.max(...rates))),
        ],
      });
    }
  }
  const table = {
    title: 'lookups + pins + releases of all processes together',
    columns: [
      { title: 'million/s', digits: 2 },
      { title: 'slowest/fastest', digits: 2 },
    ],
    rows,
  };
  return {
    title: 'processes that share the memory tier',
    tables: [table],
    notes: ['On a machine with fewer cores than processes, the sum can not grow beyond the cores.'],
  };
}

/** Lookups per second of each process. */
async function hammer(file: string, processes: number, seconds: number): Promise<number[]> {
  const script = fileURLToPath(new URL('./support/lookup-process.ts', import.meta.url));
  const children = Array.from({ length: processes }, () => fork(script, [file, String(BLOCKS), String(seconds)]));
  await Promise.all(children.map(child => once(child, 'message')));
  for (const child of children) child.send('go');
  return Promise.all(children.map(async child => (await once(child, 'message'))[0] as number));
}
