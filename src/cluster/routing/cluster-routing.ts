import type { Asker } from '../../base/asker.js';
import { EdgeError } from '../../base/errors.js';
import { hasGoneThrough, loopError } from '../../base/loop.js';
import { askerField } from '../../base/peer-fields.js';
import type { OpenObject, OpenStream } from '../../catalog/content.js';
import type { PassingContext } from '../../catalog/lookup.js';
import { openPassing } from '../../catalog/passing.js';
import { Askers } from '../../origin/askers.js';
import { isPlainPath } from '../../origin/http/dialect.js';
import { isPackagedFile } from '../../view/packaging/url/file-set.js';
import { parsePackagedPath } from '../../view/packaging/url/packaged-path.js';
import type { ClusterNode } from '../cluster-state.js';
import { filmOf, partitionOf } from '../map/partition-of.js';
import type { Candidates, PeerCandidate } from '../peer/candidates.js';
import { isOfPeers } from '../peer/fill-origin.js';
import type { PeerClient } from '../peer/peer-client.js';
import { PeerOrigin } from '../peer/peer-origin.js';
import type { PeerSet } from '../peer/peer-set.js';
import type { AnswerSink, Relay } from '../peer/relay.js';
import type { PeerVoucher } from '../peer/signature.js';
import { FilmViews } from './film-views.js';
import type { HotCopies, HotFilms } from './hot-films.js';
import type { Placement, Serving } from './placement.js';
import { warmUpFactor } from './warm-up.js';

/** A player's request; see `UnroutedRequest` of the HTTP stage. */
export interface PlayersRequest {
  readonly path: string;
  readonly url: string;
  readonly fromStart: boolean;
  field(name: string): string;
  client(): string;
}

/** What is asked of another edge; see `HopRequest` of the HTTP stage. */
export interface Hop {
  readonly method: 'GET' | 'HEAD';
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly hint: { readonly start: number; readonly end: number };
  readonly asker: Asker;
  readonly fields: Readonly<Record<string, string>>;
  readonly selection: Readonly<Record<string, string>>;
}

/** Other edges that should answer; see `Elsewhere` of the HTTP stage. */
export interface OtherEdges {
  relay(hop: Hop, sink: AnswerSink): Relay | undefined;
  open(hop: Hop): Promise<OpenObject | OpenStream | undefined>;
}

/** Counters of `ClusterRouting`. */
export interface RoutingStats {
  /** Requests that went to other edges, and that these could not answer, so that this one did. */
  hops: number;
  fallbacks: number;
  redirects: number;
  /** Requests that went to a replica to keep it warm, and because the owner had too much. */
  warmUps: number;
  overflows: number;
  /** Requests that had come through this edge before. */
  loops: number;
  /** Bytes of others' answers that went from socket to socket. */
  carriedBytes: number;
}

/** Options of `ClusterRouting`. */
export interface ClusterRoutingOptions {
  readonly mode: 'proxy' | 'redirect';
  readonly placement: () => Placement;
  readonly peers: PeerSet;
  readonly client: PeerClient;
  readonly passing: PassingContext;
  readonly hot: HotFilms;
  readonly copies: HotCopies;
  /** Shares of the viewers that are sent to replicas, to keep them warm. */
  readonly warmUp: readonly number[];
  /** Workers of this edge, each of which sees its part of a film's viewers. */
  readonly workers: number;
}

const NO_BODY = new Uint8Array(0);

/** Decides for each player's request whether this edge answers it, and has others answer the rest. */
export class ClusterRouting {
  readonly stats: RoutingStats = {
    hops: 0,
    fallbacks: 0,
    redirects: 0,
    warmUps: 0,
    overflows: 0,
    loops: 0,
    carriedBytes: 0,
  };
  readonly #options: ClusterRoutingOptions;
  readonly #views = new FilmViews();

  constructor(options: ClusterRoutingOptions) {
    this.#options = options;
  }

  /**
   * Who answers; undefined for this edge.
   * @throws EdgeError `redirected`, `loop_detected`
   */
  find(request: PlayersRequest): OtherEdges | undefined {
    const { placement, hot, copies, mode } = this.#options;
    const place = placement();
    this.#refuseLoops(request.field('cdn-loop'), place.state.self);
    if (place.partitions === 0) return undefined;
    const { path } = request;
    const partition = partitionOf(path, place.partitions);
    const now = performance.now();
    const owned = place.owns(partition);
    if (owned) hot.count(path, now);
    const heat = owned ? (hot.of(path, now)?.copies ?? 0) : copies.copies(path, now);
    const name = filmOf(path);
    const film = fraction(name);
    if (request.fromStart && isBeginning(path)) this.#views.count(film, now);
    const viewer = fraction(`${viewerOf(request)}\n${name}`);
    const serving = place.serving(partition, film, viewer, heat, this.#warmth(place, film));
    const chosen = serving.nodes[0];
    this.#count(serving);
    if (chosen === undefined || chosen === place.self) return undefined;
    if (mode === 'redirect' && chosen.url !== undefined && request.fromStart && isBeginning(path)) {
      this.#redirect(chosen, request.url);
    }
    const others = serving.nodes.filter(node => node !== place.self);
    const candidates = this.#options.peers.candidates(others, true);
    if (candidates === undefined) return undefined;
    return this.#others(candidates, place.state.epoch);
  }

  #others(all: Candidates, epoch: number): OtherEdges {
    let candidates = all;
    let isAsked = false;
    return {
      relay: (hop, sink) => {
        const candidate = candidates.first(performance.now());
        if (candidate === undefined || !isPlainPath(hop.path)) return undefined;
        const gaveUp = () => {
          candidates = all.without(candidate);
        };
        isAsked = true;
        this.stats.hops++;
        return this.#relay(candidate, () => candidates, epoch, hop, sink, gaveUp);
      },
      open: hop => {
        if (!isAsked) this.stats.hops++;
        return this.#open(candidates, epoch, hop);
      },
    };
  }

  #relay(
    candidate: PeerCandidate,
    others: () => Candidates,
    epoch: number,
    hop: Hop,
    sink: AnswerSink,
    gaveUp: () => void,
  ): Relay {
    const { client } = this.#options;
    const { method, host, path, query, fields, selection, asker } = hop;
    const target = query === '' ? path : `${path}?${query}`;
    const request = { method, target, host, epoch, fields: { ...fields, ...selection, ...askerField(asker) } };
    return client.relay(request, {
      candidate,
      sink,
      gaveUp,
      carried: bytes => {
        this.stats.carriedBytes += bytes;
      },
      learnt: (voucher, size) => this.#learn(path, voucher, size),
      goOn: (wanted, rest) => {
        const origin = new PeerOrigin(client, others(), { name: 'peers', mark: 'hop', host, epoch });
        return origin.fetch({ path, query, fields, ...wanted, askers: new Askers(asker) }, rest);
      },
    });
  }

  /** How much more, or less, a film is sent to its replicas. Each worker takes its own viewers for those of all. */
  #warmth(place: Placement, film: number): number {
    const { warmUp, workers } = this.#options;
    return warmUp.length === 0 ? 1 : warmUpFactor(warmUp, this.#views.of(film) * place.entries * workers);
  }

  async #open(candidates: Candidates, epoch: number, hop: Hop): Promise<OpenObject | OpenStream | undefined> {
    const { client, passing } = this.#options;
    const { host, path, query, hint, fields, asker } = hop;
    if (candidates.first(performance.now()) === undefined) {
      this.stats.fallbacks++;
      return undefined;
    }
    let said: PeerVoucher | undefined;
    const vouched = (voucher: PeerVoucher) => {
      said = voucher;
    };
    const origin = new PeerOrigin(client, candidates, { name: 'peers', mark: 'hop', host, epoch, vouched });
    const request = { path, query, range: hint, condition: undefined, fields, askers: new Askers(asker) };
    const passed = await openPassing(passing, origin, `peers${path}?${query}`, request);
    if (passed.kind === 'refused') {
      if (!isOfPeers(passed.error)) throw passed.error;
      this.stats.fallbacks++;
      return undefined;
    }
    const opened = passed.value;
    if (said !== undefined && opened.kind === 'object') this.#learn(path, said, opened.object.size);
    return opened;
  }

  #learn(path: string, { copies, lifetime }: PeerVoucher, size: number): void {
    this.#options.copies.learn(path, { copies, until: performance.now() + lifetime }, size);
  }

  #count({ reason }: Serving): void {
    if (reason === 'warmUp') this.stats.warmUps++;
    else if (reason === 'overflow') this.stats.overflows++;
  }

  #redirect({ url }: ClusterNode, target: string): never {
    this.stats.redirects++;
    const fields = { location: `${url!.replace(/\/+$/, '')}${target}`, 'cache-control': 'no-store' };
    throw new EdgeError('redirected', 'another edge has the film', { answer: { status: 307, fields, body: NO_BODY } });
  }

  #refuseLoops(field: string, self: string): void {
    if (!hasGoneThrough(field, self)) return;
    this.stats.loops++;
    throw loopError();
  }
}

/** Players come to a film by its own path or a manifest of it; all else is asked for while they play it. */
function isBeginning(path: string): boolean {
  const packaged = parsePackagedPath(path, isPackagedFile);
  return packaged === undefined || 'manifest' in packaged;
}

/** A viewer is a client's address with its program. */
function viewerOf(request: PlayersRequest): string {
  return `${request.client()}\n${request.field('user-agent')}`;
}

/**
 * A number of 0 to 1 that is always the same for a text, and evenly spread over texts: FNV-1a, with the finaliser of
 * MurmurHash3.
 */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
