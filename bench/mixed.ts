import { caches } from './support/caches.js';
import { CPU_1000, resultTables, startContestants, takeTurns } from './support/contest.js';
import { runFolder } from './support/folder.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';
import { onClientCore, type Server } from './support/server.js';
import { type Session, sessions } from './support/session.js';
import { Viewer } from './support/viewer.js';
import type { Load } from './support/wrk.js';

const CACHE_SIZE = 1024 * 2 ** 20;
const FILMS = { films: 320, filmSize: 16 };

/**
 * Players as they are: they come at a fixed rate, read the beginning of a film, then half a second of it every half
 * second, seek, pause and leave. Films are five times as large as the cache, so some of what is asked for is not there.
 * `--arrivals PER-SECOND`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { arrivals: '25' });
  const arrivals = Number(options.rest.arrivals);
  // A trace needs time to get into its swing.
  const seconds = options.seconds * 2;
  const folder = runFolder(2 * CACHE_SIZE);
  const origin = await startNoiseOrigin();
  const { servers, notes } = await startContestants(
    caches({ origin: origin.url, folder, memory: CACHE_SIZE, cold: true }),
    options,
  );
  const drive = (server: Server, seed: number) =>
    play(server, sessions({ ...FILMS, arrivals, seconds, seed: seed + 1 }), seconds);
  const results = await onClientCore(() => takeTurns(servers, drive, options.rounds, origin.bytes, options.warm));
  await Promise.all(servers.map(server => server.stop()));
  origin.close();
  return {
    title: 'players who come, read at the pace of the film, seek, pause and leave',
    tables: resultTables(`${arrivals} players a second`, results, CPU_1000),
    notes: [
      'the rate is given: compare CPU and p99; p50 and p99 are the times to the first byte; failed are chunks that did not come, or came later than they were due to play',
      'trafficserver fetches a file whole, in the background, when a range of it is asked for; varnish at once',
      ...notes,
    ],
  };
}

/** Plays sessions for so many seconds; players who have not left by then leave. */
async function play(server: Server, trace: readonly Session[], seconds: number): Promise<Load> {
  const delays: number[] = [];
  let [bytes, failed] = [0, 0];
  const begun = performance.now();
  const end = begun + seconds * 1000;
  const session = async ({ at, path, chunks }: Session) => {
    await sleepUntil(begun + at * 1000);
    const viewer = await Viewer.connect(server.port);
    for (const { from, to, seconds: played } of chunks) {
      const due = performance.now() + played * 1000;
      if (performance.now() > end) break;
      const viewing = await viewer.watch(path, `bytes=${from}-${to - 1}`).catch(() => undefined);
      if (viewing === undefined) {
        failed++;
        break;
      }
      delays.push(viewing.first - viewing.asked);
      bytes += viewing.bytes;
      if (played > 0 && performance.now() > due) failed++;
      if (due < end) await sleepUntil(due);
    }
    viewer.leave();
  };
  await Promise.all(trace.map(session));
  const sample = new Sample(delays.map(delay => delay / 1000));
  return { requests: delays.length, bytes, seconds, p50: sample.median, p99: sample.quantile(0.99), failed };
}

function sleepUntil(time: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, time - performance.now()));
}
