import type { ObjectId } from '../base/block.js';
import { EdgeError } from '../base/errors.js';
import { inspectMemoryTier, type MemoryTierInspection } from '../cache/memory/memory-inspection.js';
import { type InspectedBlock, inspectObject } from '../cache/memory/object-inspection.js';
import { idFromText } from '../catalog/object-identity.js';
import { duration } from './figures.js';
import type { InspectionRow } from './inspect-cache.js';

/** Seconds: what is used later is not expected to be used. */
const WEEK = 7 * 86_400;

/** The id of an object version as `why` tells it. @throws EdgeError `bad_request` */
export function readId(text: string): ObjectId {
  const id = idFromText(text);
  if (id !== undefined) return id;
  const what = 'expected the id of an object version, 32 digits from 0 to f, as `moovedge why URL` tells it';
  throw new EdgeError('bad_request', `${what}; found ${text}`);
}

/** Blocks in a row of which the same is said. */
interface Run {
  readonly first: number;
  readonly words: string;
  readonly blocks: InspectedBlock[];
}

/**
 * Tells of each block of an object version where it is, and why it would stay in memory or go: blocks of which the same
 * holds in a row of their own.
 * @param file of the memory tier
 * @param onDisk blocks that the disk tier holds
 */
export function objectRows(file: string, id: ObjectId, onDisk: ReadonlySet<number>, now = Date.now()): InspectionRow[] {
  const tier = inspectMemoryTier(file);
  const runs: Run[] = [];
  for (const [number, block] of inspectObject(file, id, Math.max(-1, ...onDisk) + 1).entries()) {
    const words = `${placeOf(block, onDisk.has(number))}${reasonOf(block, tier)}`;
    const last = runs.at(-1);
    if (last?.words === words) last.blocks.push(block);
    else runs.push({ first: number, words, blocks: [block] });
  }
  if (runs.length === 0) return [['blocks', 'none is in memory or on disk']];
  return runs.map(run => [blocksOf(run), `${run.words}${figuresOf(run, tier, now)}`]);
}

function blocksOf({ first, blocks }: Run): string {
  return blocks.length === 1 ? `block ${first}` : `blocks ${first} to ${first + blocks.length - 1}`;
}

function placeOf({ readable, onDisk }: InspectedBlock, isFound: boolean): string {
  if (readable > 0) return onDisk || isFound ? 'memory and disk' : 'memory';
  return isFound ? 'disk' : 'neither';
}

function reasonOf({ readable, condemned, awaited, rate, worth }: InspectedBlock, tier: MemoryTierInspection): string {
  if (tier.knownObjects === 0) return readable > 0 ? ', goes when it is the one used least recently' : '';
  const [stays, goes] = readable > 0 ? ['stays', 'goes first'] : ['would be worth a place', 'not worth a place'];
  if (worth === Number.POSITIVE_INFINITY) return `, ${stays}: somebody reads it`;
  if (condemned) return ', goes next: it is wanted least of many';
  if (awaited >= 0.5) return `, ${stays}: a viewer is on the way`;
  if (awaited + rate * tier.residency >= 0.5) return `, ${stays}: it is watched often`;
  return `, ${goes}: nobody is on the way, and it is watched too seldom`;
}

function figuresOf({ blocks }: Run, tier: MemoryTierInspection, now: number): string {
  const figures: string[] = [];
  if (tier.knownObjects > 0 && blocks[0]!.worth !== Number.POSITIVE_INFINITY) {
    figures.push(`used again in ${span(blocks, ({ worth }) => (worth > 0 ? 1 / worth : Number.POSITIVE_INFINITY))}`);
  }
  if (blocks[0]!.readable > 0) {
    const [fewest, most] = bounds(blocks, ({ views }) => views);
    figures.push(`${fewest === most ? most : `${fewest} to ${most}`} ${most === 1 ? 'view' : 'views'}`);
    figures.push(`last used ${span(blocks, ({ lastUse }) => Math.max(0, now - lastUse) / 1000)} ago`);
  }
  return figures.map(figure => `; ${figure}`).join('');
}

function span(blocks: readonly InspectedBlock[], of: (block: InspectedBlock) => number): string {
  const [least, most] = bounds(blocks, of).map(seconds => (seconds < WEEK ? duration(seconds) : 'a week or more'));
  return least === most ? least! : `${least} to ${most}`;
}

function bounds(blocks: readonly InspectedBlock[], of: (block: InspectedBlock) => number): [number, number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const block of blocks) [least, most] = [Math.min(least, of(block)), Math.max(most, of(block))];
  return [least, most];
}
