// Players against a real edge that is harmed all the time: `npm run test:soak -- --minutes N`. Exit code 1 when
// anything was wrong.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runSoak } from './run-soak.js';
import { report } from './tally.js';

const USAGE = `npm run test:soak -- [options]
  --minutes N     how long faults are injected (1)
  --seed N        decides the choices of players and faults (the time)
  --players N     at once (2000)
  --rate N        requests per second of all players together (150)
  --workers N     of the edge (one per core, at least 2)
  --pause N       mean milliseconds between a recovery and the next fault (250)
  --kinds A,B     only these kinds of faults
  --log FILE      append the edge's log to FILE
`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    players: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '150' },
    workers: { type: 'string', default: String(Math.max(2, availableParallelism())) },
    pause: { type: 'string', default: '250' },
    kinds: { type: 'string' },
    log: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function number(name: 'minutes' | 'seed' | 'players' | 'rate' | 'workers' | 'pause'): number {
  const value = Number(values[name]);
  if (values[name] !== '' && Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} takes a number, not ${values[name]}\n${USAGE}`);
  process.exit(2);
}

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const stop = new AbortController();
process.on('SIGINT', () => stop.abort());
process.on('SIGTERM', () => stop.abort());

const begun = performance.now();
const seed = number('seed');
process.stdout.write(`seed ${seed}\n`);
const tally = await runSoak({
  duration: number('minutes') * 60_000,
  seed,
  players: number('players'),
  rate: number('rate'),
  workers: number('workers'),
  pause: number('pause'),
  originPatience: 3,
  calm: 5000,
  signal: stop.signal,
  ...(values.kinds !== undefined && { kinds: values.kinds.split(',') }),
  ...(values.log !== undefined && { logFile: values.log }),
  say: text =>
    process.stdout.write(`${String(Math.round((performance.now() - begun) / 1000)).padStart(5)} s  ${text}\n`),
});
process.stdout.write(`${report(tally)}\n`);
process.exit(
  tally.violationCount + tally.wrongBytes + tally.hangs + tally.crashes + tally.leakedProcesses === 0 ? 0 : 1,
);
