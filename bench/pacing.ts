import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseSize } from '../src/config/units.js';
import { startEdge } from './support/edge.js';
import { runFolder, writeNoise } from './support/folder.js';
import { startFolderOrigin } from './support/folder-origin.js';
import { LoadClient } from './support/load-client.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';

const FILE_SIZE = 64 * 1024 * 1024;

/** What the players have read. */
interface Read {
  readonly seconds: number;
  readonly lost: number;
  readonly bytes: readonly number[];
}

/**
 * Many players of one paced film: how near to the wished rate each of them is, and what that costs.
 * `--players N --rate SIZE`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { players: '5000', rate: '64KiB' });
  const players = Number(options.rest.players);
  const rate = parseSize(options.rest.rate)!;
  const folder = runFolder(1024 * 1024 * 1024);
  const root = join(folder, 'www');
  mkdirSync(root);
  writeNoise(join(root, 'film.mp4'), FILE_SIZE);
  const origin = await startFolderOrigin(root);
  const settings = `pacing: {rate: ${options.rest.rate}, after: 128KiB}`;
  const edge = await startEdge({ origin: origin.url, folder, memory: '512MiB', settings });
  await edge.get('/film.mp4', `bytes=${FILE_SIZE - 1000}-`);
  const client = new LoadClient(folder, 'paced-players');
  const [cores, least, most, median, lost]: number[][] = [[], [], [], [], []];
  for (let round = 0; round < options.rounds; round++) {
    let before = 0;
    let begun = 0;
    const settle = 5;
    const found = await client.run<Read>([edge.port, '/film.mp4', players, settle, options.seconds * 5], () => {
      before = edge.cpuSeconds();
      begun = performance.now();
    });
    const took = (performance.now() - begun) / 1000;
    const ratios = new Sample(found.bytes.map(bytes => bytes / found.seconds / rate));
    cores!.push((edge.cpuSeconds() - before) / took);
    least!.push(ratios.quantile(0.01));
    median!.push(ratios.median);
    most!.push(ratios.quantile(0.99));
    lost!.push(found.lost);
  }
  await edge.stop();
  await origin.close();
  const share = (title: string) => ({ title, digits: 3 });
  return {
    title: 'players that are paced',
    tables: [
      {
        title: `${players} players of one film at ${options.rest.rate} a second, of the wished rate`,
        columns: [share('1 %'), share('median'), share('99 %'), { title: 'cores', digits: 2 }, { title: 'lost' }],
        rows: [{ name: 'moovedge', values: [least, median, most, cores, lost].map(values => new Sample(values!)) }],
      },
    ],
    notes: [],
  };
}
