import { EdgeError } from '../base/errors.js';
import { type AdminCall, type AdminRoutes, sendJson, sendText } from './admin-server.js';
import { trafficOf } from './cluster-traffic.js';

/** What the admin port asks of this edge's part in a cluster. Answers are plain data. */
export interface ClusterAdmin {
  /** True when this edge is to have no films. */
  readonly draining: boolean;
  /** Percent of its share that this edge takes; undefined while it drains. */
  readonly share: number | undefined;
  status(): object;
  /** Who serves a path. @throws EdgeError `overloaded` when nobody does */
  locate(path: string): object;
  /** @throws EdgeError */
  drain(node: string): Promise<void>;
  /** @throws EdgeError */
  undrain(node: string): Promise<void>;
  /** What a new map would change. @throws EdgeError */
  plan(): object;
  /** Has it made. @throws EdgeError */
  applyPlan(): Promise<object>;
}

/** What the routes work on. */
export interface ClusterTarget {
  readonly ready: boolean;
  /** True of an edge that serves, but takes no new players. */
  readonly drained?: boolean;
  /** Undefined for an edge on its own, or one that is starting. */
  cluster(): ClusterAdmin | undefined;
  /** As `/stats` has it. */
  stats(): Promise<object>;
}

/** Routes of the admin port that concern the cluster. */
export function clusterRoutes(target: ClusterTarget): AdminRoutes {
  const cluster = () => {
    const found = target.cluster();
    if (found !== undefined) return found;
    throw new EdgeError('not_found', 'this edge is in no cluster: its configuration has no cluster section');
  };
  return {
    'GET /cluster': {
      answer: async ({ response }) => {
        const status = cluster().status();
        sendJson(response, { ...status, traffic: trafficOf(await target.stats()) });
      },
    },
    'GET /locate': { answer: ({ query, response }) => sendJson(response, cluster().locate(pathOf(query))) },
    'GET /health/agent': {
      open: true,
      answer: ({ response }) => sendText(response, 200, `${agentWords(target)}\n`),
    },
    'POST /cluster/drain': {
      answer: async call => {
        await cluster().drain(await nodeOf(call));
        sendJson(call.response, cluster().status());
      },
    },
    'POST /cluster/undrain': {
      answer: async call => {
        await cluster().undrain(await nodeOf(call));
        sendJson(call.response, cluster().status());
      },
    },
    'GET /cluster/plan': { answer: ({ response }) => sendJson(response, cluster().plan()) },
    'POST /cluster/plan': { answer: async ({ response }) => sendJson(response, await cluster().applyPlan()) },
  };
}

/**
 * What HAProxy's agent-check is told: `maint` takes no player, `drain` no new one, else the weight in percent. `ready`
 * takes an earlier `drain` or `maint` back.
 */
function agentWords(target: ClusterTarget): string {
  if (target.drained === true) return 'drain';
  if (!target.ready) return 'maint';
  const cluster = target.cluster();
  if (cluster?.draining === true) return 'drain';
  return `${cluster?.share ?? 100}% ready`;
}

function pathOf(query: URLSearchParams): string {
  const path = query.get('path') ?? '';
  if (!path.startsWith('/') || path.length > 8192) {
    throw new EdgeError('bad_request', 'expected a path that begins with /, such as /locate?path=/film.mp4');
  }
  // A query, as a player would send it, names no other film.
  return path.replace(/[?#].*$/s, '');
}

async function nodeOf({ json }: AdminCall): Promise<string> {
  const body = await json();
  const { node } = (typeof body === 'object' && body !== null ? body : {}) as { node?: unknown };
  if (typeof node !== 'string' || node === '')
    throw new EdgeError('bad_request', 'expected {"node": "the id of a node"}');
  return node;
}
