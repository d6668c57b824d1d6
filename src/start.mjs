// `npm start -- …`: builds what is missing or older than its sources, then becomes `moovedge serve …` in this same
// process, so that a signal to npm or to this process reaches the edge and no process is left behind.
import '../src/check-node.mjs';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const CLI = new URL('../dist/cli.js', import.meta.url);

await build();
process.argv.splice(1, process.argv.length, fileURLToPath(CLI), 'serve', ...process.argv.slice(2));
await import(CLI.href);
