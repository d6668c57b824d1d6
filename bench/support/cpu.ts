/**
 * Milliseconds of processor time of this process since `begun`, a value of `process.cpuUsage`: what others do on the
 * machine does not count.
 */
export function cpuSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000;
}
