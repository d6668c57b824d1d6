import { infoKey, manifestKey, uploadPrefix } from './layout.js';
import { type ObjectStorage, removeAll } from './object-storage.js';

/**
 * Removes everything of an upload. What says that it is whole goes first, so that nobody makes a job for what is left
 * when this is cut short; then its beginning, without which nobody goes on with it.
 */
export async function removeUpload(storage: ObjectStorage, id: string): Promise<void> {
  await storage.remove(manifestKey(id));
  await storage.remove(infoKey(id));
  await removeAll(storage, uploadPrefix(id));
}
