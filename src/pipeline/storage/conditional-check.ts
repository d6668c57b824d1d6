import { randomUUID } from 'node:crypto';
import { EdgeError } from '../../base/errors.js';
import type { ObjectStorage } from './object-storage.js';

/**
 * Sees whether a storage keeps the first of two objects when it is asked to, which is what makes a film published
 * once.
 * @throws EdgeError `bad_config` when it does not; `origin_unavailable` when it can't be reached
 */
export async function checkConditionalWrites(storage: ObjectStorage): Promise<void> {
  const key = `checks/${randomUUID()}`;
  try {
    await storage.put(key, Buffer.from('first'), { ifAbsent: true });
    if (await storage.put(key, Buffer.from('second'), { ifAbsent: true })) {
      throw new EdgeError(
        'bad_config',
        `storage.url: expected a store that heeds If-None-Match: *, ${storage.place} overwrites what is there`,
      );
    }
  } finally {
    await storage.remove(key).catch(() => {});
  }
}
