import { ID, manifestKey, UPLOADS, winnerKey } from '../storage/layout.js';
import type { ObjectStorage } from '../storage/object-storage.js';
import type { JobQueue } from './job-queue.js';

/** Uploads that are looked at at once. */
const AT_ONCE = 32;

/**
 * Makes a job for every whole upload that has neither film nor job: after a queue was lost, or a server died between
 * an upload's last byte and its job.
 * @returns how many were made
 */
export async function rebuildJobs(storage: ObjectStorage, queue: JobQueue): Promise<number> {
  let made = 0;
  const look = async (id: string) => {
    if ((await storage.head(manifestKey(id))) === undefined) return;
    if ((await queue.has(id)) || (await storage.head(winnerKey(id))) !== undefined) return;
    await queue.add(id);
    made += 1;
  };
  const running = new Set<Promise<void>>();
  let failure: unknown;
  for await (const id of storage.folders(UPLOADS)) {
    if (!ID.test(id)) continue;
    if (running.size >= AT_ONCE) await Promise.race(running);
    if (failure !== undefined) break;
    const one: Promise<void> = look(id)
      .catch(error => {
        failure = error;
      })
      .finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure;
  return made;
}
