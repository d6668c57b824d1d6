import { setTimeout as sleep } from 'node:timers/promises';
import type { Totals } from '../observe/totals.js';
import type { EdgeStats } from '../supervisor/supervisor.js';
import type { AdminClient } from './admin-client.js';
import { bytes, duration, percent } from './figures.js';

const CLEAR = '\x1b[H\x1b[J';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const BOLD = '\x1b[1m';
const PLAIN = '\x1b[0m';

/**
 * A live view of a running edge in the terminal, until Ctrl-C; where there is no terminal, one view.
 * @param interval milliseconds between views
 * @throws EdgeError when the edge can't be reached
 */
export async function top(client: AdminClient, interval: number): Promise<void> {
  const isLive = process.stdout.isTTY;
  let before = await look(client);
  if (isLive) {
    process.stdout.write(HIDE_CURSOR);
    process.on('exit', () => process.stdout.write(SHOW_CURSOR));
    process.on('SIGINT', () => process.exit(0));
  }
  do {
    await sleep(interval);
    const now = await look(client);
    const view = render(now.stats, before.stats.totals, (now.at - before.at) / 1000);
    process.stdout.write(isLive ? CLEAR + view.replace(/^.*$/m, `${BOLD}$&${PLAIN}`) : view);
    before = now;
  } while (isLive);
}

async function look(client: AdminClient): Promise<{ stats: EdgeStats; at: number }> {
  const stats = (await client.json('GET', '/stats')) as EdgeStats;
  return { stats, at: performance.now() };
}

/**
 * The view as text.
 * @param before totals of the view before; rates are differences to it
 * @param seconds time between the two
 */
export function render(stats: EdgeStats, before: Totals, seconds: number): string {
  const { totals, workers, listen, version, generation, ready, uptimeSeconds } = stats;
  const rate = (read: (totals: Totals) => number) => Math.max(0, (read(totals) - read(before)) / seconds);
  const fetched = (each: Totals) => Object.values(each.origins).reduce((sum, { bytes }) => sum + bytes, 0);
  const byClass = Object.keys(totals.requestsByClass)
    .sort()
    .map(status => `${status} ${number(rate(each => each.requestsByClass[status] ?? 0))}/s`);
  const rows: string[][] = [
    ['requests', `${number(rate(each => each.requests))}/s`, byClass.join('  ')],
    [
      'sent',
      `${bytes(rate(each => each.responseBytes))}/s`,
      `${number(totals.openResponses)} answers under way, ${number(totals.openConnections)} connections`,
    ],
    ['first byte', `p50 ${milliseconds(totals.ttfb.p50)}`, `p99 ${milliseconds(totals.ttfb.p99)}`],
    ['seek plan', `p50 ${milliseconds(totals.seekPlan.p50)}`, `p99 ${milliseconds(totals.seekPlan.p99)}`],
    [
      'block hits',
      totals.hitRatio === undefined ? '-' : percent(totals.hitRatio, 1),
      Object.entries(totals.lookups)
        .map(([tier, n]) => `${tier} ${number(n)}`)
        .join('  '),
    ],
    ['from origins', `${bytes(rate(fetched))}/s`, `first byte p99 ${milliseconds(totals.originTtfb.p99)}`],
    ...Object.entries(totals.cache).map(([tier, { bytes: held, capacity }]) => [
      `${tier} tier`,
      percent(held, capacity),
      `${bytes(held)} of ${bytes(capacity)}`,
    ]),
    ...Object.entries(totals.origins).map(([name, origin]) => [
      `origin ${name}`,
      `${number(rate(each => each.origins[name]?.requests ?? 0))}/s`,
      `${number(origin.failures)} failures, ${bytes(origin.bytes)} in all`,
    ]),
    ...workers.map(worker => [
      `worker ${worker.index}`,
      worker.state,
      `pid ${worker.pid}, generation ${worker.generation}, up ${duration(worker.uptimeSeconds)}`,
    ]),
  ];
  const title = `moovedge ${version}  port ${listen.port}  ${ready ? 'ready' : 'NOT READY'}  up ${duration(uptimeSeconds)}  generation ${generation}  ${totals.workerRestarts} workers replaced`;
  return `${title}\n${rows.map(([name = '', value = '', rest = '']) => `${name.padEnd(16)} ${value.padEnd(14)} ${rest}`.trimEnd()).join('\n')}\n`;
}

function number(value: number): string {
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

function milliseconds(seconds: number | undefined): string {
  return seconds === undefined ? '-' : `${Number((seconds * 1000).toPrecision(3))} ms`;
}
