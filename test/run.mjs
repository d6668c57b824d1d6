// `npm test [-- GROUP|PART-OF-A-PATH …]`: sees to the programs that tests start, builds, then runs every test, or those
// that are named (`npm test -- unit`). When all are run, those that fail are run once more by themselves: on a machine
// that is busy something may be late. What passes then is told as unsteady, and is to be mended.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provide } from './packages.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Files that run at once, beside one that mostly waits: the continuous integration's machine has two cores. */
const CONCURRENCY = 2;
/** Most files that are run once more: when more fail, it is not by chance. */
const AGAIN_MAX = 4;
const BIN = `${ROOT}node_modules/.bin/`;

/** Runs a step; whether it succeeded. */
function succeeds(name, command, args) {
  const begun = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) process.stderr.write(`${error.message}\n`);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (status === 0) process.stdout.write(`✔ ${name} (${seconds} s)\n`);
  else process.stderr.write(`✖ ${name} failed after ${seconds} s\n`);
  return status === 0;
}

/** Runs a step and ends this process when it fails. */
function step(name, command, args) {
  if (!succeeds(name, command, args)) process.exit(1);
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
step('build of the tests', process.execPath, ['test/compile.mjs']);
const imports = ['compiled.mjs', 'assertions.mjs'].map(name => new URL(name, import.meta.url).href);
const flags = ['--enable-source-maps', ...imports.flatMap(url => ['--import', url])];

/** Runs files of tests, `concurrency` at once; gives those of them that failed, or none. */
function failedOf(name, tests, concurrency) {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-tests-'));
  const list = join(folder, 'failed');
  const passed = succeeds(name, process.execPath, [...flags, 'test/run-files.mjs', list, concurrency, ...tests]);
  const failed = passed || !existsSync(list) ? [] : readFileSync(list, 'utf8').trim().split('\n');
  rmSync(folder, { recursive: true });
  if (passed) return [];
  // Tests that several files share are told by the file that states them.
  const shared = failed.filter(file => !tests.includes(file)).map(file => basename(file).replace(/ts$/, 'js'));
  const found = tests.filter(
    file => failed.includes(file) || shared.some(each => readFileSync(ROOT + file, 'utf8').includes(`/${each}'`)),
  );
  return found.length > 0 ? found : tests;
}

let failed = failedOf('tests', files, CONCURRENCY);
if (failed.length > 0 && failed.length <= AGAIN_MAX && wanted.length === 0) {
  const again = failed;
  failed = failedOf('once more, by themselves', again, 1);
  if (failed.length === 0)
    process.stderr.write(`unsteady, to be mended:\n${again.map(file => `  ${file}\n`).join('')}`);
}
process.exit(failed.length > 0 ? 1 : 0);
