import { setTimeout as sleep } from 'node:timers/promises';
import type { ReloadResult, SnapshotResult, StopTimes } from '../admin/control-routes.js';
import { EXIT, type ExitCode } from '../app/exit-code.js';
import { EdgeError } from '../base/errors.js';
import { shownPlace } from '../config/listen-schema.js';
import type { EdgeStats } from '../supervisor/supervisor.js';
import type { AdminClient } from './admin-client.js';
import { bytes, duration, percent } from './figures.js';

/** Milliseconds between looks at an edge that is waited for. */
const LOOK_INTERVAL = 200;
/** Milliseconds that the end of an edge may take beyond what its configuration allows. */
const END_WAIT = 10_000;

/** Takes text for standard output. */
type Write = (text: string) => void;

/** Flags of `drain`. */
export interface DrainFlags {
  readonly undo?: boolean;
  readonly wait?: boolean;
}

/**
 * Tells how an edge is.
 * @returns the exit code, which says whether it is ready
 * @throws EdgeError when it can't be reached
 */
export async function status(client: AdminClient, asJson: boolean, write: Write): Promise<ExitCode> {
  const stats = (await client.json('GET', '/stats')) as EdgeStats;
  write(asJson ? `${JSON.stringify(stats)}\n` : statusText(stats));
  return stats.ready ? EXIT.ok : EXIT.tryAgain;
}

function statusText(stats: EdgeStats): string {
  const { version, pid, ready, drained, uptimeSeconds, generation, listeners, totals, workers } = stats;
  const states = [...new Set(workers.map(({ state }) => state))].map(
    state => `${workers.filter(worker => worker.state === state).length} ${state}`,
  );
  const rows: [string, string][] = [
    ['state', ready ? 'ready' : drained ? 'drained: not ready, but serving' : 'not ready'],
    ['process', `${pid}, version ${version}, up ${duration(uptimeSeconds)}`],
    ['listens', listeners.map(shownPlace).join(', ')],
    ['workers', `${states.join(', ')}; generation ${generation}, ${totals.workerRestarts} replaced after a death`],
    ['answers', `${totals.openResponses} under way, ${totals.requests} in all`],
    ...Object.entries(totals.cache).map(([tier, { bytes: held, capacity }]): [string, string] => [
      `${tier} tier`,
      `${bytes(held)} of ${bytes(capacity)} (${percent(held, capacity)})`,
    ]),
  ];
  return rows.map(([name, text]) => `${name.padEnd(12)} ${text}\n`).join('');
}

/** Has an edge read its configuration again. @throws EdgeError `bad_config` with every mistake */
export async function reload(client: AdminClient, write: Write): Promise<void> {
  const { mistakes } = (await client.json('POST', '/reload')) as ReloadResult;
  if (mistakes.length > 0) {
    throw new EdgeError('bad_config', `not reloaded, the edge goes on as it was:\n${mistakes.join('\n')}`);
  }
  write('reloaded\n');
}

/** Has an edge say that it is not ready, or that it is again. @throws EdgeError when it can't be reached */
export async function drain(client: AdminClient, { undo = false, wait = false }: DrainFlags, write: Write) {
  await client.json('POST', '/drain', { undo });
  write(undo ? 'ready again\n' : 'drained: /readyz says 503, and players are served on\n');
  if (undo || !wait) return;
  for (let before = -1; ; await sleep(LOOK_INTERVAL)) {
    const { totals } = (await client.json('GET', '/stats')) as EdgeStats;
    const { openResponses } = totals;
    if (openResponses !== before) write(`${openResponses} answers under way\n`);
    if (openResponses === 0) return;
    before = openResponses;
  }
}

/** Has an edge end. @throws EdgeError `overloaded` when it takes longer than it may */
export async function stop(client: AdminClient, write: Write): Promise<void> {
  const { delay, grace } = (await client.json('POST', '/stop')) as StopTimes;
  write(`stopping: answers under way may take ${duration((delay + grace) / 1000)}\n`);
  const end = performance.now() + delay + grace + END_WAIT;
  while (await answers(client)) {
    if (performance.now() > end) throw new EdgeError('overloaded', 'the edge has not ended in its time');
    await sleep(LOOK_INTERVAL);
  }
  write('stopped\n');
}

async function answers(client: AdminClient): Promise<boolean> {
  try {
    await client.json('GET', '/stats');
    return true;
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'origin_unavailable') return false;
    throw error;
  }
}

/** Has an edge copy its memory tier. @throws EdgeError when no file is configured for that, or it can't be written */
export async function snapshot(client: AdminClient, write: Write): Promise<void> {
  const { file, bytes: written, seconds } = (await client.json('POST', '/snapshot')) as SnapshotResult;
  write(`wrote ${bytes(written)} to ${file} in ${seconds} s\n`);
}

/** Has an edge replaced by the installed version. @throws EdgeError when that does not come to serve */
export async function upgrade(client: AdminClient, write: Write): Promise<void> {
  const { pid } = (await client.json('POST', '/upgrade')) as { pid: number };
  const end = performance.now() + END_WAIT;
  while (performance.now() < end) {
    const stats = await client.json('GET', '/stats').catch(() => undefined);
    const { pid: found, version } = (stats ?? {}) as Partial<EdgeStats>;
    if (found === pid) {
      write(`upgraded: version ${version}, process ${pid}\n`);
      return;
    }
    await sleep(LOOK_INTERVAL);
  }
  throw new EdgeError('overloaded', `process ${pid} has taken over, but does not answer at this admin port`);
}
