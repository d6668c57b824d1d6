import { silentLog } from '../../../src/base/log.js';
import { Environment } from '../../../src/store/environment.js';

/* Opens an environment for reading and closes it, again and again. Arguments: data file, times. */
const [path, times] = process.argv.slice(2);
for (let time = 0; time < Number(times); time++) {
  await Environment.open({
    path: path!,
    format: 'test 1',
    tables: ['a'],
    mapSize: 64 * 1024 * 1024,
    readOnly: true,
    log: silentLog,
  }).close();
}
