import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgeError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { native } from '../base/native.js';
import { pause } from '../base/pause.js';

/** Locked by who is about to open, so that no other commit begins. */
const ANNOUNCED = 0;
/** Locked by those who commit, and exclusively by who opens. */
const IN_USE = 1;
/** Milliseconds between two looks at a lock that another process has. */
const INTERVAL = 1;
/** Milliseconds after which nobody waits for a process that is stopped, or whose disk does not answer. */
const PATIENCE = 5000;

/**
 * Keeps commits to an LMDB environment apart from its openings, between processes.
 *
 * Whoever opens an environment with LMDB reads its last transaction's number from the file and writes it into what all
 * processes share, without a lock. When another process commits between the two, the number goes back, and the next
 * transaction begins at an older state than the one that it overwrites: commits are lost, and pages of the trees.
 */
export class OpeningLock {
  readonly #path: string;
  readonly #patience: number;
  #file: number | undefined;
  #isOpening = false;
  /** Commits of this process that are under way. */
  #commits = 0;

  private constructor(path: string, file: number | undefined, patience: number) {
    this.#path = path;
    this.#patience = patience;
    this.#file = file;
  }

  /**
   * Takes the lock for opening: waits, blocking the event loop, until commits under way have ended.
   * @param path of the data file, which must be there
   * @param patience milliseconds to wait at most, here and before each commit
   * @throws Error of the file system
   */
  static open(path: string, log: Log, patience = PATIENCE): OpeningLock {
    const lock = new OpeningLock(path, openOwn(path), patience);
    lock.#isOpening = true;
    const end = performance.now() + patience;
    if (!waitUntil(end, () => lock.#try(ANNOUNCED, true)) || !waitUntil(end, () => lock.#try(IN_USE, true))) {
      // Who has held it for so long does not commit just now.
      log.warn({ path, milliseconds: patience }, 'a store is opened although another process has not ended a commit');
    }
    return lock;
  }

  /** The environment is open. */
  opened(): void {
    this.#isOpening = false;
    this.#unlock(IN_USE);
    this.#unlock(ANNOUNCED);
  }

  /**
   * Runs a commit, and blocks the event loop while another process opens the environment.
   * @throws EdgeError `store` when that does not end, and what `work` throws
   */
  commitSync<T>(work: () => T): T {
    if (!waitUntil(performance.now() + this.#patience, () => this.#begin())) throw this.#busy();
    try {
      return work();
    } finally {
      this.#end();
    }
  }

  /** The same in the background. @throws EdgeError `store` by rejection, and what `work` rejects with */
  async commit<T>(work: () => Promise<T>): Promise<T> {
    const end = performance.now() + this.#patience;
    while (!this.#begin()) {
      if (performance.now() > end) throw this.#busy();
      await sleep(INTERVAL);
    }
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  /** No commit comes any more. May be called twice. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** False when another process opens the environment. */
  #begin(): boolean {
    if (this.#commits === 0 && !this.#isOpening) {
      if (!this.#try(ANNOUNCED, false)) return false;
      const begun = this.#try(IN_USE, false);
      this.#unlock(ANNOUNCED);
      if (!begun) return false;
    }
    this.#commits++;
    return true;
  }

  #end(): void {
    this.#commits--;
    if (this.#commits === 0 && !this.#isOpening) this.#unlock(IN_USE);
  }

  #try(byte: number, exclusive: boolean): boolean {
    return this.#file === undefined || native.tryLockByte(this.#file, byte, exclusive);
  }

  #unlock(byte: number): void {
    if (this.#file !== undefined) native.unlockByte(this.#file, byte);
  }

  #busy(): EdgeError {
    return new EdgeError(
      'store',
      `${this.#path} can not be written: expected a process that opens it to be done within ${this.#patience} ms; is one stopped?`,
    );
  }
}

/** Undefined where it can't be written: then LMDB writes to nothing that is shared, either. */
function openOwn(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EROFS' || code === 'EACCES') return undefined;
    throw error;
  }
}

/** Blocks the event loop until `check` gives true; false when it has not by `end`. */
function waitUntil(end: number, check: () => boolean): boolean {
  while (!check()) {
    if (performance.now() > end) return false;
    pause(INTERVAL);
  }
  return true;
}
