// npm's `install`: builds the addon by node-gyp, which npm puts into the path, unless the package brings one.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bringsAddon } from './prebuilt.mjs';

if (!bringsAddon()) {
  const { status, error } = spawnSync('node-gyp', ['rebuild', '-C', 'native', '--silent'], {
    cwd: fileURLToPath(new URL('../', import.meta.url)),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) process.stderr.write(`moovedge: node-gyp can't be run: ${error.message}\n`);
  process.exitCode = status ?? 1;
}
