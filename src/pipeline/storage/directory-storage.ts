import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, opendir, readdir, readFile, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgeError } from '../../base/errors.js';
import { FileSystemSync } from './file-system-sync.js';
import type { LazyObjects, ObjectStorage, PutOptions } from './object-storage.js';

/** Folder of files that are being written. A name that begins with a dot is no key. */
const UNFINISHED = '.unfinished';

/** Objects as files of a directory, which several machines may share. */
export class DirectoryStorage implements ObjectStorage {
  readonly place: string;
  readonly lazy: LazyObjects;
  readonly #root: string;
  readonly #findSync: typeof FileSystemSync.of;
  /** Of the file system that the root lies in, when somebody has asked for it. */
  #sync: Promise<FileSystemSync | undefined> | undefined;

  constructor(root: string, findSync: typeof FileSystemSync.of = FileSystemSync.of) {
    this.place = root;
    this.#root = root;
    this.#findSync = findSync;
    this.lazy = {
      put: (key, bytes) => this.#writeLazily(key, bytes),
      flush: keys => this.#flush(keys),
    };
  }

  async put(key: string, bytes: Uint8Array, { ifAbsent = false }: PutOptions = {}): Promise<boolean> {
    return this.#write(key, ifAbsent, path => written(path, bytes, true));
  }

  async putFile(key: string, source: string): Promise<void> {
    await this.#write(key, false, async path => {
      await copyFile(source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await synced(path);
    });
  }

  async head(key: string): Promise<number | undefined> {
    return this.#found(() => stat(this.#path(key)).then(found => (found.isFile() ? found.size : undefined)));
  }

  async get(key: string): Promise<Buffer | undefined> {
    return this.#found(() => readFile(this.#path(key)));
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const { name, isFolder } of this.#entries(prefix)) {
      if (isFolder) yield* this.list(`${prefix}${name}/`);
      else yield prefix + name;
    }
  }

  async *folders(prefix: string): AsyncIterable<string> {
    for await (const { name, isFolder } of this.#entries(prefix)) if (isFolder) yield name;
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#found(() => unlink(path));
    // Folders that have become empty go too; the first that has not ends it.
    for (let folder = dirname(path); folder !== this.#root; folder = dirname(folder)) {
      if (
        await rmdir(folder).then(
          () => false,
          () => true,
        )
      )
        return;
    }
  }

  /** Writes in its place, which takes fewer calls. */
  async #writeLazily(key: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.#path(key);
    try {
      await withFolder(path, () => written(path, bytes, false));
      return true;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw this.#unavailable(cause);
    }
  }

  async #flush(keys: readonly string[]): Promise<void> {
    try {
      this.#sync ??= this.#findSync(this.#root);
      const sync = await this.#sync;
      if (sync !== undefined) return await sync.all();
      const paths = keys.map(key => this.#path(key));
      for (const path of [...paths, ...new Set(paths.map(dirname))]) await synced(path);
    } catch (cause) {
      throw this.#unavailable(cause);
    }
  }

  async sweep(age: number): Promise<void> {
    const folder = join(this.#root, UNFINISHED);
    for (const name of (await this.#found(() => readdir(folder))) ?? []) {
      const path = join(folder, name);
      const found = await this.#found(() => stat(path));
      if (found !== undefined && Date.now() - found.mtimeMs >= age) await this.#found(() => unlink(path));
    }
  }

  close(): void {
    void this.#sync?.then(sync => sync?.close()).catch(() => {});
  }

  async *#entries(prefix: string): AsyncIterable<{ name: string; isFolder: boolean }> {
    const folder = await this.#found(() => opendir(join(this.#root, prefix)));
    if (folder === undefined) return;
    for await (const entry of folder) {
      if (!entry.name.startsWith('.')) yield { name: entry.name, isFolder: entry.isDirectory() };
    }
  }

  /** Writes beside the place, then gives the file its name, which is one step. */
  async #write(key: string, ifAbsent: boolean, fill: (path: string) => Promise<void>): Promise<boolean> {
    const path = this.#path(key);
    const unfinished = join(this.#root, UNFINISHED, randomUUID());
    let isLeft = true;
    try {
      await withFolder(unfinished, () => fill(unfinished));
      await withFolder(path, async () => {
        if (ifAbsent) await link(unfinished, path);
        else {
          await rename(unfinished, path);
          isLeft = false;
        }
      });
      await synced(dirname(path));
      return true;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw this.#unavailable(cause);
    } finally {
      if (isLeft) await unlink(unfinished).catch(() => {});
    }
  }

  async #found<T>(look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw this.#unavailable(error);
    }
  }

  #path(key: string): string {
    if (!/^[\w,-][\w.,-]{0,254}(?:\/[\w,-][\w.,-]{0,254}){0,15}$/.test(key)) {
      throw new EdgeError('not_found', `expected the key of an object, found ${JSON.stringify(key.slice(0, 100))}`);
    }
    return join(this.#root, key);
  }

  #unavailable(cause: unknown): EdgeError {
    if (cause instanceof EdgeError) return cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    return new EdgeError('origin_unavailable', `storage: the directory fails (${reason})`, { cause });
  }
}

async function written(path: string, bytes: Uint8Array, isDurable: boolean): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    if (isDurable) await file.sync();
  } finally {
    await file.close();
  }
}

/** Does what needs the folder of `path`, which is nearly always there, and made when it is not. */
async function withFolder(path: string, act: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      if (tries > 0) await made(dirname(path));
      return await act();
    } catch (error) {
      // One that is empty may be removed after it has been made.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === 10) throw error;
    }
  }
}

/** Makes a folder and those above it that are missing, durably but for what will be in it. */
async function made(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let above = dirname(folder); ; above = dirname(above)) {
    await synced(above);
    if (above === dirname(first)) return;
  }
}

/** Makes what was written to a file or folder durable. */
async function synced(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
