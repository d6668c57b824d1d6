import { filmPrefix, winnerKey } from '../storage/layout.js';
import { type ObjectStorage, removeAll } from '../storage/object-storage.js';
import { removeUpload } from '../storage/remove-upload.js';
import type { JobQueue } from './job-queue.js';

/**
 * Removes a job and its upload, so that nobody makes the job again. One that is running is let go by its worker within
 * seconds.
 * @throws EdgeError `not_found` when there is no such job
 */
export async function cancelJob(storage: ObjectStorage, queue: JobQueue, id: string): Promise<void> {
  await queue.cancel(id);
  await removeUpload(storage, id);
  // What attempts have left that ended badly; a film that is published stays.
  if ((await storage.head(winnerKey(id))) === undefined) await removeAll(storage, filmPrefix(id));
  // Whoever looked for uploads without a job in the meantime has made one.
  if (await queue.has(id)) await queue.cancel(id);
}

/** Removes jobs that failed before a time, in milliseconds since 1970, and their uploads. @returns how many */
export async function removeFailed(storage: ObjectStorage, queue: JobQueue, before: number): Promise<number> {
  const ids = await queue.failedBefore(before);
  for (const id of ids) await cancelJob(storage, queue, id);
  return ids.length;
}
