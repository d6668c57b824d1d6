// `npm run pipeline-demo [-- --port N] [--storage FOLDER]`: a page that takes a film, a worker that makes it in several
// qualities, and an edge that plays them, on loopback. Ctrl-C ends everything.
import './check-node.mjs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ask, freePorts, giveUp, makeFolder, Program, programPath, run, say, until, watchPrograms } from './demo.mjs';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
/** Programs of the system, and the packages of Debian and Ubuntu that bring them. */
const PROGRAMS = { 'redis-server': 'redis-server', ffmpeg: 'ffmpeg', ffprobe: 'ffmpeg' };

async function main() {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8080' }, storage: { type: 'string' } },
  });
  const from = Number(values.port);
  if (!Number.isInteger(from) || from < 1 || from > 65_000)
    await giveUp(`expected --port with a number from 1 to 65000, found ${values.port}`);
  const missing = Object.keys(PROGRAMS).filter(name => programPath(name) === undefined);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(name => PROGRAMS[name]))].join(' ');
    await giveUp(
      `expected the programs ${missing.join(', ')}, which are not installed. Debian and Ubuntu have them:\n` +
        `  sudo apt-get install -y --no-install-recommends ${packages}`,
    );
  }
  await build();
  const folder = makeFolder();
  const storage = values.storage === undefined ? join(folder, 'storage') : resolve(values.storage);
  mkdirSync(join(storage, 'films'), { recursive: true });
  const [port, admin, uploads, uploadAdmin, transcodeAdmin, redis] = await freePorts(from, 6);
  const config = join(folder, 'pipeline.yaml');
  const settings = {
    listen: { host: '127.0.0.1', port },
    admin: { host: '127.0.0.1', port: admin },
    workers: 1,
    cache: { memory: { size: '64MiB', file: join(folder, 'edge.cache') } },
    origins: [{ name: 'films', url: join(storage, 'films') }],
    http: { cors: { origins: [`http://localhost:${uploads}`] } },
    storage: { url: storage },
    jobs: { redis: `redis://127.0.0.1:${redis}` },
    upload: { host: '127.0.0.1', port: uploads },
    transcode: { scratch: join(folder, 'scratch') },
  };
  writeFileSync(config, JSON.stringify(settings, null, 2), { mode: 0o600 });
  const queue = ['--bind', '127.0.0.1', '--port', String(redis), '--dir', folder, '--appendonly', 'yes', '--save', ''];
  run(new Program('redis', programPath('redis-server'), queue));
  const role = (name, adminPort) =>
    run(new Program(name, process.execPath, [CLI, name, '--config', config, '--admin-port', String(adminPort)]));
  role('upload', uploadAdmin);
  role('transcode', transcodeAdmin);
  run(new Program('edge', process.execPath, [CLI, 'serve', '--config', config]));
  const ready = at => fetch(`http://127.0.0.1:${at}/readyz`).then(answer => answer.ok);
  for (const at of [uploadAdmin, transcodeAdmin, admin]) await until('all parts to be ready', () => ready(at));
  await until('a queue', () => ask(`http://127.0.0.1:${uploadAdmin}/jobs`));
  watchPrograms();
  say(
    [
      `Upload a film at    http://localhost:${uploads}/?edge=http://localhost:${port}`,
      `See the queue at    http://localhost:${transcodeAdmin}/`,
      `Films are played by http://localhost:${port}/`,
      `They are stored in  ${storage}${values.storage === undefined ? ', which goes at the end (--storage FOLDER keeps them)' : ''}`,
      '',
      'Kill anything; Enter starts again what has died. Ctrl-C ends everything.',
    ].join('\n'),
  );
}

await main();
