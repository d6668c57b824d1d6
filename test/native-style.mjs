// Holds native code to native/.clang-format, where clang-format is installed; in CI it is. `--write` puts it right.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { programPath, provide } from './packages.mjs';

const FOLDER = fileURLToPath(new URL('../native/', import.meta.url));

if (process.env.CI) provide('lint');
const program = programPath('clang-format');
if (program === undefined) {
  process.stdout.write('clang-format is not installed: the style of native code is not checked\n');
} else {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter(file => /\.(cc|h)$/.test(file) && !file.includes('build/'))
    .sort();
  const how = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
  const { status } = spawnSync(program, [...how, ...files], { cwd: FOLDER, stdio: ['ignore', 'inherit', 'inherit'] });
  process.exitCode = status ?? 1;
}
