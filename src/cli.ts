#!/usr/bin/env node
import '../src/check-node.mjs';
import { program } from './commands/program.js';
import { runMain } from './commands/run-main.js';

await runMain(() => program().parseAsync(process.argv));
