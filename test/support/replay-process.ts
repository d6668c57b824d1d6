/**
 * Takes nonces of requests of one time as a worker does, for a test: sends `ready`, is sent a list, answers which were
 * fresh. Arguments: the folder, and the time that all requests say, milliseconds since 1970.
 */
import { ReplayGuard } from '../../src/cluster/peer/replay-guard.js';

const guard = new ReplayGuard(process.argv[2]!);
const time = Number(process.argv[3]);
process.on('message', (nonces: string[]) => {
  process.send!(nonces.map(each => guard.isFresh(each, time, time)));
});
process.send!('ready');
