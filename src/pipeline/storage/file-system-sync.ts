import { type FileHandle, open, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { native } from '../../base/native.js';

/** File systems that make all of themselves durable when they are asked to, by their magic numbers (statfs(2)). */
const TRUSTED = [
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x01021994, // tmpfs, which has nothing to make durable
];

/** First version of Linux whose syncfs(2) tells what could not be written. */
const TELLING = [5, 8] as const;

/** Makes a whole file system durable: one flush of its disk for all who ask at a time. */
export class FileSystemSync {
  readonly #root: FileHandle;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  private constructor(root: FileHandle) {
    this.#root = root;
  }

  /** That of a folder; undefined when only files one by one can be trusted to be durable there. */
  static async of(folder: string): Promise<FileSystemSync | undefined> {
    const [major = 0, minor = 0] = release().split('.').map(Number);
    const isTelling = major > TELLING[0] || (major === TELLING[0] && minor >= TELLING[1]);
    if (!isTelling || !TRUSTED.includes((await statfs(folder)).type)) return undefined;
    return new FileSystemSync(await open(folder, 'r'));
  }

  /** Makes durable what was written before. @throws Error when some of it can't be written */
  all(): Promise<void> {
    // One that runs may have passed by what was written since: who comes meanwhile shares the next.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#running = this.#next!;
        this.#next = undefined;
        return this.#sync();
      });
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      native.syncFileSystem(this.#root.fd, failure => (failure === '' ? resolve() : reject(new Error(failure))));
    });
  }
}
