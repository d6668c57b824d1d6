/** An edge with fake workers, as its own process: `fake-edge-main.ts CONFIG [--take-over]`. */

import { fileURLToPath } from 'node:url';
import { runMain } from '../../../src/commands/run-main.js';
import { serve } from '../../../src/commands/serve.js';
import { fakeServices } from './fake-services.js';

// The test holds the other end: when it dies, however that may be, this edge dies with it.
process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume();

const worker = fileURLToPath(new URL('fake-worker.ts', import.meta.url));
await runMain(() =>
  serve({
    sources: { file: process.argv[2], flags: [], env: {} },
    takeOver: process.argv.includes('--take-over'),
    role: { workerEntry: worker, services: fakeServices },
  }),
);
