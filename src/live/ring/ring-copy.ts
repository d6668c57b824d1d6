import type { RingReader } from './ring-reader.js';

/** Most bytes that are kept for the next copy. */
const KEPT = 1024 * 1024;
let kept = new Uint8Array();

/**
 * Copies tags out of a ring, whose writer waits for nobody, so that no byte that has been overwritten goes on its way.
 * @param run of tags, as the ring gives it @param first number of its first tag
 * @param from first byte that is wanted of it @param to behind the last one
 * @returns the run up to `to`, right from `from` on, until the next call; undefined when its first tag is lost
 */
export function copyOut(
  ring: RingReader,
  run: Uint8Array,
  first: number,
  from = 0,
  to = run.length,
): Uint8Array | undefined {
  const target = memoryOf(to);
  target.set(run.subarray(from, to), from);
  return ring.holds(first) ? target.subarray(0, to) : undefined;
}

function memoryOf(bytes: number): Uint8Array {
  if (bytes <= kept.length) return kept;
  const memory = new Uint8Array(Math.max(bytes, Math.min(KEPT, 2 * kept.length)));
  if (memory.length <= KEPT) kept = memory;
  return memory;
}
