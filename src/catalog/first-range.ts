import { BLOCK_SIZE, blockOf } from '../base/block.js';
import type { BlockLoader } from '../cache/fetch/block-loader.js';
import type { ContentRequest } from './content.js';
import type { LookupMode } from './lookup.js';

/**
 * Bytes `[start, end)` of a lookup's request, as far as the player's tells: whole blocks, unless nothing will be
 * stored. A lookup of which nobody reads the body asks for one block.
 */
export function firstRange(
  { firstWindow, maxRun }: BlockLoader,
  { hint: { start, end } }: ContentRequest,
  { pass, headOnly }: LookupMode,
): { readonly start: number; readonly end: number } {
  if (headOnly) return { start: 0, end: BLOCK_SIZE };
  if (pass) return { start, end: Math.max(end, start + 1) };
  const first = blockOf(start);
  const isOpen = end >= Number.MAX_SAFE_INTEGER;
  const blocks = isOpen ? firstWindow : Math.min(maxRun, Math.max(1, Math.ceil(end / BLOCK_SIZE) - first));
  return { start: first * BLOCK_SIZE, end: (first + blocks) * BLOCK_SIZE };
}
