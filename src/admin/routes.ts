import { METRICS_CONTENT_TYPE } from '../observe/metrics.js';
import { type AdminCall, type AdminRoutes, sendJson, sendText } from './admin-server.js';
import { type ClusterAdmin, clusterRoutes } from './cluster-routes.js';
import type { Explanation } from './explanation.js';
import { type CachedObjects, type ListRequest, parseList } from './object-list.js';
import { edgePageRoutes, type PlayerPort } from './pages.js';
import { type PrefetchProgress, type PrefetchRequest, parsePrefetch } from './prefetch.js';
import { type EdgeUrl, type PurgeRequest, type PurgeResult, parsePurge, parseWhy } from './purge-request.js';

/** What the admin port works on. */
export interface AdminTarget {
  readonly ready: boolean;
  /** True of an edge that serves, but takes no new players. */
  readonly drained?: boolean;
  readonly player: PlayerPort;
  /** This edge's part in a cluster; undefined for an edge on its own, or one that is starting. */
  cluster(): ClusterAdmin | undefined;
  metricsText(): Promise<string>;
  stats(): Promise<object>;
  purge(request: PurgeRequest): Promise<PurgeResult>;
  /**
   * Why a URL is answered as it is.
   * @throws EdgeError `bad_request`, `overloaded`
   */
  explain(url: EdgeUrl): Explanation;
  /**
   * What the cache knows.
   * @throws EdgeError (rejects with) `overloaded`
   */
  list(request: ListRequest): Promise<CachedObjects>;
  /** @param progress takes a line of progress; @param signal ends the work */
  prefetch(request: PrefetchRequest, progress: (line: PrefetchProgress) => void, signal: AbortSignal): Promise<void>;
}

/** The routes of the admin port. */
export function adminRoutes(target: AdminTarget): AdminRoutes {
  return {
    'GET /healthz': {
      open: true,
      answer: ({ response }) =>
        target.cluster()?.draining === true ? sendText(response, 503, 'draining\n') : sendText(response, 200, 'ok\n'),
    },
    'GET /readyz': {
      open: true,
      answer: ({ response }) =>
        target.ready ? sendText(response, 200, 'ready\n') : sendText(response, 503, 'not ready\n'),
    },
    'GET /metrics': {
      answer: async ({ response }) => sendText(response, 200, await target.metricsText(), METRICS_CONTENT_TYPE),
    },
    'GET /stats': { answer: async ({ response }) => sendJson(response, await target.stats()) },
    'POST /purge': {
      answer: async ({ json, response }) => sendJson(response, await target.purge(parsePurge(await json()))),
    },
    'POST /why': {
      answer: async ({ json, response }) => sendJson(response, target.explain(parseWhy(await json()))),
    },
    'POST /ls': {
      answer: async ({ json, response }) => sendJson(response, await target.list(parseList(await json()))),
    },
    'POST /prefetch': { answer: call => prefetch(target, call) },
    ...clusterRoutes(target),
    ...edgePageRoutes(() => target.player),
  };
}

/** Streams progress as lines of JSON; the last one has `done`. A client that leaves ends the work. */
async function prefetch(target: AdminTarget, { json, response }: AdminCall): Promise<void> {
  const wanted = parsePrefetch(await json());
  const left = new AbortController();
  response.on('close', () => left.abort());
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
  const send = (line: object) => {
    // A client that does not read gets fewer lines of progress, not a longer queue.
    const isProgress = !('end' in line) && !('done' in line);
    if (!isProgress || !response.writableNeedDrain) response.write(`${JSON.stringify(line)}\n`);
  };
  await target.prefetch(wanted, send, left.signal);
  if (left.signal.aborted) return;
  send({ done: true });
  response.end();
}
