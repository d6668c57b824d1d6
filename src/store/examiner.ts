import { silentLog } from '../base/log.js';
import { Environment } from './environment.js';
import { DAMAGED, type Examination } from './examination.js';
import { isDamage } from './store-error.js';

/* The process that examines an environment: see examination.ts. It ends with status 0, with DAMAGED, or by a signal. */

const { environment, values, timeLimit } = JSON.parse(process.argv[2]!) as Examination;
const deadline = Date.now() + timeLimit;
process.on('disconnect', () => process.exit(0));

function walk(store: Environment): void {
  let entries = 0;
  for (const name of environment.tables) {
    const table = store.table(name);
    for (const key of table.keys()) {
      if (values) table.getShared(key);
      if (++entries % 256 === 0 && Date.now() > deadline) return;
    }
  }
}

try {
  const store = Environment.open({ ...environment, readOnly: true, log: silentLog });
  walk(store);
} catch (error) {
  process.exit(isDamage(error) ? DAMAGED : 0);
}
process.exit(0);
