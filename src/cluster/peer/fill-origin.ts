import type { EdgeError, ErrorCode } from '../../base/errors.js';
import { hasValidator } from '../../origin/fields.js';
import type {
  Origin,
  OriginAnswer,
  OriginFetch,
  OriginRequest,
  OriginSink,
  RefusedAnswer,
} from '../../origin/origin.js';

/** Errors that say something of peers and nothing of the object. */
const OF_PEERS: ReadonlySet<ErrorCode> = new Set([
  'origin_unavailable',
  'origin_timeout',
  'origin_protocol',
  'object_changed',
  'only_if_cached',
  'overloaded',
]);

/** True when others than the peers that were asked may do better. */
export function isOfPeers({ code, options }: EdgeError): boolean {
  return OF_PEERS.has(code) && (options.answer === undefined || options.answer.status >= 500);
}

/** Where an object's bytes come from when peers are asked first. */
export interface ObjectPeers {
  /** Peers that should have them, and under which name they know the object; undefined when nobody is to be asked. */
  peers(): { readonly origin: Origin; readonly path: string; readonly query: string } | undefined;
}

/**
 * An origin whose objects are had from peers where these have them: by the same name, so that the cache knows no
 * difference. What peers don't bring comes from the origin itself, at the byte where they stopped.
 */
export class FillOrigin implements Origin {
  readonly name: string;
  readonly #storage: Origin;
  readonly #sources: ObjectPeers;

  constructor(storage: Origin, sources: ObjectPeers) {
    this.name = storage.name;
    this.#storage = storage;
    this.#sources = sources;
  }

  fetch(request: OriginRequest, sink: OriginSink): OriginFetch {
    const peers = this.#sources.peers();
    if (peers === undefined) return this.#storage.fetch(request, sink);
    const { origin, path, query } = peers;
    return new PeerFill(this.#storage, request, sink).begin(origin, { ...request, path, query });
  }

  /** The storage is closed by its owner. */
  async close(): Promise<void> {}
}

/** One fetch: from peers as far as they bring it, then from the storage. */
class PeerFill implements OriginFetch, OriginSink {
  readonly #storage: Origin;
  readonly #request: OriginRequest;
  readonly #sink: OriginSink;
  #fetch!: OriginFetch;
  /** Head of the first answer, which the sink was given. */
  #answer: OriginAnswer | undefined;
  /** Next byte of the object that the sink is to get. */
  #position = 0;
  /** Bytes that the storage sends before it. */
  #skip = 0;
  #isLast = false;
  #paused = false;

  constructor(storage: Origin, request: OriginRequest, sink: OriginSink) {
    this.#storage = storage;
    this.#request = request;
    this.#sink = sink;
  }

  /** @param request by which the peers know the object */
  begin(peers: Origin, request: OriginRequest): this {
    this.#fetch = peers.fetch(request, this);
    return this;
  }

  pause(): void {
    this.#paused = true;
    this.#fetch.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#fetch.resume();
  }

  cancel(): void {
    this.#fetch.cancel();
  }

  answered(answer: OriginAnswer): void {
    if (this.#answer === undefined) {
      this.#answer = answer;
      this.#position = answer.offset;
      this.#sink.answered(answer);
    } else this.#skip = this.#position - answer.offset;
  }

  bytes(chunk: Uint8Array): void {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    const fresh = chunk.subarray(skipped);
    if (fresh.length === 0) return;
    this.#position += fresh.length;
    this.#sink.bytes(fresh);
  }

  ended(): void {
    this.#sink.ended();
  }

  failed(error: EdgeError, refused?: RefusedAnswer): void {
    if (this.#isLast || !isOfPeers(error)) this.#sink.failed(error, refused);
    else if (this.#answer === undefined) this.#goOn(this.#request);
    else if (hasValidator(this.#answer.validator)) this.#goOn(this.#rest(this.#answer));
    else this.#sink.failed(error, refused);
  }

  #rest({ length, offset, validator }: OriginAnswer): OriginRequest {
    const end = length === undefined ? Number.MAX_SAFE_INTEGER : offset + length;
    return { ...this.#request, range: { start: this.#position, end }, condition: { kind: 'same', validator } };
  }

  #goOn(request: OriginRequest): void {
    this.#isLast = true;
    this.#fetch = this.#storage.fetch(request, this);
    if (this.#paused) this.#fetch.pause();
  }
}
