import { readFileSync } from 'node:fs';
import { expectOwnFile, replaceOwnFile } from '../../base/own-files.js';

/** Up to where purges have been carried out. */
export interface Purged {
  /** Which etcd they came from. */
  readonly store: string;
  /** Its revision. */
  readonly revision: number;
}

/** Keeps on disk up to where this node has carried purges out, replaced as a whole. */
export class PurgeMark {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** What was kept last; undefined when there is nothing that can be read, as if no purge had been carried out. */
  read(): Purged | undefined {
    try {
      if (!expectOwnFile(this.#path)) return undefined;
      const { store, revision } = JSON.parse(readFileSync(this.#path, 'utf8')) as Purged;
      return typeof store === 'string' && Number.isSafeInteger(revision) ? { store, revision } : undefined;
    } catch {
      return undefined;
    }
  }

  /** @throws Error of the file system */
  write(purged: Purged): void {
    replaceOwnFile(this.#path, JSON.stringify(purged));
  }
}
