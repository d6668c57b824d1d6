import { type CacheOutcome, cacheStatus } from '../base/cache-outcome.js';
import { causeFields } from '../base/cause.js';
import { EdgeError } from '../base/errors.js';
import { fieldLine } from '../base/field-line.js';
import { hasGoneThrough, loopError } from '../base/loop.js';
import { ASKER_FIELD } from '../base/peer-fields.js';
import { escapeInvisible } from '../base/percent.js';
import type { OpenObject, OpenStream } from '../catalog/content.js';
import type { StoredObject } from '../catalog/stored-object.js';
import { Delivery, type DeliveryListener } from '../delivery/delivery.js';
import type { AnswerPace } from '../delivery/pace.js';
import { StreamDelivery } from '../delivery/stream-delivery.js';
import { OpenedMedia } from '../view/opened-media.js';
import type { MadeView, View, ViewStage } from '../view/view.js';
import { firstSource } from '../virtual-file/first-source.js';
import type { VirtualFile } from '../virtual-file/virtual-file.js';
import { admissionOf, type RequestAdmission } from './admission.js';
import type { FieldBlock } from './field-block.js';
import type { FrontRequest, FrontResponse } from './front-end.js';
import type { HttpContext } from './http-context.js';
import { multipart } from './multipart.js';
import type { PeerRequest } from './peer-port.js';
import { conditionsOf, hintOf, PlayerRequest } from './player-request.js';
import { type Conditions, evaluate, rangeApplies, type Selected } from './preconditions.js';
import { type ByteRange, contentRange, parseRange, type RangeSet, resolveRanges } from './range.js';
import { RelayedAnswer } from './relayed-answer.js';
import { type BodyMaker, type RangeOfFile, Reply } from './reply.js';
import type { Representation } from './representation.js';
import type { Elsewhere, HopRequest, UnroutedRequest } from './request-routing.js';
import { NO_NAMES, parseHost, parseTarget, type Target } from './target.js';

/**
 * The life of one GET or HEAD: parse, open, view, answer. Each step goes on at once when the stage behind it answers at
 * once, so that a hot range is sent within the handler of its request; else the exchange waits for a promise.
 */
export class Exchange implements DeliveryListener, BodyMaker {
  readonly #context: HttpContext;
  readonly #isHead: boolean;
  readonly #reply: Reply;
  readonly #peer: PeerRequest | undefined;
  readonly #isOwn: boolean;
  /** Who is let in to what, where there are rules. */
  #admission: RequestAdmission | undefined;
  #host = '';
  #target!: Target;
  /** Path of the object. */
  #path: string | undefined;
  #range: RangeSet | undefined;
  #ifRange = '';
  #conditions: Conditions | undefined;
  /** The answer took a request to the origin, or waited for one. */
  #fetched = false;
  /** The answer is made by a view. */
  #hasView = false;
  /** The answer is another edge's. */
  #isRelayed = false;
  #opened: OpenObject | OpenStream | undefined;
  #released = false;
  #delivery: Delivery | StreamDelivery | RelayedAnswer | undefined;
  /** Head that `begin` writes. */
  #status = 200;
  #fields!: FieldBlock;
  #part: RangeOfFile | undefined;

  /**
   * @param peer the request of a peer, which is answered here in any case
   * @param isOwn it is the edge's own request, which is let in and not held back
   */
  constructor(
    context: HttpContext,
    res: FrontResponse,
    req: FrontRequest,
    method: 'GET' | 'HEAD',
    peer?: PeerRequest,
    isOwn = false,
  ) {
    this.#isOwn = isOwn;
    this.#context = context;
    this.#isHead = method === 'HEAD';
    this.#peer = peer;
    this.#reply = new Reply(context, res, req, method, this, peer);
  }

  get sent(): number {
    return this.#delivery?.sent ?? 0;
  }

  get url(): string {
    const { path, query } = this.#target ?? { path: '', query: '' };
    return query === '' ? path : `${path}?${query}`;
  }

  get origin(): string | undefined {
    if (this.#target === undefined) return undefined;
    return this.#context.content.originOf?.(this.#host, this.#path ?? this.#target.path);
  }

  get key(): string | undefined {
    return this.#opened?.kind === 'object' && !this.#isRelayed ? this.#opened.object.key : undefined;
  }

  /** Answers. To be called within the handler of the request. */
  run(req: FrontRequest): void {
    try {
      const { views, maxUrlLength, ownNames } = this.#context;
      const isRaw = this.#peer?.mark === 'fill';
      // The front end gives undefined for an absent query, whatever its types say.
      const query = req.getQuery() ?? '';
      const host = parseHost(this.#peer?.host ?? req.getHeader('host'));
      this.#host = host;
      const admission = isRaw ? undefined : admissionOf(this.#context, req, host, this.#reply);
      this.#admission = admission;
      const names = isRaw ? NO_NAMES : (admission?.names ?? ownNames);
      this.#target = parseTarget(req.getUrl(), query, maxUrlLength, names);
      this.#reply.bearsTokens = this.#target.tokens !== '';
      const view = isRaw ? undefined : views.find(this.#target);
      // Peers have let their players in.
      const isAsked = this.#peer === undefined && !this.#isOwn;
      const admitted = isAsked ? admission && this.#admit(admission, view) : undefined;
      if (admitted === undefined) this.#find(req, host, view);
      else {
        const kept = admission!.keep();
        this.#after(admitted, () => {
          if (!this.#reply.over) this.#find(kept, host, view);
        });
      }
    } catch (error) {
      this.failed(error);
    }
  }

  /** Lets the request in to its URL, and to all objects that this tells; undefined when that is done. */
  #admit(admission: RequestAdmission, view: View | undefined): Promise<void> | undefined {
    const admitted = admission.check();
    if (view === undefined) return admitted;
    const objects = [view.path, ...(view.others ?? [])];
    // Its view may open further ones.
    admission.keep();
    return admitted === undefined
      ? admission.checkObjects(objects)
      : admitted.then(() => admission.checkObjects(objects));
  }

  /** @throws EdgeError `loop_detected` */
  #refuseLoops(req: FrontRequest): void {
    const { name } = this.#context;
    if (name !== undefined && hasGoneThrough(req.getHeader('cdn-loop'), name)) throw loopError();
  }

  #find(req: FrontRequest, host: string, view: View | undefined): void {
    const { path, query, tokens } = this.#target;
    this.#conditions = conditionsOf(req);
    // Range is defined for GET only (RFC 9110 section 14.2).
    if (!this.#isHead) this.#range = parseRange(req.getHeader('range'));
    if (this.#range !== undefined) this.#ifRange = req.getHeader('if-range');
    const hint = hintOf(this.#isHead, this.#range, view?.hint);
    const cachedOnly = this.#peer?.cachedOnly;
    this.#path = view?.path ?? path;
    const reply = this.#reply;
    const asker = this.#peer === undefined ? reply : { client: req.getHeader(ASKER_FIELD), cause: reply };
    const request = new PlayerRequest(req, host, this.#path, query, hint, asker, cachedOnly, tokens, this.#admission);
    const whole = req.getQuery() ?? '';
    this.#refuseLoops(req);
    const elsewhere = view?.isLocal ? undefined : this.#context.routing?.find(this.#unrouted(req, whole));
    if (elsewhere === undefined) this.#openHere(view, request);
    else this.#openElsewhere(elsewhere, view, request, whole);
  }

  #unrouted(req: FrontRequest, query: string): UnroutedRequest {
    const { path } = this.#target;
    return {
      path,
      url: query === '' ? path : `${path}?${escapeInvisible(query)}`,
      fromStart: this.#range === undefined || this.#range[0] === 0,
      field: name => req.getHeader(name),
      client: () => this.#reply.client,
    };
  }

  /** What a view works with: objects that it comes upon are for whom they are for. */
  get #stage(): ViewStage {
    const context = this.#context;
    if (this.#admission === undefined || this.#peer !== undefined || this.#isOwn) return context;
    const { planner, packager } = context;
    return { content: this.#admission.guarded(context.content), planner, packager };
  }

  #openHere(view: View | undefined, request: PlayerRequest): void {
    const { content } = this.#context;
    const opened = view?.open === undefined ? content.open(request) : view.open(request, this.#stage.content);
    if (opened instanceof Promise) {
      request.keep();
      this.#fetched = true;
      this.#after(opened, result => this.#open(result, view, request));
    } else this.#open(opened, view, request);
  }

  /** Has another edge answer, past the cache of this one. */
  #openElsewhere(elsewhere: Elsewhere, view: View | undefined, request: PlayerRequest, query: string): void {
    request.keep();
    this.#fetched = true;
    // A condition is evaluated here, and often met by the head alone.
    const hint = hintOf(this.#isHead || this.#conditions !== undefined, this.#range, undefined);
    const { host, selection, asker } = request;
    const fields = { ...request.fields, ...causeFields(this.#reply, this.#reply.traceparent) };
    const method = this.#isHead ? 'HEAD' : 'GET';
    const hop = {
      method,
      host,
      path: this.#target.path,
      query: escapeInvisible(query),
      hint,
      asker,
      fields,
      selection,
    } as const;
    const open = () => this.#openRelayed(elsewhere, hop, view, request);
    const answer = new RelayedAnswer(this.#reply, this.#context, open, error => this.failed(error));
    const relay = elsewhere.relay(hop, answer);
    if (relay === undefined) open();
    else {
      this.#delivery = answer;
      answer.begin(relay);
    }
  }

  /** Opens what other edges answer, where it can't just be passed on. */
  #openRelayed(elsewhere: Elsewhere, hop: HopRequest, view: View | undefined, request: PlayerRequest): void {
    this.#after(elsewhere.open(hop), opened => {
      if (opened === undefined) this.#openHere(view, request);
      else {
        this.#isRelayed = true;
        this.#represent(opened);
      }
    });
  }

  left(): void {
    this.#delivery?.close();
  }

  begin(outcome: CacheOutcome | undefined): void {
    const opened = this.#opened!;
    if (opened.kind === 'stream') {
      this.#reply.head(200, 'bypass', this.#fields, cacheStatus('bypass'), '');
    } else {
      const how = opened.outcome ?? outcome ?? 'memory';
      this.#reply.objectHead(this.#status, how, opened.age, this.#fields, this.#part);
    }
  }

  failed(error: unknown): void {
    this.#reply.fail(error);
    this.#release();
  }

  ended(): void {
    this.#reply.ended(this.sent);
  }

  #after<T>(promise: Promise<T>, step: (value: T) => void): void {
    this.#reply.suspend();
    promise.then(step).catch(error => this.failed(error));
  }

  #release(): void {
    if (this.#released) return;
    this.#released = this.#opened !== undefined;
    this.#opened?.release();
  }

  #open(opened: OpenObject | OpenStream, view: View | undefined, request: PlayerRequest): void {
    this.#opened = opened;
    this.#hasView = view !== undefined;
    if (view === undefined || this.#reply.over) this.#represent(opened);
    else {
      const made = view.make(opened, request, this.#stage);
      if (made instanceof Promise) {
        request.keep();
        this.#after(made, result => this.#represent(result));
      } else this.#represent(made);
    }
  }

  #represent(made: MadeView): void {
    const { representations } = this.#context;
    const opened = made.kind === 'file' ? made.opened : made;
    this.#opened = opened;
    if (this.#reply.over) this.#release();
    else if (opened.kind === 'stream' && this.#peer?.cachedOnly) this.failed(notCached());
    else if (opened.kind === 'stream') this.#reply.cork(() => this.#stream(opened));
    else {
      const { object } = opened;
      const representation =
        made.kind === 'file' ? representations.of(made.file, made.fields, object) : this.#plain(object);
      this.#reply.cork(() => this.#answer(opened, representation));
    }
  }

  #plain(object: StoredObject): Representation {
    const { representations } = this.#context;
    if (this.#isRelayed) return representations.relayed(object);
    return this.#peer?.mark === 'fill' ? representations.raw(object) : representations.plain(object);
  }

  #answer(opened: OpenObject, representation: Representation): void {
    const { file, fields, whole = fields } = representation;
    if (this.#conditions !== undefined && !this.#meets(this.#conditions, opened, representation)) return;
    if (this.#isHead || file.size === 0) {
      const length = fieldLine('Content-Length', file.size);
      this.#reply.objectHead(200, this.#headOutcome(opened, file), opened.age, whole, undefined, length);
      this.#reply.endEmpty();
      this.#release();
    } else {
      const wanted = this.#rangesOf(opened, file);
      const ranges = this.#peer?.cachedOnly ? [cachedPart(opened, wanted)] : wanted;
      if (ranges === undefined) this.#deliver(opened, { ...representation, fields: whole }, 0, file.size);
      else if (ranges.length === 1) this.#deliverRange(opened, representation, ranges[0]!);
      else this.#deliverRanges(opened, representation, ranges);
    }
  }

  /** False when the answer is given by the preconditions. */
  #meets(conditions: Conditions, opened: OpenObject, representation: Representation): boolean {
    const { object } = opened;
    const { file } = representation;
    const etag = file.etag === object.etag ? object.validator.etag : undefined;
    const verdict = evaluate(conditions, file, { etag, vouched: Date.now() - opened.age * 1000 });
    if (verdict === 'proceed') return true;
    const outcome = this.#headOutcome(opened, undefined);
    if (verdict === 'failed') this.#preconditionFailed(outcome);
    else {
      const fields = this.#context.representations.notModified(representation, object);
      this.#reply.objectHead(304, outcome, opened.age, fields, undefined);
      this.#reply.endEmpty();
    }
    this.#release();
    return false;
  }

  #preconditionFailed(outcome: CacheOutcome): void {
    this.#reply.text(412, 'the file is not the version that the request is for', cacheStatus(outcome), []);
  }

  /** The ranges to send, at least one; undefined when the whole file is the answer. */
  #rangesOf(opened: OpenObject, file: VirtualFile): readonly ByteRange[] | undefined {
    if (this.#range === undefined) return undefined;
    if (this.#ifRange !== '' && !rangeApplies(this.#ifRange, file, Date.now() - opened.age * 1000)) return undefined;
    const ranges = resolveRanges(this.#range, file.size, this.#context.range);
    if (ranges !== undefined && ranges.length > 0) return ranges;
    const reason =
      ranges === undefined
        ? 'the request has too many ranges, or too many that overlap'
        : 'no range of the request lies in the file';
    throw new EdgeError('range_not_satisfiable', `${reason}; the file has ${file.size} bytes`, {
      headers: { 'Content-Range': contentRange(undefined, file.size) },
    });
  }

  #deliverRange(opened: OpenObject, representation: Representation, range: ByteRange): void {
    this.#status = 206;
    this.#part = { start: range.start, end: range.end, size: representation.file.size };
    this.#deliver(opened, representation, range.start, range.end - range.start);
  }

  #deliverRanges(opened: OpenObject, { file, own }: Representation, ranges: readonly ByteRange[]): void {
    const parts = multipart(file, ranges);
    this.#status = 206;
    this.#deliver(opened, this.#context.representations.of(parts, own, opened.object), 0, parts.size);
  }

  #deliver(opened: OpenObject, { file, fields }: Representation, from: number, total: number): void {
    this.#fields = fields;
    const { transport, scatter } = this.#reply;
    const reader = opened.reader();
    const pace = this.#pace(opened);
    const delivery = new Delivery(transport, reader, file.spans, from, total, this, this.#context, scatter, pace);
    this.#delivery = delivery;
    if (!delivery.start()) this.#reply.suspend();
    else if (this.#context.gate.wantsReady) this.#offer(opened, reader.outcome, file.size);
    this.#release();
  }

  /** Has the gate answer what is asked for next by this URL, where it may. */
  #offer(opened: OpenObject, outcome: CacheOutcome, size: number): void {
    const { ready } = this.#context;
    const isForAll = !this.#hasView && !this.#isOwn && this.#peer === undefined && !this.#isRelayed;
    if (ready === undefined || !isForAll || this.#reply.isSuspended || this.#part === undefined) return;
    const standing = outcome === 'memory' ? opened.standing?.() : undefined;
    if (standing === undefined) return;
    const until = this.#admission?.goodUntil ?? Number.POSITIVE_INFINITY;
    const { lastLines } = this.#reply;
    const { key } = opened.object;
    const { origin } = this;
    ready.offer(this.#context, { standing, size, key, origin, fields: this.#fields, lines: lastLines, until });
  }

  /** How fast the answer goes. Fills of other edges are not players'. */
  #pace(opened: OpenObject): AnswerPace | undefined {
    const { pacing, planner } = this.#context;
    if (pacing === undefined || this.#isOwn || this.#peer?.mark === 'fill') return undefined;
    const client = this.#peer === undefined ? this.#reply.client : undefined;
    const { connection } = this.#reply;
    return pacing.begin({
      connection: connection === 0 || client === undefined ? '' : `${connection} ${client} ${opened.object.key}`,
      client,
      bitrate: () => planner.bitrate?.(new OpenedMedia(opened)),
    });
  }

  #stream(opened: OpenStream): void {
    const { representations } = this.#context;
    this.#fields = representations.stream(opened.contentType, opened.fields);
    const unknown: Selected = { etag: '', lastModified: undefined };
    if (this.#conditions !== undefined && evaluate(this.#conditions, unknown) === 'failed') {
      this.#preconditionFailed('bypass');
    } else if (this.#isHead) {
      this.begin('bypass');
      this.#reply.endEmpty();
    } else if (this.#reply.isOld) {
      this.#reply.refuseOld();
    } else {
      const delivery = new StreamDelivery(this.#reply.transport, this, this.#context);
      this.#delivery = delivery;
      delivery.start(opened);
      this.#reply.suspend();
    }
    this.#release();
  }

  /**
   * Outcome of an answer that sends no block: where the first block of the file is, when it is at hand, else where the
   * head came from.
   */
  #headOutcome(opened: OpenObject, file: VirtualFile | undefined): CacheOutcome {
    if (opened.outcome !== undefined) return opened.outcome;
    const first = file && firstSource(file.spans, 0, file.size);
    if (first !== undefined) {
      const reader = opened.reader();
      try {
        if (reader.read(first.offset, first.offset + 1) !== undefined) {
          reader.release();
          return reader.outcome;
        }
      } finally {
        reader.close();
      }
    }
    return this.#fetched ? 'miss' : 'memory';
  }
}

/** Of what a peer wants the beginning that is cached here. @throws EdgeError `only_if_cached` */
function cachedPart(opened: OpenObject, ranges: readonly ByteRange[] | undefined): ByteRange {
  const range = ranges?.[0];
  const end = range === undefined ? 0 : opened.cachedUpTo(range.start, range.end);
  if (range === undefined || end <= range.start) throw notCached();
  return { start: range.start, end };
}

function notCached(): EdgeError {
  return new EdgeError('only_if_cached', 'nothing of it is cached here');
}
