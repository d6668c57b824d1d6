import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Seconds that anything that is waited for may take on a busy machine. */
const PATIENCE = 120;
/** Milliseconds between two looks, at first and at most: each look takes time from what is waited for. */
const INTERVAL = 5;
const INTERVAL_MAX = 50;
const GROWTH = 1.3;

/**
 * Waits until `check` gives something else than undefined or false, and gives that.
 * @param what is waited for, for the message when it does not come; a function to tell also what there is instead
 * @param seconds that it may take
 */
export async function until<T>(
  what: string | (() => string),
  check: () => Promise<T | undefined | false> | T | undefined | false,
  seconds = PATIENCE,
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (let interval = INTERVAL; ; interval = Math.min(INTERVAL_MAX, interval * GROWTH)) {
    const result = await check();
    if (result !== undefined && result !== false) return result as T;
    if (performance.now() > end)
      assert.fail(`waited ${seconds} s in vain: ${typeof what === 'string' ? what : what()}`);
    await sleep(interval);
  }
}
