// `npm run cluster-demo [-- --port N]`: three members of etcd and three edges on loopback, which are one cache of the
// sample clips. Says what to try and what to kill; Enter starts again what has died, Ctrl-C ends everything.
import './check-node.mjs';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import {
  ask,
  freePorts,
  giveUp,
  makeFolder,
  Program,
  programPath,
  programs,
  run,
  say,
  until,
  watchPrograms,
} from './demo.mjs';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const SAMPLES = fileURLToPath(new URL('samples', import.meta.url));
const COUNT = 3;
function etcdMembers(command, ports, folder) {
  const peers = ports.slice(COUNT).map((port, i) => `etcd-${i + 1}=http://127.0.0.1:${port}`);
  return peers.map((peer, i) => {
    const client = `http://127.0.0.1:${ports[i]}`;
    const own = peer.slice(peer.indexOf('=') + 1);
    return new Program(`etcd-${i + 1}`, command, [
      ...['--name', `etcd-${i + 1}`, '--data-dir', join(folder, `etcd-${i + 1}`)],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', own, '--initial-advertise-peer-urls', own],
      ...['--initial-cluster', peers.join(','), '--heartbeat-interval', '200', '--election-timeout', '2000'],
    ]);
  });
}

/** The configuration of an edge, as YAML, which JSON is. */
function configOf(id, { port, admin, peers }, endpoints, folder) {
  return {
    listen: { host: '127.0.0.1', port },
    admin: { host: '127.0.0.1', port: admin },
    workers: 1,
    cache: { memory: { size: '64MiB', file: join(folder, `${id}.cache`) } },
    origins: [{ name: 'samples', url: SAMPLES }],
    cluster: {
      etcd: { endpoints },
      node: { id, url: `http://localhost:${port}` },
      listen: { host: '127.0.0.1', port: peers },
      secret: 'a secret of the demonstration',
      ramp: '30s',
      holdDown: '60s',
    },
  };
}

/** What a person sees. */
async function tell(edges, members) {
  const [first, second] = edges;
  const films = readdirSync(SAMPLES).filter(name => /\.(mp4|flv)$/.test(name));
  const owned = [];
  for (const film of films) {
    const { owner, replicas } = await until('owners', () => ask(`${first.admin}/locate?path=/${film}`));
    owned.push({ film, owner, line: `  /${film.padEnd(24)}${owner}, then ${replicas.join(', ')}` });
  }
  const far = owned.find(({ owner }) => owner !== first.id) ?? owned[0];
  const owner = edges.find(({ id }) => id === far.owner);
  const pid = name => programs.find(program => program.name === name).pid;
  say(
    [
      'Three edges are one cache. Each film has an owner, and replicas that stand in for it:',
      ...owned.map(({ line }) => line),
      '',
      'Try, at any of them:',
      ...edges.map(({ id, url, admin }) => `  ${id}     ${url}/${far.film}   dashboard ${admin}/cluster.html`),
      `  curl -sD- -o /dev/null ${first.url}/${far.film}   by way of its owner: Cache-Status says so`,
      `  npx moovedge cluster status --admin ${first.admin}`,
      `  npx moovedge cluster where /${far.film} --admin ${first.admin}`,
      `  npx moovedge cluster drain ${owner.id} --admin ${first.admin}   and undrain`,
      '',
      'Kill, and look at the dashboard of another; players of others notice nothing:',
      `  kill -9 -- -${pid(owner.id)}   ${owner.id}, the owner of ${far.film}`,
      `  kill -STOP -- -${pid(second.id)}   ${second.id} hangs; -CONT lets it go on`,
      ...members.map(({ name, pid }, i) => `  kill -9 ${pid}   ${name}${i === 0 ? '; all three: the map stays' : ''}`),
      '',
      'Enter starts again what has died. Ctrl-C ends everything.',
    ].join('\n'),
  );
}

async function main() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
  const from = Number(values.port);
  if (!Number.isInteger(from) || from < 1 || from > 65_000)
    await giveUp(`expected --port with a number from 1 to 65000, found ${values.port}`);
  const etcd = programPath('etcd');
  if (etcd === undefined) {
    await giveUp(
      'expected the program etcd, found none. Debian and Ubuntu have it in a package:\n' +
        '  sudo apt-get install -y --no-install-recommends etcd-server',
    );
  }
  await build();
  const folder = makeFolder();
  const ports = await freePorts(from, 5 * COUNT);
  const members = etcdMembers(etcd, ports.slice(3 * COUNT), folder);
  const endpoints = ports.slice(3 * COUNT, 4 * COUNT).map(port => `http://127.0.0.1:${port}`);
  const edges = Array.from({ length: COUNT }, (_, i) => {
    const [port, admin, peers] = ports.slice(3 * i, 3 * i + 3);
    const id = `edge-${i + 1}`;
    const file = join(folder, `${id}.yaml`);
    writeFileSync(file, JSON.stringify(configOf(id, { port, admin, peers }, endpoints, folder), null, 2), {
      mode: 0o600,
    });
    const program = new Program(id, process.execPath, [CLI, 'serve', '--config', file]);
    return { id, url: `http://localhost:${port}`, admin: `http://localhost:${admin}`, program };
  });
  say('starting three members of etcd and three edges …');
  for (const member of members) run(member);
  await until('etcd to answer', () =>
    ask(`${endpoints[0]}/v3/kv/range`, { method: 'POST', body: JSON.stringify({ key: 'YQ==' }) }),
  );
  for (const { program } of edges) run(program);
  await until('a map of all edges', async () => {
    const states = await Promise.all(edges.map(({ admin }) => ask(`${admin}/cluster`)));
    return states.every(({ epoch, nodes }) => epoch > 0 && nodes.filter(({ owns }) => owns > 0).length === COUNT);
  });
  await tell(edges, members);
  watchPrograms();
}

await main();
