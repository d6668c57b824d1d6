// Players against a real edge that is harmed all the time: `npm run test:soak -- --minutes N`; with --cluster against
// four edges and three members of etcd, with --upload servers of uploads, with --films workers that make films, with
// --live viewers of live streams. Exit code 1 when anything was wrong.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { defaultConfig } from '../../src/config/schema.js';
import { EPOCH } from '../../src/live/publish/timeline.js';
import { clusterReport, runClusterSoak } from './cluster/run-cluster-soak.js';
import { FILM_DEATHS, filmReport, REQUEUE_MAX, runFilmSoak } from './films/run-film-soak.js';
import { liveReport, runLiveSoak } from './live/run-live-soak.js';
import { runSoak } from './run-soak.js';
import { report } from './tally.js';
import { runUploadSoak, SENT_AGAIN_MAX, uploadReport } from './upload/run-upload-soak.js';

const USAGE = `npm run test:soak -- [options]
  --minutes N     how long faults are injected (1)
  --seed N        decides the choices of players and faults (the time)
  --players N     at once (2000)
  --rate N        requests per second of all players together (150)
  --workers N     of the edge (one per core, at least 2)
  --pause N       mean milliseconds between a recovery and the next fault (250)
  --kinds A,B     only these kinds of faults
  --policy P      what both tiers keep: demand (the default), or lru, with what was viewed twice on disk
  --log FILE      append the edge's log to FILE
  --upload        servers of uploads that die at every step, --kills N (1000) times; with --seed
  --films         workers, their ffmpeg and Redis, of which each dies at each step of making a film
  --cluster       a cluster: each kind of fault once, then on until the minutes are over; with --minutes, --seed,
                  --rate (20) and --kinds
  --live          live streams: clocks over 2^24 ms and to where they begin anew, --gigabytes N (4.5), then each kind of
                  fault once and on until the minutes are over; with --minutes, --seed, --workers, --kinds and --log
`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    players: { type: 'string', default: '2000' },
    rate: { type: 'string' },
    workers: { type: 'string', default: String(Math.max(2, availableParallelism())) },
    pause: { type: 'string', default: '250' },
    kinds: { type: 'string' },
    log: { type: 'string' },
    policy: { type: 'string', default: 'demand' },
    cluster: { type: 'boolean', default: false },
    upload: { type: 'boolean', default: false },
    films: { type: 'boolean', default: false },
    kills: { type: 'string', default: '1000' },
    live: { type: 'boolean', default: false },
    gigabytes: { type: 'string', default: '4.5' },
    help: { type: 'boolean', default: false },
  },
});

type Numbers = 'minutes' | 'seed' | 'players' | 'rate' | 'workers' | 'pause' | 'kills' | 'gigabytes';

function number(name: Numbers, otherwise = ''): number {
  const text = values[name] ?? otherwise;
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} takes a number, not ${text}\n${USAGE}`);
  process.exit(2);
}

if (values.policy !== 'lru' && values.policy !== 'demand') {
  process.stderr.write(`--policy takes lru or demand, not ${values.policy}\n${USAGE}`);
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
const say = (text: string) =>
  process.stdout.write(`${String(Math.round((performance.now() - begun) / 1000)).padStart(5)} s  ${text}\n`);
const kinds = values.kinds?.split(',');
if (values.upload) {
  const result = await runUploadSoak({ kills: number('kills'), seed, signal: stop.signal, say });
  process.stdout.write(`${uploadReport(result)}\n`);
  process.exit(result.wrong + result.fallen === 0 && result.sentAgain <= SENT_AGAIN_MAX ? 0 : 1);
}
if (values.films) {
  const result = await runFilmSoak({ deaths: FILM_DEATHS, lock: defaultConfig().jobs.lock, say });
  process.stdout.write(`${filmReport(result)}\n`);
  process.exit(result.violations.length === 0 && result.requeued <= REQUEUE_MAX ? 0 : 1);
}
if (values.cluster) {
  const result = await runClusterSoak({
    duration: number('minutes') * 60_000,
    seed,
    rate: number('rate', '20'),
    signal: stop.signal,
    ...(kinds && { kinds }),
    say,
  });
  process.stdout.write(`${clusterReport(result)}\n`);
  process.exit(result.violations.length === 0 ? 0 : 1);
}
if (values.live) {
  const result = await runLiveSoak({
    duration: number('minutes') * 60_000,
    seed,
    workers: number('workers'),
    watchers: 40,
    players: 8,
    volume: number('gigabytes') * 2 ** 30,
    clocks: [2 ** 24, EPOCH],
    signal: stop.signal,
    ...(kinds && { kinds }),
    ...(values.log !== undefined && { logFile: values.log }),
    say,
  });
  process.stdout.write(`${liveReport(result)}\n`);
  process.exit(result.tally.violationCount === 0 ? 0 : 1);
}
const tally = await runSoak({
  duration: number('minutes') * 60_000,
  seed,
  players: number('players'),
  rate: number('rate', '150'),
  workers: number('workers'),
  pause: number('pause'),
  originPatience: 3,
  calm: 5000,
  signal: stop.signal,
  policy: values.policy,
  ...(kinds && { kinds }),
  ...(values.log !== undefined && { logFile: values.log }),
  say,
});
process.stdout.write(`${report(tally)}\n`);
process.exit(
  tally.violationCount + tally.wrongBytes + tally.hangs + tally.crashes + tally.leakedProcesses === 0 ? 0 : 1,
);
