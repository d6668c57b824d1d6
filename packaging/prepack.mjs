// Runs before `npm pack`, and with --undo after it: makes what a package has beside its sources. These are the compiled
// program; the addon of this machine, so that installing needs no compiler and no script; manual page, completions and
// schema.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../src/build.mjs';
import { PREBUILT } from '../src/prebuilt.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CLI = `${ROOT}dist/cli.js`;
/** Files that the program itself writes, below dist/share, by the words that have it do so. */
const SHARED = {
  'moovedge.1': ['manual'],
  'moovedge.schema.json': ['schema'],
  'completion/moovedge.bash': ['completion', 'bash'],
  'completion/_moovedge': ['completion', 'zsh'],
  'completion/moovedge.fish': ['completion', 'fish'],
};

if (process.argv.includes('--undo')) {
  rmSync(`${ROOT}native/prebuilt`, { recursive: true, force: true });
} else {
  await build();
  put(`${ROOT}${PREBUILT}`, file => copyFileSync(`${ROOT}native/build/Release/moovedge.node`, file));
  for (const [name, words] of Object.entries(SHARED)) {
    const { status, stdout } = spawnSync(process.execPath, [CLI, ...words], { encoding: 'utf8', stdio: 'pipe' });
    if (status !== 0) throw new Error(`moovedge ${words.join(' ')} ended with ${status}`);
    put(`${ROOT}dist/share/${name}`, file => writeFileSync(file, stdout));
  }
}

function put(file, write) {
  mkdirSync(dirname(file), { recursive: true });
  write(file);
}
