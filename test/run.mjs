// `npm test [-- GROUP|PART-OF-A-PATH …]`: sees to the programs that tests start, builds, then runs every test, or those
// that are named (`npm test -- unit`).
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { provide } from './packages.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Files that run at once: the machine of the continuous integration has two cores, and browsers need one each. */
const CONCURRENCY = 2;
/** Milliseconds that a file of tests may take on a machine that is busy with other things, too. */
const TIMEOUT = 900_000;
const BIN = `${ROOT}node_modules/.bin/`;

/** Runs a step and ends this process when it fails. */
function step(name, command, args, options = {}) {
  const begun = performance.now();
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error !== undefined) process.stderr.write(`${error.message}\n`);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (status !== 0) {
    process.stderr.write(`✖ ${name} failed after ${seconds} s\n`);
    process.exit(status || 1);
  }
  if (name !== 'tests') process.stdout.write(`✔ ${name} (${seconds} s)\n`);
}

function testFiles(wanted) {
  const all = readdirSync(`${ROOT}test`, { recursive: true, encoding: 'utf8' })
    .filter(file => /\.test\.(ts|mjs)$/.test(file))
    .map(file => `test/${file}`)
    .sort();
  const matches = (file, part) => file.startsWith(`test/${part}/`) || file.includes(part.replace(/^(\.\/)?/, ''));
  return wanted.length === 0 ? all : all.filter(file => wanted.some(part => matches(file, part)));
}

const wanted = process.argv.slice(2);
const files = testFiles(wanted);
if (files.length === 0) {
  process.stderr.write(`no test file matches ${wanted.join(' ')}\n`);
  process.exit(1);
}
provide('test');
if (!existsSync(`${ROOT}native/build/Release/moovedge.node`)) step('addon', 'npm', ['run', 'install', '--silent']);
// Coverage of what runs from dist/ is told by its sources.
const maps = process.env.NODE_V8_COVERAGE === undefined ? [] : ['--sourceMap'];
step('build', `${BIN}tsc`, ['-p', 'tsconfig.json', ...maps]);
const assertions = new URL('assertions.mjs', import.meta.url).href;
const flags = ['--import', 'tsx', '--import', assertions, '--test', `--test-concurrency=${CONCURRENCY}`];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 20 || minor >= 11) flags.push(`--test-timeout=${TIMEOUT}`);
step('tests', process.execPath, [
  ...flags,
  '--test-reporter=./test/reporter.mjs',
  '--test-reporter-destination=stdout',
  ...files,
]);
