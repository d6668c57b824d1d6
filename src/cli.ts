#!/usr/bin/env node
import '../src/check-node.mjs';
import { program } from './commands/program.js';
import { runMain } from './commands/run-main.js';

// Takes the arguments out of what `ps` shows to everybody: they may hold tokens, and URLs with passwords.
process.title = `moovedge ${/^[a-z-]{1,20}$/.exec(process.argv[2] ?? '')?.[0] ?? ''}`.trim();

// Whoever reads no further, such as `head`, has read enough. Not so of an edge, whose access log it may be.
if (process.argv[2] !== 'serve') process.stdout.on('error', () => process.exit());

await runMain(() => program().parseAsync(process.argv));
