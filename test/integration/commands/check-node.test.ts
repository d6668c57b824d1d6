import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-check-node-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs the check as though this were another Node.js. */
function check({
  versions = {},
  arch = 'x64',
  platform = 'linux',
  glibc = '2.36',
  script = 'src/check-node.mjs',
  env = {},
}: {
  versions?: { node?: string; modules?: string };
  arch?: string;
  platform?: string;
  glibc?: string;
  script?: string;
  env?: Record<string, string>;
}) {
  const pretend = `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, ...${JSON.stringify(versions)} } });
    Object.defineProperty(process, 'arch', { value: '${arch}' });
    Object.defineProperty(process, 'platform', { value: '${platform}' });
    process.report.getReport = () => ({ header: { glibcVersionRuntime: '${glibc}' } });
  `;
  const preload = `data:text/javascript,${encodeURIComponent(pretend)}`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', preload, path.resolve(root, script)], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  return { status, stderr };
}

test('the versions that it lets pass are those that the front end has binaries for, and those of package.json', () => {
  for (const [abi, node] of [
    ['115', '20.9.0'],
    ['127', '22.0.0'],
  ] as const) {
    for (const arch of ['x64', 'arm64']) {
      assert.ok(
        existsSync(`${root}node_modules/uWebSockets.js/dist/bin/uws_linux_${arch}_${abi}.node`),
        `${arch} ${abi}`,
      );
      assert.deepEqual(check({ versions: { node, modules: abi }, arch }), { status: 0, stderr: '' });
    }
  }
  const { engines, dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  assert.equal(engines.node, '^20.9.0 || ^22.0.0 || ^24.0.0');
  assert.ok(readFileSync(`${root}src/check-node.mjs`, 'utf8').includes(`'${dependencies['uWebSockets.js']}'`));
});

test('another version is told which work and what installs another build', () => {
  for (const versions of [
    { node: '18.20.0', modules: '108' },
    { node: '21.7.0', modules: '120' },
    { node: '26.0.0', modules: '147' },
    { node: '20.8.1', modules: '115' },
  ]) {
    const { status, stderr } = check({ versions });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`no front end for Node ${versions.node.replaceAll('.', '\\.')} on x64`));
    assert.match(stderr, /Node 20 \(20\.9 or later\) and Node 22.*\nand on Node 24 where glibc is 2\.38 or later/);
    assert.match(stderr, /npx -y -p node@22 npm ci/);
    assert.match(stderr, /npm install uWebSockets\.js@github:uNetworking\/uWebSockets\.js#v/);
  }
  assert.equal(check({ arch: 'ia32' }).status, 1);
  assert.match(check({ platform: 'darwin' }).stderr, /runs on Linux; this is darwin/);
});

test('Node 24 is let pass where the C library is new enough for the front end of those who make it', () => {
  const versions = { node: '24.9.0', modules: '137' };
  for (const glibc of ['2.38', '2.41', '3.0']) assert.deepEqual(check({ versions, glibc }), { status: 0, stderr: '' });
  for (const glibc of ['2.36', '2.4', '1.99']) {
    const { status, stderr } = check({ versions, glibc });
    assert.equal(status, 1);
    assert.match(
      stderr,
      new RegExp(`no front end for Node 24\\.9\\.0 on x64 with glibc ${glibc.replace('.', '\\.')}\\.`),
    );
  }
});

test('somebody who brings another build of the front end is let pass', () => {
  mkdirSync(`${folder}/src`);
  for (const name of ['check-node.mjs', 'prebuilt.mjs']) copyFileSync(`${root}src/${name}`, `${folder}/src/${name}`);
  const dependencies = { 'uWebSockets.js': 'github:uNetworking/uWebSockets.js#v20.60.0' };
  writeFileSync(`${folder}/package.json`, JSON.stringify({ type: 'module', dependencies }));
  const script = `${folder}/src/check-node.mjs`;
  assert.deepEqual(check({ script, versions: { node: '26.0.0', modules: '147' } }), { status: 0, stderr: '' });
});

test('at installation, missing tools are named with the command that installs them', () => {
  const env = { PATH: folder, npm_lifecycle_event: 'preinstall' };
  const { status, stderr } = check({ env });
  assert.equal(status, 1);
  assert.match(stderr, /apt-get install -y make python3 g\+\+/);
  assert.equal(check({ env: { PATH: folder } }).status, 0, 'not when it only runs');
});
