/** A Debian package is built and installed into a root of its own, from where an edge serves. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { Edge } from '../../support/edge.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SAMPLES = join(ROOT, 'src/samples');
const folder = mkdtempSync(join(tmpdir(), 'moovedge-deb-test-'));
const root = join(folder, 'root');
const PROGRAM = 'usr/lib/moovedge';
let deb = '';
before(() => {
  const output = execFileSync(process.execPath, ['packaging/deb.mjs', folder, '-Znone'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  deb = output.trim();
  for (const name of ['info', 'updates', 'triggers']) mkdirSync(join(root, 'var/lib/dpkg', name), { recursive: true });
  writeFileSync(join(root, 'var/lib/dpkg/status'), '');
  const flags = ['--force-not-root', '--force-script-chrootless', '--force-depends', '--log=/dev/null'];
  execFileSync('dpkg', [`--root=${root}`, ...flags, '--install', deb], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // dpkg looks for programs of administrators, which scripts of other packages need.
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
});
after(() => rmSync(folder, { recursive: true, force: true }));

function field(name: string): string {
  return execFileSync('dpkg-deb', ['--field', deb, name], { encoding: 'utf8' }).trim();
}

test('the package says what it is and needs, and belongs to root', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  assert.equal(field('Package'), 'moovedge');
  assert.equal(field('Version'), version);
  assert.match(field('Depends'), /^nodejs \(>= 20\.9\), libc6 \(>= 2\.\d+\), libstdc\+\+6$/);
  const listed = execFileSync('dpkg-deb', ['--contents', deb], { encoding: 'utf8', maxBuffer: 2 ** 26 }).trim();
  for (const line of listed.split('\n')) assert.match(line, /^[dlrwx-]{10} root\/root /);
  assert.doesNotMatch(listed, /^[d-].......w/m, 'nobody else may write');
});

test('what is installed is a program with its packages, and nothing to build or test it with', () => {
  for (const path of [
    'etc/moovedge/moovedge.yaml',
    'usr/lib/systemd/system/moovedge.service',
    'usr/lib/sysusers.d/moovedge.conf',
    'usr/share/bash-completion/completions/moovedge',
    'usr/share/zsh/vendor-completions/_moovedge',
    'usr/share/fish/vendor_completions.d/moovedge.fish',
    `${PROGRAM}/node_modules/lmdb/package.json`,
  ]) {
    assert.ok(existsSync(join(root, path)), path);
  }
  assert.match(gunzipSync(readFileSync(join(root, 'usr/share/man/man1/moovedge.1.gz'))).toString(), /^\.TH MOOVEDGE 1/);
  for (const name of ['typescript', 'node-addon-api', 'tsx', 'hls.js'])
    assert.ok(!existsSync(join(root, PROGRAM, 'node_modules', name)), name);
  assert.deepEqual(readdirSync(join(root, PROGRAM, 'native')), ['prebuilt']);
  const binaries = readdirSync(join(root, PROGRAM, 'node_modules/uWebSockets.js/dist/bin'));
  assert.ok(binaries.length > 0 && binaries.every(name => name.startsWith(`uws_linux_${process.arch}_`)));
  const schema = JSON.parse(readFileSync(join(root, 'usr/share/moovedge/moovedge.schema.json'), 'utf8'));
  assert.ok('origins' in schema.properties);
});

test('the command works, and likes the configuration that it comes with', () => {
  const run = (...args: string[]) => spawnSync(join(root, 'usr/bin/moovedge'), args, { encoding: 'utf8' });
  assert.equal(run('--version').stdout.trim(), field('Version'));
  const file = join(root, 'etc/moovedge/moovedge.yaml');
  const { status, stdout, stderr } = run('check-config', file);
  assert.deepEqual([status, stdout], [0, `${file}: good\n`], stderr);
});

test('an edge serves from there', async () => {
  const edge = await Edge.start({
    origin: SAMPLES,
    entry: [join(root, PROGRAM, 'dist/cli.js'), 'serve', '--config'],
    settings: 'cache: {memory: {size: 64MiB, file: $FOLDER/cache}}',
  });
  try {
    assert.equal((await edge.get('/bframes-faststart.mp4?start=5')).status, 200);
    const page = await fetch(`${edge.admin}/`);
    assert.match(await page.text(), /<title>moovedge/);
  } finally {
    await edge.end();
  }
});
