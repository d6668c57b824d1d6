import { EdgeError } from '../base/errors.js';
import { decodeText } from '../base/percent.js';
import { BEGAN_FIELD, LEVEL_FIELD, LOOP_FIELD, PARENTS_FIELD, writeParents } from '../live/delivery/link-fields.js';
import { Viewer, type ViewerStart } from '../live/delivery/viewer.js';
import type { WatchedStream } from '../live/delivery/watched-stream.js';
import { whenIn } from './admission.js';
import { type Field, FieldBlock } from './field-block.js';
import type { FrontRequest, FrontResponse } from './front-end.js';
import type { HttpContext } from './http-context.js';
import { findStream, type LinkPlace, type LivePort, UNSENT } from './live-port.js';
import { DirectSocket, FrontEndSocket, type LiveAnswer } from './live-socket.js';
import type { PeerRequest } from './peer-port.js';
import { type BodyMaker, Reply } from './reply.js';

/** What a URL below the path of live streams asks for, when it is a stream as FLV. */
export interface LiveTarget {
  /** APP/NAME. */
  readonly stream: string;
  readonly start: ViewerStart;
}

/**
 * Which stream a URL asks for as FLV; undefined when it does not.
 * @param path as the request has it
 */
export function parseLiveTarget(root: string, path: string, query: string): LiveTarget | undefined {
  if (!path.startsWith(root)) return undefined;
  // Names may have several parts, and dots.
  const [, name] = /^(.+)\.flv$/.exec(path.slice(root.length)) ?? [];
  const stream = name && decodeText(name);
  return stream === undefined ? undefined : { stream, start: startOf(query) };
}

/**
 * Seconds since the stream's beginning, or with a minus before the present; `live` is the next key frame, `segment`
 * what other edges begin with.
 */
function startOf(query: string): ViewerStart {
  const [, word, sign, seconds] =
    /(?:^|&)start=(?:(live|segment)|(-?)(\d{1,9}(?:\.\d{1,9})?))(?:&|$)/.exec(query) ?? [];
  if (word !== undefined) return word === 'live' ? 'next' : 'segment';
  if (seconds === undefined) return 'newest';
  return { from: sign === '-' ? 'present' : 'beginning', milliseconds: Math.round(Number(seconds) * 1000) };
}

/** Answers another edge of the cluster that wants a live stream. */
export function answerLink(context: HttpContext, res: FrontResponse, req: FrontRequest, peer: PeerRequest): void {
  const { live } = context;
  const target = live && parseLiveTarget(live.path, req.getUrl(), req.getQuery() ?? '');
  if (target === undefined) {
    const reply = new Reply(context, res, req, 'GET', undefined, peer);
    reply.text(404, 'there are no live streams here', 'moovedge; detail=peer', []);
  } else new LiveExchange(context, res, req, 'GET', peer).run(live!, target, req);
}

/** The life of a request for a live stream as FLV: from its head to the end of the stream, or of the viewer. */
export class LiveExchange implements BodyMaker, LiveAnswer {
  readonly #context: HttpContext;
  readonly #reply: Reply;
  readonly #isHead: boolean;
  /** Of the socket; 0 when the gate does not guard it. */
  readonly #descriptor: number;
  readonly #isSecure: boolean;
  /** Id of the edge of the cluster that asks; undefined for players. */
  readonly #peer: string | undefined;
  #place: LinkPlace | undefined;
  #stream: WatchedStream | undefined;
  #viewer: Viewer | undefined;
  url = '';

  constructor(context: HttpContext, res: FrontResponse, req: FrontRequest, method: 'GET' | 'HEAD', peer?: PeerRequest) {
    this.#context = context;
    this.#isHead = method === 'HEAD';
    this.#descriptor = context.gate.socket;
    this.#isSecure = context.gate.isSecure;
    this.#peer = peer?.from;
    this.#reply = new Reply(context, res, req, method, this, peer);
  }

  get sent(): number {
    return this.#viewer === undefined ? 0 : (this.#stream?.sentTo(this.#viewer) ?? 0);
  }

  /** Answers. To be called within the handler of the request. */
  run(port: LivePort, target: LiveTarget, req: FrontRequest): void {
    this.url = `${port.path}${target.stream}.flv`;
    const via = req.getHeader(LOOP_FIELD);
    if (this.#peer !== undefined) this.#link(port, target, this.#peer);
    else whenIn(this.#context, req, this.#reply, () => this.#find(port, target, via));
  }

  #find(port: LivePort, target: LiveTarget, via: string): void {
    const found = findStream(port, target.stream, via);
    if (!(found instanceof Promise)) {
      this.#serve(port, target, found);
      return;
    }
    this.#reply.suspend();
    void found.then(stream => {
      if (!this.#reply.over) this.#reply.cork(() => this.#serve(port, target, stream));
    });
  }

  /** Another edge gets what is here, when there is a place for it. */
  #link(port: LivePort, target: LiveTarget, peer: string): void {
    if (port.links === undefined || port.viewing.find(target.stream) === undefined) {
      this.#serve(port, target, undefined);
      return;
    }
    this.#reply.suspend();
    void port.links.ask(target.stream, peer).then(place => {
      if ('leave' in place) this.#place = place;
      if (this.#reply.over) this.#place?.leave();
      else this.#reply.cork(() => this.#answerLink(port, target, place));
    });
  }

  #answerLink(port: LivePort, target: LiveTarget, place: LinkPlace | readonly string[]): void {
    if ('leave' in place) {
      this.#serve(port, target, port.viewing.find(target.stream));
      if (this.#viewer === undefined) place.leave();
      return;
    }
    const message = `there is no place for another edge (live.links); ask ${place.join(', ') || 'later'}`;
    this.#reply.text(503, message, 'moovedge; detail=links', [[PARENTS_FIELD, writeParents(place)]]);
  }

  #serve(port: LivePort, target: LiveTarget, stream: WatchedStream | undefined): void {
    if (stream === undefined) {
      this.#reply.fail(new EdgeError('not_found', `there is no live stream ${target.stream}`));
      return;
    }
    if (this.#isHead) {
      this.head();
      this.#reply.endEmpty();
      return;
    }
    if (this.#reply.isOld) {
      const message = 'a live stream needs HTTP/1.1, because its length is not known';
      this.#reply.text(505, message, 'moovedge; detail=version', []);
      return;
    }
    const { transport } = this.#reply;
    const socket =
      this.#descriptor === 0 || this.#isSecure
        ? new FrontEndSocket(transport, this)
        : new DirectSocket(this.#descriptor, transport, this, port.sendToAll);
    if (this.#descriptor !== 0) port.limitUnsent(this.#descriptor, UNSENT);
    this.#stream = stream;
    const link = target.start === 'segment' ? { peer: this.#peer, level: stream.level } : undefined;
    const viewer = new Viewer(socket, 'http', target.start, link);
    this.#viewer = viewer;
    this.#reply.suspend();
    // The handler's cork is still open: what goes past it would come before the head.
    setImmediate(() => {
      if (!this.#reply.over) port.viewing.watch(stream, viewer);
    });
  }

  left(): void {
    this.#place?.leave();
    if (this.#viewer !== undefined) this.#stream?.remove(this.#viewer);
  }

  head(): void {
    const link = this.#viewer?.link;
    const facts: Field[] = link === undefined ? [] : [[BEGAN_FIELD, String(this.#stream!.ring.createdAt)]];
    if (link?.peer !== undefined) facts.push([LEVEL_FIELD, String(link.level)]);
    const fields = new FieldBlock([
      ['Content-Type', 'video/x-flv'],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
      ...facts,
      ...this.#context.common.filter(([name]) => name.toLowerCase() !== 'cache-control'),
    ]);
    this.#reply.head(200, undefined, fields, 'moovedge; detail=live', '');
  }

  cork(write: () => void): void {
    this.#reply.cork(write);
  }

  ended(bytes: number): void {
    this.#place?.leave();
    this.#context.stats.responseBytes += bytes;
    this.#reply.ended(bytes);
  }
}
