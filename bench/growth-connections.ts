import { join } from 'node:path';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { hotRanges, measure } from './support/steady.js';
import { load } from './support/wrk.js';

/**
 * What a request costs, and the memory of the edge, by connections that send requests all the time.
 * `--connections A,B,…`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, { connections: '10,100,1000,10000' });
  const counts = rest.connections!.split(',').map(Number);
  const folder = runFolder(2 ** 29);
  const origin = await startNoiseOrigin();
  const edge = await startEdge({ origin: origin.url, folder, memory: '256MiB' });
  const list = await hotRanges(edge, join(folder, 'ranges'));
  await load(edge.url, list, { seconds: 1, connections: 64 });
  const rows: Row[] = [];
  for (const connections of counts) {
    const found = [];
    // Long enough that connecting, which is counted too, weighs little.
    const long = Math.max(seconds, Math.ceil(connections / 1000));
    for (let round = 0; round < rounds; round++) found.push(await measure(edge, list, long, connections));
    rows.push({
      name: connections.toLocaleString('en'),
      values: [
        new Sample(found.map(({ cpuMicroseconds }) => cpuMicroseconds)),
        new Sample(found.map(({ anonymous }) => anonymous / 2 ** 20)),
        new Sample(found.map(({ rate }) => rate)),
        new Sample(found.map(({ p99 }) => p99 * 1000)),
        new Sample(found.map(({ failed }) => failed)),
      ],
    });
  }
  origin.close();
  const table = {
    title: 'ranges of 4 KiB of a film in memory',
    axis: { title: 'connections', at: counts },
    columns: [
      { title: 'CPU µs/request', digits: 1 },
      { title: 'memory MiB', digits: 1 },
      { title: 'requests/s' },
      { title: 'p99 ms', digits: 1 },
      { title: 'failed' },
    ],
    rows,
  };
  const notes = [
    'memory is what belongs to no file, of all processes of the edge, while the requests run',
    'every connection has a request under way at all times, so the time of an answer is the connections divided by the rate',
  ];
  return { title: 'growth with connections', tables: [table], notes };
}
