import { type ClusterFault, FAULTS } from './faults.js';
import { CHECKERS, steepRamps } from './history.js';
import { SETTINGS } from './machines.js';
import { Scene } from './scene.js';

/** Most violations that are told in words. */
const TOLD_MAX = 20;

/** What a soak of a cluster is run with. */
export interface ClusterSoakOptions {
  /** Milliseconds in which more faults are begun when each kind was injected once. */
  readonly duration: number;
  readonly seed: number;
  /** Requests of players, a second. */
  readonly rate: number;
  /** Names of the kinds of faults; all when left out. */
  readonly kinds?: readonly string[];
  readonly signal?: AbortSignal;
  readonly say: (text: string) => void;
}

/** What came of it. */
export interface ClusterSoakResult {
  readonly requests: number;
  readonly failed: number;
  readonly faults: readonly string[];
  /** Why kinds were left out. */
  readonly skipped: readonly string[];
  /** What must not be, in words. */
  readonly violations: readonly string[];
  /** Measured values by what they are. */
  readonly bars: ReadonlyMap<string, readonly number[]>;
}

/** Harms a cluster of real edges and members of etcd in every way, and checks what everybody saw. */
export async function runClusterSoak(options: ClusterSoakOptions): Promise<ClusterSoakResult> {
  const { duration, seed, rate, kinds, signal, say } = options;
  const unknown = kinds?.find(kind => !FAULTS.some(({ name }) => name === kind));
  if (unknown !== undefined)
    throw new Error(`expected one of ${FAULTS.map(({ name }) => name).join(', ')}, found ${unknown}`);
  const scene = await Scene.start({ seed, rate });
  const { network, clock, random, history } = scene;
  const flaws = { network: network.flaw, clock: clock === undefined ? 'faketime is not installed' : undefined };
  const chosen = FAULTS.filter(({ name }) => kinds === undefined || kinds.includes(name));
  const skipped = chosen.flatMap(({ name, needs }) => (needs && flaws[needs] ? [`${name}: ${flaws[needs]}`] : []));
  for (const each of skipped) say(`left out: ${each}`);
  const possible = chosen.filter(({ needs }) => needs === undefined || flaws[needs] === undefined);
  const faults: string[] = [];
  const violations: string[] = [];
  const end = performance.now() + duration;
  const next = (): ClusterFault | undefined => {
    const left = possible.filter(({ name }) => !faults.includes(name));
    if (left.length > 0) return random.pick(left);
    return performance.now() < end ? random.pick(possible) : undefined;
  };
  try {
    await scene.calm();
    for (let fault = next(); fault !== undefined && signal?.aborted !== true; fault = next()) {
      faults.push(fault.name);
      say(fault.name);
      try {
        await fault.inject(scene);
        await scene.settle();
        await scene.calm();
      } catch (error) {
        violations.push(`${fault.name}: ${(error as Error).message}`);
        break;
      }
    }
  } finally {
    await scene.close();
  }
  const checkers = { ...CHECKERS, 'a joiner has no more than its ramp gives it': steepRamps(SETTINGS.ramp * 1000) };
  for (const [name, check] of Object.entries(checkers)) {
    violations.push(...check(history).map(text => `${name}: ${text}`));
  }
  const failed = history.asked.filter(({ outcome }) => outcome !== 'whole').length;
  return { requests: history.asked.length, failed, faults, skipped, violations, bars: scene.bars };
}

/** The result as a person reads it. */
export function clusterReport({ requests, failed, faults, skipped, violations, bars }: ClusterSoakResult): string {
  const counts = new Map<string, number>();
  for (const name of faults) counts.set(name, (counts.get(name) ?? 0) + 1);
  const rows = [...bars].map(([what, values]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `  ${what.padEnd(45)} mean ${mean.toFixed(1)}, most ${Math.max(...values).toFixed(1)} of ${values.length}`;
  });
  return [
    `requests    ${requests}, of which ${failed} failed, all for a fault unless it says otherwise below`,
    `faults      ${[...counts].map(([name, times]) => `${name} ${times}`).join(', ')}`,
    `left out    ${skipped.join('; ') || 'none'}`,
    'measured',
    ...rows,
    `violations  ${violations.length}`,
    ...violations.slice(0, TOLD_MAX).map(text => `  ${text}`),
  ].join('\n');
}
