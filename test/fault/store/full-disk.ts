import { silentLog } from '../../../src/base/log.js';
import { Environment } from '../../../src/store/environment.js';

/*
 * Fills a small file system by batches and transactions of values of all sizes, and goes on trying. Arguments: data
 * file. Reports how many were committed and how many were refused, and that what was committed is there.
 */
const store = Environment.open({
  path: process.argv[2]!,
  format: 'test 1',
  tables: ['a', 'b'],
  mapSize: 64 * 1024 * 1024,
  log: silentLog,
});
const found = { committed: 0, refused: 0, lost: 0 };
const kept = new Map<string, number>();

function value(round: number): Buffer {
  return Buffer.alloc([10, 1000, 5000, 60_000, 262_192][round % 5]!, round);
}

for (let round = 0; found.refused < 100; round++) {
  const name = String(round % 200);
  const change = () => {
    store.table('a').put(Buffer.from(name), value(round));
    store.table('b').put(Buffer.from(`${name}-${round}`), Buffer.alloc(8, round));
  };
  try {
    if (round % 2 === 0) store.transaction(change);
    else await Promise.all([store.batch(change), store.batch(() => store.table('b').remove(Buffer.from('none')))]);
    kept.set(name, round);
    found.committed++;
  } catch {
    found.refused++;
  }
}
store.refresh();
for (const [name, round] of kept) {
  if (!store.table('a').get(Buffer.from(name))?.equals(value(round))) found.lost++;
}
process.send!(found);
await store.close();
process.disconnect();
