import { spawnSync } from 'node:child_process';

/** Bytes that the kernel holds, sent or not, because clients of `port` have not acknowledged them. */
export function kernelBytes(port: number): number {
  const { stdout } = spawnSync('ss', ['-tnH', 'sport', '=', `:${port}`], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  let total = 0;
  for (const line of stdout.split('\n')) total += Number(line.trim().split(/\s+/)[2] ?? 0);
  return total;
}
