// A server of uploads over a directory, as `moovedge upload` makes it, that dies at a step it is told. It waits for a
// message with what it is to be, `{root, settings, death: {step, when, nth}}`, so that one is at hand when another has
// died. Jobs are objects in the directory.
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../../dist/base/log.js';
import { DirectoryStorage } from '../../../dist/pipeline/storage/directory-storage.js';
import { PieceStore } from '../../../dist/pipeline/upload/piece-store.js';
import { ProcessLocker } from '../../../dist/pipeline/upload/process-locker.js';
import { UploadServer } from '../../../dist/pipeline/upload/upload-server.js';

process.on('disconnect', () => process.exit());
const [{ root, settings, death }] = await once(process, 'message');
const sockets = new Set();
subscribe('net.server.socket', ({ socket }) => sockets.add(socket));

let left = death?.nth ?? 0;

/** Dies when it is time, and says before how many bytes each client's connection had brought. */
function pass(step, when) {
  if (death?.step !== step || death.when !== when || left-- > 0) return;
  if (when === 'during') return process.send('now');
  const read = [...sockets].map(({ remotePort, bytesRead }) => [remotePort, bytesRead]);
  writeFileSync(join(root, `read-${settings.port}`), JSON.stringify(Object.fromEntries(read)));
  process.kill(process.pid, 'SIGKILL');
}

const storage = new DirectoryStorage(join(root, 'storage'));
/** Has `act` be a step of its own. */
const stepping =
  (nameOf, act) =>
  async (...args) => {
    const step = nameOf(...args);
    pass(step, 'before');
    pass(step, 'during');
    const result = await act(...args);
    pass(step, 'after');
    return result;
  };
const put = storage.put.bind(storage);
const { lazy } = storage;
storage.put = stepping(key => {
  const name = key.split('/').at(-1);
  return name.includes('-') ? 'piece' : /^\d+$/.test(name) ? 'length' : name;
}, put);
storage.lazy = { put: stepping(() => 'piece', lazy.put), flush: stepping(() => 'flush', lazy.flush) };
const job = async id => {
  pass('job', 'before');
  await put(`jobs/${id}`, Buffer.from(''), { ifAbsent: true });
  pass('job', 'after');
};
const store = new PieceStore({ storage, expire: 3_600_000, log: silentLog, finished: job, removed: async () => {} });
const queue = { status: async () => undefined };
const server = new UploadServer({ settings, prefix: '', store, locker: new ProcessLocker(), queue, log: silentLog });
await server.listen();
process.send('ready');
