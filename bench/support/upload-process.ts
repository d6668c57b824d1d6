// Takes uploads for the bench `pipeline`, in a process of its own. It is told by a message which folder they go to, and
// answers with ports: of a bare server that writes what is put to one file, and of ours. Ends when it is disconnected.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { silentLog } from '../../src/base/log.js';
import { defaultConfig } from '../../src/config/schema.js';
import type { JobQueue } from '../../src/pipeline/jobs/job-queue.js';
import { DirectoryStorage } from '../../src/pipeline/storage/directory-storage.js';
import { PieceStore } from '../../src/pipeline/upload/piece-store.js';
import { ProcessLocker } from '../../src/pipeline/upload/process-locker.js';
import { UploadServer } from '../../src/pipeline/upload/upload-server.js';
import { freePort } from '../../test/support/ports.js';

/** Where it listens. */
export interface UploadPorts {
  readonly plain: number;
  readonly ours: number;
}

async function listening(server: Server): Promise<number> {
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return port;
}

/** A server that does nothing but what has to be done: what is put is a file, and durable when it answers. */
function plainServer(folder: string): Server {
  const target = join(folder, 'plain');
  return createServer(async (incoming, response) => {
    await pipeline(incoming, createWriteStream(target));
    const file = await open(target, 'r+');
    await file.sync();
    await file.close();
    response.end();
  });
}

async function ourServer(folder: string): Promise<number> {
  const storage = new DirectoryStorage(join(folder, 'storage'));
  const store = new PieceStore({
    ...{ storage, expire: 3_600_000, log: silentLog },
    finished: async () => {},
    removed: async () => {},
  });
  const settings = { ...defaultConfig().upload, host: '127.0.0.1', port: await freePort() };
  const queue = { status: async () => undefined } as unknown as JobQueue;
  const server = new UploadServer({ settings, prefix: '', store, locker: new ProcessLocker(), queue, log: silentLog });
  await server.listen();
  return settings.port;
}

const [folder] = (await once(process, 'message')) as [string];
const ports: UploadPorts = { plain: await listening(plainServer(folder)), ours: await ourServer(folder) };
process.on('disconnect', () => process.exit());
process.send!(ports);
