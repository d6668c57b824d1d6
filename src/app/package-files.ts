import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Compiled code runs in dist/, beside src/; both hold this module one folder down. */
const ROOT = new URL('../../', import.meta.url);

/** Version of this package. */
export function version(): string {
  return JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')).version;
}

/** Folder of the bundled sample clips. */
export function samplesFolder(): string {
  return fileURLToPath(new URL('src/samples', ROOT));
}

/** Module that a worker process runs: compiled when this module is, source otherwise. */
export function workerEntry(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./edge-worker.${extension}`, import.meta.url));
}
