import { setTimeout as sleep } from 'node:timers/promises';
import type { Changes } from './changes.js';
import { commitCause, storeError } from './store-error.js';

/**
 * A batch that is not committed after this many milliseconds is given up: lmdb-js forgets one whose transaction can't
 * begin.
 */
const BATCH_TIMEOUT = 60_000;

/** What commits of batches use of an lmdb-js database. */
export interface BatchDatabase {
  /** Commits the changes that `work` makes, in the background. */
  batch(work: () => void): Promise<unknown>;
}

/** The background commits of an environment, one at a time: batches that come meanwhile share the next one. */
export class BatchCommits {
  readonly #database: BatchDatabase;
  readonly #path: string;
  readonly #makeRoom: (batches: readonly Changes[]) => void;
  readonly #gathered: number;
  /** Batches for the next commit, and what becomes of it; undefined when there are none. */
  #waiting: Changes[] = [];
  #next: Promise<void> | undefined;
  /** Settles, without failing, when the commit under way has ended. */
  #underWay: Promise<void> = Promise.resolve();

  /**
   * @param path of the environment, for errors
   * @param makeRoom has the disk space allocated that these batches may take; throws when there is none
   * @param gathered milliseconds for which batches are gathered before they are committed
   */
  constructor(database: BatchDatabase, path: string, makeRoom: (batches: readonly Changes[]) => void, gathered = 0) {
    this.#database = database;
    this.#path = path;
    this.#makeRoom = makeRoom;
    this.#gathered = gathered;
  }

  /**
   * Commits a batch, all or nothing.
   * @throws EdgeError `store` (by rejection) when it could not be committed
   */
  add(changes: Changes): Promise<void> {
    this.#waiting.push(changes);
    this.#next ??= this.#commitNext();
    return this.#next;
  }

  async #commitNext(): Promise<void> {
    if (this.#gathered > 0) await sleep(this.#gathered);
    await this.#underWay;
    this.#next = undefined;
    const batches = this.#waiting.splice(0);
    const commit = this.#commit(batches);
    this.#underWay = commit.catch(() => {});
    return commit;
  }

  async #commit(batches: readonly Changes[]): Promise<void> {
    this.#makeRoom(batches);
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the commit did not end in time')), BATCH_TIMEOUT).unref();
    });
    const committed = this.#database.batch(() => {
      for (const changes of batches) changes.apply();
    });
    try {
      await Promise.race([committed, overdue]);
    } catch (error) {
      throw storeError(this.#path, await commitCause(error));
    } finally {
      clearTimeout(timer);
    }
  }
}
