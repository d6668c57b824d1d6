import { type AdminRoutes, sendJson, sendText } from '../../admin/admin-server.js';
import { type Pages, pageRoutes } from '../../admin/pages.js';
import { version } from '../../app/package-files.js';
import { EdgeError } from '../../base/errors.js';
import { METRICS_CONTENT_TYPE, Metrics, mergeSnapshots } from '../../observe/metrics.js';
import { cancelJob } from '../jobs/cancel.js';
import type { JobState } from '../jobs/job.js';
import type { JobQueue } from '../jobs/job-queue.js';
import { ID } from '../storage/layout.js';
import type { ObjectStorage } from '../storage/object-storage.js';

const PAGES: Pages = { '/': { title: 'moovedge jobs', script: 'jobs.mjs', link: 'Jobs' } };
/** Jobs of each state that the page shows. */
const SHOWN = 100;

/** What the admin port of a role tells. */
export interface RoleState {
  /** Name of the role. */
  readonly role: 'upload' | 'transcode';
  /** Whether it does its work. */
  isReady(): boolean;
  /** Figures of this process. */
  figures(): object;
  /** Adds what operators watch of it. */
  describe(metrics: Metrics): void;
}

/** Routes of the admin port of a role: health, figures, metrics, and the page of the queue. */
export function jobRoutes(queue: JobQueue, storage: ObjectStorage, state: RoleState): AdminRoutes {
  const metrics = new Metrics({ process: true });
  let counts: Partial<Record<JobState, number>> = {};
  metrics.gauge('moovedge_build_info', () => [[{ version: version(), node: process.version }, 1]]);
  metrics.gauge('moovedge_jobs', () => Object.entries(counts).map(([name, count]) => [{ state: name }, count]));
  state.describe(metrics);
  return {
    'GET /healthz': { open: true, answer: ({ response }) => sendText(response, 200, 'ok\n') },
    'GET /readyz': {
      open: true,
      answer: ({ response }) =>
        state.isReady() ? sendText(response, 200, 'ready\n') : sendText(response, 503, 'not ready\n'),
    },
    'GET /stats': {
      answer: async ({ response }) =>
        sendJson(response, { version: version(), role: state.role, ...state.figures(), jobs: await queue.counts() }),
    },
    'GET /metrics': {
      answer: async ({ response }) => {
        // Without Redis the rest is told.
        counts = await queue.counts().catch(() => ({}));
        const { text } = await mergeSnapshots([await metrics.snapshot()]);
        sendText(response, 200, text, METRICS_CONTENT_TYPE);
      },
    },
    'GET /jobs': {
      answer: async ({ response }) => {
        const states: readonly JobState[] = ['running', 'waiting', 'failed', 'done'];
        const [counts, jobs] = await Promise.all([queue.counts(), queue.list(states, SHOWN)]);
        sendJson(response, { version: version(), role: state.role, counts, jobs });
      },
    },
    'POST /jobs/retry': {
      answer: async ({ json, response }) => sendJson(response, await act(json, id => queue.retry(id))),
    },
    'POST /jobs/cancel': {
      answer: async ({ json, response }) => sendJson(response, await act(json, id => cancelJob(storage, queue, id))),
    },
    ...pageRoutes(PAGES),
  };
}

async function act(json: () => Promise<unknown>, change: (id: string) => Promise<void>): Promise<object> {
  const { id } = ((await json()) ?? {}) as { id?: unknown };
  if (typeof id !== 'string' || !ID.test(id)) throw new EdgeError('bad_request', 'expected the id of a job as "id"');
  await change(id);
  return { id };
}
