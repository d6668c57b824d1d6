import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, EDGE, startContestants } from './support/contest.js';
import { startEdge } from './support/edge.js';
import { runFolder, writeNoise } from './support/folder.js';
import { startNginx } from './support/nginx.js';
import { benchOptions } from './support/options.js';
import { PausedPlayer } from './support/paused-player.js';
import type { Report, Row } from './support/report.js';
import { CLIENT_CORE, type Server } from './support/server.js';

const FILE_SIZE = 128 * 1024 * 1024;
/** Seconds after which a server has got over the players that came. */
const SETTLE = 3;
/** Players that connect, or read on, at once. */
const AT_ONCE = 100;
/** Bytes that a player must get after its pause: more than lies in the buffers of the two sockets. */
const READ_ON = 2 * 1024 * 1024;
/** Players that are asked to read on. */
const ASKED = 200;

/** User memory per paused player, and whether all of them can go on afterwards. `--clients N --hold SECONDS`. */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { clients: '2000', hold: '20' });
  const clients = Number(options.rest.clients);
  const hold = Number(options.rest.hold);
  const folder = runFolder(2 ** 30);
  const www = join(folder, 'www');
  mkdirSync(www);
  writeNoise(join(www, 'film.mp4'), FILE_SIZE);
  const origin = await startNginx(
    'origin',
    join(folder, 'origin'),
    { kind: 'static', root: www },
    { core: CLIENT_CORE },
  );
  const contestants: Contestant[] = [
    { name: EDGE, isPeer: false, start: () => startEdge({ origin: origin.url, folder, memory: '256MiB' }) },
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
            cacheSize: 256 * 1024 * 1024,
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
    { title: 'players' },
    { title: 'seconds paused' },
    { title: 'asked to go on' },
    { title: 'dropped' },
    { title: 'stuck' },
    { title: 'CPU s', digits: 2 },
  ];
  return { title: 'user memory of paused players', tables: [{ title: `${clients} players`, columns, rows }], notes };
}

async function pause(server: Server, clients: number, hold: number): Promise<Row> {
  await (await fetch(`${server.url}/film.mp4`)).arrayBuffer();
  // The first half brings the server's heap to its size; the second says what a player costs.
  const players = await startPlayers(server, Math.ceil(clients / 2));
  await seconds(SETTLE);
  const before = server.memory().anonymous;
  const second = await startPlayers(server, Math.floor(clients / 2));
  await seconds(SETTLE);
  const perPlayer = (server.memory().anonymous - before) / second.length / 1024;
  players.push(...second);
  const cpu = server.cpuSeconds();
  await seconds(hold);
  const spent = server.cpuSeconds() - cpu;
  let dropped = 0;
  let stuck = 0;
  for (let i = 0; i < Math.min(ASKED, clients); i += AT_ONCE / 5) {
    const asked = players.slice(i, i + AT_ONCE / 5);
    const went = await Promise.all(asked.map(player => player.readOn(READ_ON)));
    dropped += asked.filter(player => player.isClosed).length;
    stuck += asked.filter((player, n) => !went[n] && !player.isClosed).length;
  }
  for (const player of players) player.end();
  await seconds(1);
  return { name: server.name, values: [perPlayer, clients, hold, Math.min(ASKED, clients), dropped, stuck, spent] };
}

async function startPlayers(server: Server, count: number): Promise<PausedPlayer[]> {
  const players: PausedPlayer[] = [];
  while (players.length < count) {
    const wave = Math.min(AT_ONCE, count - players.length);
    players.push(
      ...(await Promise.all(Array.from({ length: wave }, () => PausedPlayer.start(server.port, '/film.mp4')))),
    );
  }
  return players;
}

function seconds(count: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, count * 1000));
}
