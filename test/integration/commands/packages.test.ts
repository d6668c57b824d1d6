import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Everything that tests start, but for what may lie in /usr/sbin. */
const PROGRAMS =
  'g++ make python3 ffmpeg openssl wrk curl promtool etcd redis-server haproxy chromium gst-launch-1.0'.split(' ');

/** Stands for a machine: the only folder in PATH. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'moovedge-packages-'));
  install(...PROGRAMS, 'nginx');
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, script: string): void {
  writeFileSync(path.join(folder, name), `#!/bin/sh\nPATH=${folder}:/usr/bin:/bin\n${script}\n`, { mode: 0o755 });
}

function install(...names: string[]): void {
  for (const name of names) program(name, 'exit 0');
}

function remove(...names: string[]): void {
  for (const name of names) rmSync(path.join(folder, name));
}

/** An apt-get that notes what it is told, and installs what is asked for unless it is `broken`. */
function aptGet({ broken = false } = {}): void {
  const each = broken
    ? 'exit 100'
    : `case "$word" in [a-z]*) printf '#!/bin/sh\\n' > ${folder}/$word; chmod 755 ${folder}/$word;; esac`;
  program('env', 'shift; exec "$@"');
  program('apt-get', `echo "apt-get $@" >> ${folder}/log\nfor word; do ${each}; done`);
}

function log(): string {
  return readFileSync(path.join(folder, 'log'), 'utf8');
}

/** `node test/packages.mjs` by a user. */
function provide({ by = 'test', user = 1000 }: { by?: string; user?: number }) {
  const preload = `data:text/javascript,process.getuid = () => ${user}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, 'test/packages.mjs', by], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: folder },
  });
  return { status, stdout, stderr };
}

describe('programs that tests start', () => {
  it('are not spoken of when all are there', () => {
    assert.deepEqual(provide({}), { status: 0, stdout: '', stderr: '' });
  });

  it('are installed for root, who is told which, why and how', () => {
    aptGet();
    remove('ffmpeg', 'wrk');
    const { status, stdout, stderr } = provide({ user: 0 });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /ffmpeg +makes films.*\n +wrk +makes load\n/);
    assert.match(log(), /^apt-get .*update\napt-get .*install -y --no-install-recommends ffmpeg wrk\n$/);
    for (const line of log().trim().split('\n')) assert.ok(stdout.includes(line), line);
  });

  it('are installed by sudo where it takes no password', () => {
    aptGet();
    program('sudo', `[ "$1" = -n ] && shift\necho "sudo $@" >> ${folder}/log\nexec "$@"`);
    remove('curl');
    const { status, stderr } = provide({});
    assert.equal(status, 0, stderr);
    assert.match(log(), /^sudo true\nsudo apt-get .*update\n/);
    assert.match(log(), /\nsudo env DEBIAN_FRONTEND=noninteractive apt-get .*install .* curl\n/);
  });

  it('are left to others who may not: one command is printed, and nothing is run', () => {
    aptGet();
    program('sudo', 'echo "a password is required" >&2; exit 1');
    remove('curl', 'g++');
    const { status, stdout, stderr } = provide({});
    assert.equal(status, 1);
    assert.equal(stdout, '');
    const [command] = stderr.trim().split('\n').slice(-1);
    assert.match(command!, /^ +sudo apt-get [^&]*update && sudo env [^&]*apt-get [^&]*install [^&]* g\+\+ curl$/);
    assert.throws(log, { code: 'ENOENT' });
  });

  it('are named where there is no apt-get', () => {
    remove('curl');
    const { status, stderr } = provide({ user: 0 });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /needs these programs, which are not installed:\n +curl +asks as users do\n.*\n +apt-get install -y curl\n\n$/,
    );
  });

  it('are not taken for installed when apt-get fails', () => {
    aptGet({ broken: true });
    remove('curl');
    const { status, stderr } = provide({ user: 0 });
    assert.equal(status, 1);
    assert.match(stderr, /expected apt-get to succeed, found exit status 100/);
  });

  it('count a browser by another name', () => {
    remove('chromium');
    install('google-chrome');
    assert.equal(provide({}).status, 0);
  });

  it('do not count the script that stands for the snap of Chromium', () => {
    remove('chromium');
    program('chromium-browser', 'echo "run: snap install chromium" >&2; exec /snap/bin/chromium');
    const { status, stderr } = provide({});
    assert.equal(status, 1);
    assert.match(stderr, / chromium +plays/);
  });
});

it('only the servers that a benchmark is compared with are asked for', () => {
  install('setpriv');
  const { status, stderr } = spawnSync(
    process.execPath,
    ['-e', `import('${ROOT}test/packages.mjs').then(({ provide }) => provide('bench', []))`],
    { encoding: 'utf8', env: { PATH: folder } },
  );
  assert.equal(status, 0, stderr);
});
