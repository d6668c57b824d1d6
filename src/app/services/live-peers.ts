import { readFileSync } from 'node:fs';
import { PEER_FIELD } from '../../base/peer-fields.js';
import type { ClaimEvents, Claims } from '../../cluster/control/claims.js';
import type { PeerSignature } from '../../cluster/peer/signature.js';
import type { Config } from '../../config/schema.js';
import { LEVEL_FIELD, PARENTS_FIELD, readLevel, readParents } from '../../live/delivery/link-fields.js';
import type { PullSource } from '../../live/relay/pull.js';

/** Another edge of the cluster. */
export interface LivePeer {
  /** Where its peers reach it. */
  readonly host: string;
  readonly port: number;
}

/** Names of streams in a cluster, of which each is one edge's. */
export interface StreamNames {
  streams: ClaimEvents;
  readonly claims: Pick<Claims, 'take' | 'set' | 'drop' | 'reset'>;
  readonly streamPeers: StreamPeers;
}

/** What an edge knows of the others. */
export interface StreamPeers {
  /** The other edges that are there, by their ids. */
  readonly peers: ReadonlyMap<string, LivePeer>;
  /** Ids of those that streams are published to, by the names of these. */
  readonly holders: ReadonlyMap<string, string>;
}

/** There are no others. */
export const NO_PEERS: StreamPeers = { peers: new Map(), holders: new Map() };

/** How edges of a cluster know one another. */
export interface LiveCluster {
  /** Id of this edge. */
  readonly self: string;
  readonly secret: string | undefined;
  /** PEM texts; undefined where edges speak without TLS. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
  /** Where URLs of live streams begin. */
  readonly path: string;
}

/** What the process that pulls has to know of a configuration's cluster; undefined where there is none. */
export function liveCluster({ cluster, live }: Config): LiveCluster | undefined {
  if (cluster === undefined) return undefined;
  const { ca, cert, key } = cluster.listen.tls;
  const read = (file: string) => readFileSync(file, 'utf8');
  const isSecure = ca !== undefined && cert !== undefined && key !== undefined;
  return {
    self: cluster.node.id,
    secret: cluster.secret,
    tls: isSecure ? { ca: read(ca), cert: read(cert), key: read(key) } : undefined,
    path: live.path,
  };
}

/** The other edges as servers that have streams: what they are asked is signed, and so is what they answer. */
export class LivePeers {
  readonly #cluster: LiveCluster;
  readonly #signature: PeerSignature;
  /** As the process that speaks to etcd knows them. */
  known: StreamPeers;

  private constructor(cluster: LiveCluster, known: StreamPeers, signature: PeerSignature) {
    this.#cluster = cluster;
    this.known = known;
    this.#signature = signature;
  }

  /** Loads what is needed of the cluster's code. */
  static async make(cluster: LiveCluster, known: StreamPeers): Promise<LivePeers> {
    const { PeerSignature } = await import('../../cluster/peer/signature.js');
    return new LivePeers(cluster, known, new PeerSignature(cluster.secret));
  }

  /** The edge that a stream is published to, which may name others. */
  sources(name: string): PullSource[] {
    const holder = this.known.holders.get(name);
    const others = (ids: readonly string[]) => ids.flatMap(id => this.#source(id, name));
    return (holder === undefined ? [] : this.#source(holder, name)).map(source => ({
      ...source,
      others: ({ headers }) => others(readParents(headers[PARENTS_FIELD])),
    }));
  }

  #source(id: string, name: string): PullSource[] {
    const { self, tls, path } = this.#cluster;
    const peer = this.known.peers.get(id);
    if (peer === undefined) return [];
    const { host, port } = peer;
    const target = `${path}${name}.flv?start=segment`;
    const claim = { from: self, to: id, mark: 'live', epoch: 0, time: Date.now(), host: '' } as const;
    const signed = this.#signature.request(claim, { method: 'GET', target, field: () => '' });
    return [
      {
        url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}${target}`,
        fields: { [PEER_FIELD]: signed.value },
        peer: id,
        tls,
        isOf: ({ statusCode = 0, headers }) => {
          const value = headers[PEER_FIELD];
          const found = this.#signature.checkAnswer(
            typeof value === 'string' ? value : '',
            statusCode,
            signed.signature,
          );
          return typeof found !== 'string';
        },
        levelOf: ({ headers }) => readLevel(headers[LEVEL_FIELD]),
      },
    ];
  }
}
