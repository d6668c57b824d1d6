/** Takes nonces as a worker does, for a test: sends `ready`, is sent a list, answers which were fresh. */
import { ReplayGuard } from '../../src/cluster/peer/replay-guard.js';

const guard = new ReplayGuard(process.argv[2]!);
process.on('message', (nonces: string[]) => {
  const now = Date.now() - (Date.now() % 15_000);
  process.send!(nonces.map(each => guard.isFresh(each, now, now)));
});
process.send!('ready');
