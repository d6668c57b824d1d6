import { silentLog } from '../../src/base/log.js';
import { native } from '../../src/base/native.js';
import { Gate } from '../../src/http/gate.js';
import { createHttpServer } from '../../src/http/server.js';
import { LiveViewing } from '../../src/live/delivery/live-viewing.js';
import { Views } from '../../src/view/views.js';
import { DEFAULTS } from '../../test/support/defaults.js';
import { FakeContent, plainPackager, plainPlanner } from '../../test/support/fake-content.js';

/*
 * live-server.ts PORT RING BATCH: the live part of a worker, alone in a process, with one stream called app/name.
 */

const [port, ring, batch] = process.argv.slice(2);
const { sendToAll, limitUnsent } = native;
const viewing = new LiveViewing({
  limits: { batch: Number(batch), slow: 3000, disconnect: 120_000, grace: 10_000 },
  sendToAll,
  log: silentLog,
});
viewing.update([{ name: 'app/name', file: ring!, id: 1 }]);
const server = createHttpServer({
  ...DEFAULTS.http,
  content: new FakeContent(),
  planner: plainPlanner,
  packager: plainPackager,
  views: new Views([]),
  gate: Gate.open(native),
  live: { path: '/live/', viewing, sendToAll, limitUnsent },
});
await server.listen('0.0.0.0', Number(port));
console.log('serving');
process.on('message', () => process.send!({ ...viewing.stats, cpu: process.cpuUsage() }));
