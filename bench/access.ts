import { createHmac } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startEdge } from './support/edge.js';
import { runFolder, writeNoise } from './support/folder.js';
import { startFolderOrigin } from './support/folder-origin.js';
import { rangesOf } from './support/hot.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';
import { load, writeRequests } from './support/wrk.js';

const FILE_SIZE = 64 * 1024 * 1024;
const SECRET = 'a secret of the benchmark';
const EXPIRES = Math.floor(Date.now() / 1000) + 86_400;
/** Viewers, each with a URL of its own. */
const VIEWERS = 500;

/** What it costs that URLs are signed: hot ranges of 4 KiB by open URLs and by signed ones, taking turns. */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '64' });
  const connections = Number(options.rest.connections);
  const folder = runFolder(1024 * 1024 * 1024);
  const root = join(folder, 'www');
  for (const path of ['open', 'paid']) {
    mkdirSync(join(root, path), { recursive: true });
    writeNoise(join(root, path, 'film.mp4'), FILE_SIZE);
  }
  const origin = await startFolderOrigin(root);
  const signed = `scheme: hmac_sha256, signature: token, expires: expires, secret: "${SECRET}", template: "{expires}{path}"`;
  const settings = `access: [{path: /paid/, signed: {${signed}}}]`;
  const edge = await startEdge({ origin: origin.url, folder, memory: '512MiB', settings });
  const ranges = rangesOf('', FILE_SIZE, 4096);
  const signature = (i: number) => {
    const expires = EXPIRES + (i % VIEWERS);
    const token = createHmac('sha256', SECRET).update(`${expires}/paid/film.mp4`).digest('base64url');
    return `token=${token}&expires=${expires}`;
  };
  const kinds = [
    { name: 'open', paths: ranges.map(({ range }) => ({ path: '/open/film.mp4', range })) },
    { name: 'signed', paths: ranges.map(({ range }, i) => ({ path: `/paid/film.mp4?${signature(i)}`, range })) },
  ].map(({ name, paths }) => ({
    ...{ name, whole: paths[0]!.path, list: writeRequests(join(folder, name), paths as never) },
    ...{ rates: [] as number[], costs: [] as number[] },
  }));
  for (const { whole } of kinds) await edge.get(whole);
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, list, rates, costs } of kinds) {
      const before = edge.cpuSeconds();
      const { requests, seconds, failed } = await load(edge.url, list, { seconds: options.seconds, connections });
      if (failed > 0) throw new Error(`${failed} requests of ${name} failed`);
      rates.push(requests / seconds);
      costs.push(((edge.cpuSeconds() - before) / requests) * 1e6);
    }
  }
  await edge.stop();
  await origin.close();
  const [open, paid] = kinds;
  const ratio = new Sample(paid!.rates.map((rate, i) => rate / open!.rates[i]!));
  return {
    title: 'ranges of 4 KiB by open and by signed URLs',
    tables: [
      {
        title: `${connections} connections, ${VIEWERS} signed URLs, taking turns`,
        columns: [{ title: 'requests/s' }, { title: 'CPU µs', digits: 1 }, { title: 'of open', digits: 3 }],
        rows: kinds.map(({ name, rates, costs }) => ({
          name,
          values: [new Sample(rates), new Sample(costs), name === 'open' ? 1 : ratio],
        })),
      },
    ],
    notes: [],
  };
}
