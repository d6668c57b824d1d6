// Builds what is missing or older than its sources, before it is run from a checkout.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../', import.meta.url);
const CLI = new URL('dist/cli.js', ROOT);
const BUILD_INFO = new URL('dist/.tsbuildinfo', ROOT);
const ADDON = new URL('native/build/Release/moovedge.node', ROOT);

/** Milliseconds since 1970 at which the newest file under a folder that `matches` was changed. */
function newest(folder, matches) {
  const files = readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' });
  return Math.max(
    0,
    ...files.filter(file => matches.test(file)).map(file => statSync(new URL(`${folder}${file}`, ROOT)).mtimeMs),
  );
}

function isOlder(file, time) {
  return !existsSync(file) || statSync(file).mtimeMs < time;
}

/** Runs a step of the build; ends this process when it fails, or when a signal ends it. */
async function run(what, command, args) {
  process.stderr.write(`moovedge: building ${what} …\n`);
  const child = spawn(command, args, { cwd: fileURLToPath(ROOT), stdio: ['ignore', 'inherit', 'inherit'] });
  const forward = signal => child.kill(signal);
  const signals = ['SIGTERM', 'SIGINT'];
  for (const signal of signals) process.on(signal, forward);
  const failure = await new Promise(resolve => {
    child.on('error', error => resolve(error.message));
    child.on('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  for (const signal of signals) process.off(signal, forward);
  if (failure === undefined) return;
  process.stderr.write(`moovedge: building ${what} failed: ${failure}\n`);
  process.exit(1);
}

/** Builds the addon and the program; ends this process where that fails. */
export async function build() {
  if (isOlder(ADDON, newest('native/', /^[^/]*\.(cc|h|gyp)$/))) {
    await run('the addon', 'npm', ['run', 'install', '--silent']);
  }
  if (isOlder(CLI, 0) || isOlder(BUILD_INFO, newest('src/', /\.ts$/))) {
    const tsc = new URL('node_modules/typescript/bin/tsc', ROOT);
    if (existsSync(tsc)) {
      await run('the program', process.execPath, [fileURLToPath(tsc), '-p', 'tsconfig.json']);
      // The compiler leaves its notes alone when no meaning has changed.
      utimesSync(BUILD_INFO, new Date(), new Date());
    } else if (!existsSync(CLI)) {
      process.stderr.write('moovedge: the compiler is not installed; run: npm ci && npm run build\n');
      process.exit(1);
    }
  }
}
