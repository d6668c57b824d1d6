import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../base/log.js';
import type { Gateway } from '../../cluster/etcd/gateway.js';
import { LOCK_WAIT } from './process-locker.js';
import { ERRORS, type Lock, type Locker } from './tus.js';

/** Seconds after which the lock of a server that died is free. */
const LEASE = 10;
/** Milliseconds between two looks, of who waits for a lock and of who has one. */
const LOOK = 500;

/**
 * Locks of uploads among the servers of a cluster, in its etcd: a key with a lease for whoever has the upload, another
 * for whoever wants it. While etcd can't be reached locks are given without it, because pieces are immutable: two
 * servers that store the same bytes of one upload do no harm.
 */
export class ClusterLocker implements Locker {
  readonly #etcd: Gateway;
  readonly #prefix: string;
  readonly #log: Log;

  constructor(etcd: Gateway, prefix: string, log: Log) {
    this.#etcd = etcd;
    this.#prefix = `${prefix}/uploads/`;
    this.#log = log;
  }

  newLock(id: string): Lock {
    const key = `${this.#prefix}${id}/holder`;
    const wanted = `${this.#prefix}${id}/wanted`;
    const mine = randomUUID();
    let lease: string | undefined;
    let looking: NodeJS.Timeout | undefined;
    return {
      lock: async (signal, requestRelease) => {
        try {
          lease = await this.#etcd.grant(LEASE);
          const until = performance.now() + LOCK_WAIT;
          while (!(await this.#take(key, mine, lease))) {
            if (signal.aborted || performance.now() > until) throw ERRORS.ERR_LOCK_TIMEOUT;
            await this.#etcd.txn([], [{ put: wanted, value: mine, lease }]);
            await sleep(LOOK / 2);
          }
          looking = setInterval(() => void this.#look(wanted, mine, lease!, requestRelease), LOOK);
        } catch (error) {
          if (error === ERRORS.ERR_LOCK_TIMEOUT) {
            await this.#free(lease);
            throw error;
          }
          this.#log.warn({ upload: id, error }, 'etcd gives no locks for uploads; they go on without');
        }
      },
      unlock: async () => {
        clearInterval(looking);
        await this.#free(lease);
      },
    };
  }

  async #take(key: string, mine: string, lease: string): Promise<boolean> {
    return (await this.#etcd.txn([{ key, created: 0 }], [{ put: key, value: mine, lease }])).done;
  }

  /** Keeps the lock, and lets go of it when somebody else wants it. */
  async #look(wanted: string, mine: string, lease: string, release: () => Promise<void> | void): Promise<void> {
    try {
      const { keys } = await this.#etcd.range(wanted);
      if (keys.some(({ value }) => value !== mine)) await release();
      else await this.#etcd.keepAlive(lease);
    } catch (error) {
      this.#log.debug({ error }, 'etcd does not answer about the lock of an upload');
    }
  }

  async #free(lease: string | undefined): Promise<void> {
    if (lease === undefined) return;
    await this.#etcd.revoke(lease).catch(() => {
      // It ends by itself.
    });
  }
}
