import { silentLog } from '../../../src/base/log.js';
import { Environment } from '../../../src/store/environment.js';

/* Writes ten values of 20,000 bytes that repeat the number of the round, again and again, until it is killed. */
const store = Environment.open({
  path: process.argv[2]!,
  format: 'test 1',
  tables: ['a'],
  mapSize: 64 * 1024 * 1024,
  log: silentLog,
});
const table = store.table('a');
let round = table.get(Buffer.from('0'))?.readUInt32LE(0) ?? 0;
process.on('disconnect', () => process.exit());
for (;;) {
  round++;
  const word = Buffer.alloc(4);
  word.writeUInt32LE(round);
  const value = Buffer.alloc(20_000).fill(word);
  await store.batch(() => {
    for (let key = 0; key < 10; key++) table.put(Buffer.from(String(key)), value);
  });
  process.send!(round);
}
