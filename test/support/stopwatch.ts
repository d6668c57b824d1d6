import assert from 'node:assert/strict';
import { availableParallelism, loadavg } from 'node:os';

/** Milliseconds for which is looked how much of a core this process gets. */
const LOOK = 100;

/** Begins to count: gives the milliseconds of CPU that this process has used since, whatever others do. */
export function cpuStopwatch(): () => number {
  const begun = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  };
}

/**
 * Says that something that others take part in, such as another process, came soon enough. Where the machine is busy
 * with other things, it may take as many times longer as the machine now takes for anything.
 * @param took milliseconds since it was wanted
 * @param limit milliseconds in which it comes when the machine has nothing else to do
 */
export function assertSoon(took: number, limit: number, what = 'it'): void {
  if (took < limit) return;
  const slowness = machineSlowness();
  assert.ok(
    took < limit * slowness,
    `${what} took ${took.toFixed(0)} ms, expected ${limit} ms × ${slowness.toFixed(1)} of a busy machine`,
  );
}

/** How many times longer work takes now than on an idle machine, at least 1. */
function machineSlowness(): number {
  const end = performance.now() + LOOK;
  const spent = cpuStopwatch();
  while (performance.now() < end);
  return Math.max(1, LOOK / spent(), (loadavg()[0] ?? 0) / availableParallelism());
}
