import { randomUUID } from 'node:crypto';
import { EdgeError } from '../../base/errors.js';
import type { Config } from '../../config/schema.js';
import { ClaimedStorage } from './claimed-storage.js';
import { etcdOf } from './etcd.js';
import type { ObjectStorage } from './object-storage.js';

/**
 * A storage of which the first of several writers wins, which is what makes a film published once: the storage itself,
 * or with the etcd of the configuration.
 * @throws EdgeError `bad_config` when it is neither; `origin_unavailable` when it can't be reached
 */
export async function withConditions(storage: ObjectStorage, config: Config): Promise<ObjectStorage> {
  if (await heedsConditions(storage)) return storage;
  const etcd = etcdOf(config);
  if (etcd !== undefined) return new ClaimedStorage(storage, etcd.gateway, etcd.prefix);
  throw new EdgeError(
    'bad_config',
    `storage.url: expected a store that heeds If-None-Match: *, or storage.etcd; ${storage.place} overwrites what is there`,
  );
}

/** Whether a storage keeps the first of two objects when it is asked to. */
async function heedsConditions(storage: ObjectStorage): Promise<boolean> {
  const key = `checks/${randomUUID()}`;
  try {
    await storage.put(key, Buffer.from('first'), { ifAbsent: true });
    return !(await storage.put(key, Buffer.from('second'), { ifAbsent: true }));
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'bad_config') return false;
    throw error;
  } finally {
    await storage.remove(key).catch(() => {});
  }
}
