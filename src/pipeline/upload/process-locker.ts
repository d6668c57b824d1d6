import { ERRORS, type Lock, type Locker } from './tus.js';

/** Milliseconds that a request waits for another one to let go of an upload. */
export const LOCK_WAIT = 10_000;

interface Holder {
  /** Asks the request that has the lock to end. */
  readonly requestRelease: () => Promise<void> | void;
  /** Called when the lock is free. */
  readonly waiting: (() => void)[];
}

/** Locks of uploads within one process: a new request for an upload ends the one before, which has lost its client. */
export class ProcessLocker implements Locker {
  readonly #holders = new Map<string, Holder>();

  newLock(id: string): Lock {
    return {
      lock: async (signal, requestRelease) => {
        const until = performance.now() + LOCK_WAIT;
        for (;;) {
          const holder = this.#holders.get(id);
          if (holder === undefined) break;
          void holder.requestRelease();
          if (!(await released(holder, signal, until - performance.now()))) throw ERRORS.ERR_LOCK_TIMEOUT;
        }
        this.#holders.set(id, { requestRelease, waiting: [] });
      },
      unlock: async () => {
        const holder = this.#holders.get(id);
        this.#holders.delete(id);
        for (const next of holder?.waiting ?? []) next();
      },
    };
  }
}

/** Whether the lock has become free in time. */
function released(holder: Holder, signal: AbortSignal, milliseconds: number): Promise<boolean> {
  if (signal.aborted || milliseconds <= 0) return Promise.resolve(false);
  return new Promise(resolve => {
    const end = (isFree: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', gone);
      resolve(isFree);
    };
    const gone = () => end(false);
    const timer = setTimeout(gone, milliseconds);
    signal.addEventListener('abort', gone, { once: true });
    holder.waiting.push(() => end(true));
  });
}
