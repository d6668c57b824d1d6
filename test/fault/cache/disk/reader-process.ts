import { silentLog } from '../../../../src/base/log.js';
import { DiskReader } from '../../../../src/cache/disk/disk-reader.js';
import { content, load, objectId } from '../../../unit/cache/disk/support.js';

/*
 * A worker that reads random blocks of objects 0 to OBJECTS - 1 and compares every byte, until it is told to stop.
 * Arguments: folder, capacity, objects, blocks of each. Reports what it has found.
 */
const [folder, capacity, objects, blocks] = process.argv.slice(2);
const reader = new DiskReader({
  folder: folder!,
  capacity: Number(capacity),
  log: silentLog,
  checkInterval: 50,
  concurrency: 4,
});
const found = { right: 0, missing: 0, wrong: 0, stats: reader.stats };
let stopped = false;
process.on('disconnect', () => process.exit());
process.on('message', () => {
  stopped = true;
});

async function readOne(): Promise<void> {
  const object = Math.floor(Math.random() * Number(objects));
  const block = Math.floor(Math.random() * Number(blocks));
  if (!reader.has(objectId(object), block)) {
    found.missing++;
    await new Promise(resolve => setImmediate(resolve));
    return;
  }
  const bytes = await load(reader, object, block);
  if (bytes === undefined) found.missing++;
  else if (bytes.equals(content(object, block))) found.right++;
  else found.wrong++;
}

process.send!('reading');
while (!stopped) await Promise.all([readOne(), readOne(), readOne(), readOne()]);
process.send!(found);
reader.close();
process.disconnect();
