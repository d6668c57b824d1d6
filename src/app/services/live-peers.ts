import { readFileSync } from 'node:fs';
import { PEER_FIELD } from '../../base/peer-fields.js';
import type { ClaimEvents, Claims } from '../../cluster/control/claims.js';
import { PeerSignature } from '../../cluster/peer/signature.js';
import type { Config } from '../../config/schema.js';
import type { PullSource } from '../../live/relay/pull.js';

/** Another edge of the cluster. */
export interface LivePeer {
  readonly id: string;
  /** Where its peers reach it. */
  readonly host: string;
  readonly port: number;
}

/** Names of streams in a cluster, of which each is one edge's. */
export interface StreamNames {
  streams: ClaimEvents;
  readonly claims: Pick<Claims, 'take' | 'set' | 'drop' | 'reset'>;
  /** The other edges that have streams, by the names of these. */
  readonly streamHolders: ReadonlyMap<string, LivePeer>;
}

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
  /** Edges by the names of the streams that they have. */
  holders: ReadonlyMap<string, LivePeer> = new Map();

  constructor(cluster: LiveCluster) {
    this.#cluster = cluster;
    this.#signature = new PeerSignature(cluster.secret);
  }

  sources(name: string): PullSource[] {
    const holder = this.holders.get(name);
    return holder === undefined ? [] : [this.#source(holder, name)];
  }

  #source({ id, host, port }: LivePeer, name: string): PullSource {
    const { self, tls, path } = this.#cluster;
    const target = `${path}${name}.flv?start=segment`;
    const claim = { from: self, to: id, mark: 'live', epoch: 0, time: Date.now(), host: '' } as const;
    const signed = this.#signature.request(claim, { method: 'GET', target, field: () => '' });
    return {
      url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}${target}`,
      fields: { [PEER_FIELD]: signed.value },
      tls,
      isOf: ({ statusCode = 0, headers }) => {
        const value = headers[PEER_FIELD];
        const found = this.#signature.checkAnswer(typeof value === 'string' ? value : '', statusCode, signed.signature);
        return typeof found !== 'string';
      },
    };
  }
}
