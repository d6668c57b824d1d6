import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, EDGE, startContestants } from './support/contest.js';
import { startEdge } from './support/edge.js';
import { runFolder, writeNoise } from './support/folder.js';
import { kernelBytes } from './support/kernel-bytes.js';
import { startNginx } from './support/nginx.js';
import { benchOptions } from './support/options.js';
import { PausedPlayers } from './support/paused-players.js';
import type { Report, Row } from './support/report.js';
import { CLIENT_CORE, type Server } from './support/server.js';

/** Small, so that fetching it leaves little in a server's heap that is counted before the players come. */
const FILE_SIZE = 4 * 1024 * 1024;
/** Seconds after which a server has got over the players that came. */
const SETTLE = 3;
/** Bytes that a player must get after its pause: more than lie in the buffers of the two sockets. */
const READ_ON = 256 * 1024;

/**
 * Memory of user and kernel per paused player, and whether each of them can go on afterwards.
 * `--clients N --hold SECONDS`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { clients: '2000', hold: '20' });
  const clients = Number(options.rest.clients);
  const hold = Number(options.rest.hold);
  const folder = runFolder(2 ** 29);
  const www = join(folder, 'www');
  mkdirSync(www);
  writeNoise(join(www, 'film.mp4'), FILE_SIZE);
  const origin = await startNginx(
    'origin',
    join(folder, 'origin'),
    { kind: 'static', root: www },
    { core: CLIENT_CORE },
  );
  // As patient as nginx is told to be.
  const settings = 'delivery: {stallTimeout: 1h}';
  const contestants: Contestant[] = [
    {
      name: EDGE,
      isPeer: false,
      start: () => startEdge({ origin: origin.url, folder, memory: '64MiB', settings }),
    },
    {
      name: 'nginx static',
      start: () =>
        startNginx('nginx static', join(folder, 'static'), { kind: 'static', root: www }, { sendfile: true }),
    },
    {
      name: 'nginx slice',
      start: () =>
        startNginx(
          'nginx slice',
          join(folder, 'slice'),
          {
            kind: 'slice',
            origin: origin.url,
            folder: join(folder, 'slices'),
            sliceSize: 256 * 1024,
            cacheSize: 64 * 1024 * 1024,
          },
          { sendfile: true },
        ),
    },
  ];
  const { servers, notes } = await startContestants(contestants, options);
  const rows: Row[] = [];
  for (const server of servers) rows.push(await pause(server, clients, hold));
  const columns = [
    { title: 'KiB per player', digits: 1 },
    { title: 'KiB each in the kernel', digits: 1 },
    { title: 'MiB before', digits: 1 },
    { title: 'MiB paused', digits: 1 },
    { title: 'seconds paused' },
    { title: 'went on' },
    { title: 'dropped' },
    { title: 'stuck' },
    { title: 'CPU s paused', digits: 2 },
  ];
  return {
    title: 'memory of paused players',
    tables: [{ title: `${clients.toLocaleString('en')} players`, columns, rows }],
    notes: [
      `bar: at most 16 KiB each, and 160 KiB of bytes in the kernel that are not acknowledged (Send-Q), none dropped; memory of all processes of the server beyond what they had before the first player, or beyond what they had with half of the players, whichever is more; taken at the end of the pause, then each player reads ${READ_ON / 1024} KiB more`,
      ...notes,
    ],
  };
}

async function pause(server: Server, clients: number, hold: number): Promise<Row> {
  const tell = (text: string) => console.error(`${server.name}: ${text}`);
  await (await fetch(`${server.url}/film.mp4`)).arrayBuffer();
  await seconds(SETTLE);
  const memory = () => server.memory().anonymous;
  const empty = memory();
  const players = new PausedPlayers(server.port, '/film.mp4');
  try {
    tell(`${clients} players start`);
    const later = Math.floor(clients / 2);
    await players.start(clients - later);
    await seconds(SETTLE);
    const half = memory();
    await players.start(later);
    await seconds(SETTLE);
    tell(`they pause for ${hold} s`);
    const cpu = server.cpuSeconds();
    await seconds(hold);
    const spent = server.cpuSeconds() - cpu;
    const full = memory();
    const unsent = kernelBytes(server.port) / clients / 1024;
    tell('they read on');
    const { whole, dropped, stuck } = await players.readOn(READ_ON);
    // The first players may find room in a heap that had grown before they came.
    const perPlayer = Math.max((full - empty) / clients, (full - half) / later) / 1024;
    const values = [perPlayer, unsent, empty / 2 ** 20, full / 2 ** 20, hold, whole, dropped, stuck, spent];
    return { name: server.name, values };
  } finally {
    await players.end();
  }
}

function seconds(count: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, count * 1000));
}
