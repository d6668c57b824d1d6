import { EXIT, type ExitCode, exitCodeOf } from '../app/exit-code.js';
import { EdgeError } from '../base/errors.js';
import { inspectMemoryTier, type MemoryTierInspection } from '../cache/memory/memory-inspection.js';
import { bytes, duration, percent } from './figures.js';

/** A name and what is said of it. */
export type InspectionRow = readonly [name: string, text: string];

/** What `inspectCache` looks at. */
export interface InspectCacheOptions {
  /** The memory tier's file. */
  readonly file: string;
  /** Looks at the disk tier, when there is one. */
  readonly disk?: (() => Promise<readonly InspectionRow[]>) | undefined;
}

/**
 * Tells what the memory and the disk tier hold, while the edge runs or is down.
 * @param write takes the text, in lines
 * @returns exit code; not 0 when a tier can't be looked at: then the text says why
 */
export async function inspectCache(options: InspectCacheOptions, write: (text: string) => void): Promise<ExitCode> {
  const tiers: [title: string, rows: () => Promise<readonly InspectionRow[]>][] = [
    [`memory tier ${options.file}`, async () => memoryRows(inspectMemoryTier(options.file), Date.now())],
  ];
  if (options.disk !== undefined) tiers.push(['disk tier', options.disk]);
  let code: ExitCode = EXIT.ok;
  for (const [title, rows] of tiers) {
    try {
      write(rowsText(title, await rows()));
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      write(`${title}\n  ${error.message}\n`);
      code = exitCodeOf(error.code);
    }
  }
  return code;
}

/** Rows below their title. */
export function rowsText(title: string, rows: readonly InspectionRow[]): string {
  return `${title}\n${rows.map(([name, text]) => `  ${name.padEnd(20)}${text}\n`).join('')}`;
}

/** What is told of a memory tier at `now`, milliseconds since 1970. */
function memoryRows(found: MemoryTierInspection, now: number): InspectionRow[] {
  const blocks = (size: number, count: number) => `${bytes(size)} in ${count} ${count === 1 ? 'block' : 'blocks'}`;
  const ago = (date: Date) => `${date.toISOString()} (${duration((now - date.getTime()) / 1000)} ago)`;
  return [
    ['state', state(found)],
    ...found.attached.map(({ pid, role, since }): InspectionRow => ['', `${role} ${pid} since ${ago(since)}`]),
    ['made', ago(found.createdAt)],
    ['last start', ago(found.openedAt)],
    ['capacity', bytes(found.capacityBytes)],
    ['used', `${blocks(found.usedBytes, found.blocks)}, ${percent(found.usedBytes, found.capacityBytes)}`],
    ['content', `${bytes(found.contentBytes)} of ${found.objects} object versions`],
    ['whole, in part', `${found.wholeBlocks}, ${found.partialBlocks}`],
    ['being filled', blocks(found.fillingBytes, found.filling)],
    ['pinned', String(found.pinned)],
    ['on disk too', String(found.blocksOnDisk)],
    ['hits, misses', `${found.hits}, ${found.misses}; ${percent(found.hits, found.hits + found.misses)} hits`],
    ['evicted', `${found.evictedToDisk} to disk, ${found.dropped} dropped`],
    ['stay', `a block stays for ${duration(found.residency)} at the pace at which blocks are evicted`],
    ...demandRows(found),
    ['oldest block', found.blocks === 0 ? 'none' : `unused for ${duration(found.oldestAge)}`],
    ['checksum failures', String(found.checksumFailures)],
    ['damaged headers', String(found.damagedBlocks)],
    ['index repairs', String(found.repairs)],
  ];
}

/** Why blocks would stay or go by `cache.memory.policy: demand`. */
function demandRows(found: MemoryTierInspection): InspectionRow[] {
  const { knownObjects, awaited, wanted, unwanted, partedWait } = found;
  if (knownObjects === 0) return [['demand', 'nothing is noted of who watches what (cache.memory.policy: lru)']];
  return [
    ['demand', `known of ${knownObjects} object versions`],
    ['', `${awaited} blocks stay since a viewer is on the way to them`],
    ['', `${wanted} stay since they are watched often enough to be used in that time`],
    ['', `${unwanted} go first: nobody is on the way, and they are watched too seldom`],
    ...(partedWait > 0 ? [['', `what went lately would be used again in ${duration(partedWait)}`] as const] : []),
  ];
}

function state(found: MemoryTierInspection): string {
  const count = found.attached.length;
  if (count > 0) return `in use by ${count} ${count === 1 ? 'process' : 'processes'}`;
  return found.clean
    ? 'not in use, stopped cleanly'
    : 'not in use, not stopped cleanly: blocks are verified at their first use';
}
