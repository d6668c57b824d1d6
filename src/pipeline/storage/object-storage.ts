/** A reason for asking a storage to write: what it does when the key is taken. */
export interface PutOptions {
  /** True to write nothing when there is an object under the key, which is one step for all who try. */
  readonly ifAbsent?: boolean;
  /** Media type that whoever gets the object by HTTP is told. */
  readonly type?: string;
}

/** Objects that are made durable many at a time, where that is cheaper than one by one. */
export interface LazyObjects {
  /**
   * Writes an object unless there is something under its key. Who reads before that has resolved may see a part of it,
   * which a process that dies leaves; until it is flushed, a machine that fails may lose it or leave it damaged.
   * @returns false when there is something
   */
  put(key: string, bytes: Uint8Array): Promise<boolean>;
  /** Makes objects durable that were put, by whomever. */
  flush(keys: readonly string[]): Promise<void>;
}

/**
 * Where uploads and films lie. Keys are names of 1 to 255 characters, letters, digits and `.,_-`, joined by slashes.
 * Objects are whole or not there, but for lazy ones: whoever reads never sees a part of one. An object that was put is
 * durable when the promise resolves. All methods reject with EdgeError `origin_unavailable` when the storage can't be
 * reached.
 */
export interface ObjectStorage {
  /** Says where it is, for logs. */
  readonly place: string;
  /** Left out where an object is durable as cheaply when it is put. */
  readonly lazy?: LazyObjects;
  /**
   * Writes an object.
   * @returns false when `ifAbsent` was asked for and there is one
   * @throws EdgeError `bad_config` when `ifAbsent` was asked for and the storage can't do that
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<boolean>;
  /** Writes a file of this machine as an object. */
  putFile(key: string, file: string, type: string, signal: AbortSignal): Promise<void>;
  /** Bytes of an object; undefined when there is none. */
  head(key: string): Promise<number | undefined>;
  /** An object of a few MiB; undefined when there is none. */
  get(key: string): Promise<Buffer | undefined>;
  /** Keys that begin with `prefix`, which ends with a slash, in any order. New ones may be missing for a while. */
  list(prefix: string): AsyncIterable<string>;
  /** Names of the folders right under `prefix`. New ones may be missing for a while. */
  folders(prefix: string): AsyncIterable<string>;
  /** Removes an object, or does nothing when there is none. */
  remove(key: string): Promise<void>;
  /** Removes what writers have left that died, where they have not written for `age` milliseconds. */
  sweep(age: number): Promise<void>;
  close(): void;
}

/** Removes every object under `prefix`. */
export async function removeAll(storage: ObjectStorage, prefix: string): Promise<void> {
  for await (const key of storage.list(prefix)) await storage.remove(key);
}

/** An object as JSON; undefined when there is none or it is damaged. */
export async function getJson(storage: ObjectStorage, key: string): Promise<unknown> {
  const bytes = await storage.get(key);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Writes a value as JSON; as `ObjectStorage.put`. */
export function putJson(storage: ObjectStorage, key: string, value: unknown, options: PutOptions = {}) {
  return storage.put(key, Buffer.from(`${JSON.stringify(value)}\n`), { ...options, type: 'application/json' });
}
