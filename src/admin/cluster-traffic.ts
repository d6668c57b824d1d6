/** What went between this edge and another, since it was started. */
export interface PeerTraffic {
  /** Whether all workers take it for well. */
  isWell: boolean;
  /** Requests of this edge by how they ended. */
  answered: number;
  refused: number;
  failed: number;
  /** Bytes of bodies. */
  sentBytes: number;
  receivedBytes: number;
}

/** What an edge had others answer, since its workers were started. */
export interface ClusterTraffic {
  /** Requests that went to other edges, and that these could not answer. */
  hops: number;
  fallbacks: number;
  redirects: number;
  /** Requests that went to a replica to keep it warm, and because the owner had too much. */
  warmUps: number;
  overflows: number;
  loops: number;
  readonly peers: Record<string, PeerTraffic>;
}

/** As workers tell it. */
interface WorkerTraffic extends Omit<ClusterTraffic, 'peers'> {
  readonly peers: Record<
    string,
    Pick<PeerTraffic, 'isWell' | 'sentBytes' | 'receivedBytes'> & {
      readonly requests: Pick<PeerTraffic, 'answered' | 'refused' | 'failed'>;
    }
  >;
}

const COUNTS = ['hops', 'fallbacks', 'redirects', 'warmUps', 'overflows', 'loops'] as const;
const OUTCOMES = ['answered', 'refused', 'failed'] as const;

/** Adds up what the workers of an edge tell. @param stats of the edge, as `/stats` has them */
export function trafficOf(stats: object): ClusterTraffic {
  const { workers = [] } = stats as { workers?: readonly { stats?: { cluster?: WorkerTraffic } }[] };
  const sum: ClusterTraffic = { hops: 0, fallbacks: 0, redirects: 0, warmUps: 0, overflows: 0, loops: 0, peers: {} };
  for (const worker of workers) {
    const told = worker.stats?.cluster;
    if (told === undefined) continue;
    for (const name of COUNTS) sum[name] += told[name];
    for (const [id, { isWell, requests, sentBytes, receivedBytes }] of Object.entries(told.peers)) {
      const none = { isWell: true, answered: 0, refused: 0, failed: 0, sentBytes: 0, receivedBytes: 0 };
      const peer = sum.peers[id] ?? none;
      sum.peers[id] = peer;
      peer.isWell &&= isWell;
      for (const outcome of OUTCOMES) peer[outcome] += requests[outcome];
      peer.sentBytes += sentBytes;
      peer.receivedBytes += receivedBytes;
    }
  }
  return sum;
}
