import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/ports.js';
import { isAlive } from '../../support/processes.js';
import { until } from '../../support/until.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DEMO = join(ROOT, 'src/cluster-demo.mjs');
const SAMPLES = join(ROOT, 'src/samples');
/** A user without rights, where the tests run as root and others may read this folder. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const isReadable = () => spawnSync(process.execPath, ['--check', DEMO], NOBODY).status === 0;
const USER = process.geteuid?.() === 0 && isReadable() ? NOBODY : {};
// What is newer than its build would be built again, which this user may not.
for (const built of ['dist/.tsbuildinfo', 'native/build/Release/moovedge.node']) {
  utimesSync(join(ROOT, built), new Date(), new Date());
}

let demo: ChildProcess | undefined;
after(() => {
  if (demo?.exitCode === null) demo.kill('SIGTERM');
});

test('the demonstration runs as a normal user, lives through a kill, and leaves nothing behind', async () => {
  const port = await freePort();
  const child = spawn(process.execPath, [DEMO, '--port', String(port)], { stdio: 'pipe', ...USER });
  demo = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text;
    });
  }
  const exited = new Promise<number | null>(resolve => child.once('exit', resolve));
  await until('it to say what to try', () => output.includes('Ctrl-C ends everything') || child.exitCode !== null, 90);
  assert.match(output, /Three edges are one cache/, output);
  const edges = [...output.matchAll(/^ {2}edge-\d {5}(http:\/\/localhost:\d+)\//gm)].map(match => match[1]!);
  assert.equal(edges.length, 3, output);
  const films = readdirSync(SAMPLES).filter(name => /\.(mp4|flv)$/.test(name));
  const expectFilms = async (urls: readonly string[]) => {
    for (const url of urls) {
      for (const film of films) {
        const answer = await fetch(`${url}/${film}`);
        assert.equal(answer.status, 200);
        assert.deepEqual(Buffer.from(await answer.arrayBuffer()), readFileSync(join(SAMPLES, film)), film);
      }
    }
  };
  await expectFilms(edges);
  // As it says.
  const [, group = '', victim = ''] = /kill -9 -- -(\d+) +(edge-\d), the owner/.exec(output)!;
  process.kill(-Number(group), 'SIGKILL');
  await until('it to notice', () => output.includes(`${victim} has ended`));
  await expectFilms(edges.filter((_, at) => victim !== `edge-${at + 1}`));
  child.stdin.write('\n');
  await until('it to be back', async () => {
    const answer = await fetch(edges[Number(victim.at(-1)) - 1]!).catch(() => undefined);
    return answer !== undefined && output.includes(`${victim} was started again`);
  });
  const groups = [...output.matchAll(/kill -9 (?:-- -)?(\d+)/g)].map(match => Number(match[1]));
  child.kill('SIGINT');
  assert.equal(await exited, 0, output);
  await until('no process to be left', () => !groups.some(isAlive));
});

test('without etcd it says what is missing', () => {
  const { status, stderr } = spawnSync(process.execPath, [DEMO], {
    encoding: 'utf8',
    env: { ...process.env, PATH: '/nonexistent' },
  });
  assert.equal(status, 1);
  assert.match(stderr, /expected the program etcd.*\n.*apt-get install .*etcd-server/);
});

test('a port that is none is refused', () => {
  const { status, stderr } = spawnSync(process.execPath, [DEMO, '--port', 'x'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /expected --port/);
});
