import { type Log, silentLog } from '../../../../src/base/log.js';
import { DiskWriter } from '../../../../src/cache/disk/disk-writer.js';
import { content, objectId } from '../../../unit/cache/disk/support.js';

/*
 * Writes random blocks of objects until it is killed. Arguments: folder, capacity, objects, blocks of each. Says when
 * the ring has turned.
 */
const [folder, capacity, objects, blocks] = process.argv.slice(2);
const log: Log = { ...silentLog, error: (fields, text) => console.error(text, fields) };
const writer = new DiskWriter({
  folder: folder!,
  capacity: Number(capacity),
  log,
});
process.on('disconnect', () => process.exit());
let said = 0;
for (;;) {
  const object = Math.floor(Math.random() * Number(objects));
  const block = Math.floor(Math.random() * Number(blocks));
  writer.offer(objectId(object), block, content(object, block));
  // As in the product, the process ends: LMDB may have left its memory in disorder.
  if (writer.broken) process.exit(1);
  const turns = Math.floor((writer.stats.written * 4) / Math.max(1, writer.stats.blocks));
  if (turns > said) {
    said = turns;
    process.send!(writer.stats);
    await new Promise(resolve => setImmediate(resolve));
  }
}
