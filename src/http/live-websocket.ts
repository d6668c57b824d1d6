import { EdgeError } from '../base/errors.js';
import { LOOP_FIELD } from '../live/delivery/link-fields.js';
import { Viewer } from '../live/delivery/viewer.js';
import type { WatchedStream } from '../live/delivery/watched-stream.js';
import { whenIn } from './admission.js';
import type { Field } from './field-block.js';
import { hasToken } from './framing.js';
import type { FrontRequest, FrontResponse, FrontSocket, FrontSocketHandler, Upgrade } from './front-end.js';
import type { HttpContext } from './http-context.js';
import type { LiveTarget } from './live-exchange.js';
import { DirectMessageSocket, FrontEndMessageSocket } from './live-message-socket.js';
import { findStream, type LivePort, UNSENT } from './live-port.js';
import { type BodyMaker, Reply } from './reply.js';

/** The only version that there is (RFC 6455 section 4.1). */
const VERSION = '13';

/** Whether a request asks for WebSocket (RFC 6455 section 4.2.1). */
export function asksForWebSocket(req: FrontRequest): boolean {
  return hasToken(req.getHeader('upgrade'), 'websocket') && hasToken(req.getHeader('connection'), 'upgrade');
}

/** The life of a live stream sent as messages of WebSocket, each of whole FLV tags. */
export class LiveWebSocket implements BodyMaker, FrontSocketHandler {
  readonly #context: HttpContext;
  readonly #port: LivePort;
  readonly #target: LiveTarget;
  readonly #reply: Reply;
  /** Of the socket; 0 when the gate does not guard it. */
  readonly #descriptor: number;
  readonly #isSecure: boolean;
  #stream: WatchedStream | undefined;
  #viewer: Viewer | undefined;
  readonly url: string;

  constructor(context: HttpContext, port: LivePort, target: LiveTarget, res: FrontResponse, req: FrontRequest) {
    this.#context = context;
    this.#port = port;
    this.#target = target;
    this.url = `${port.path}${target.stream}.flv`;
    this.#descriptor = context.gate.socket;
    this.#isSecure = context.gate.isSecure;
    this.#reply = new Reply(context, res, req, 'GET', this);
  }

  get sent(): number {
    return this.#viewer === undefined ? 0 : (this.#stream?.sentTo(this.#viewer) ?? 0);
  }

  /** Answers; to be called within the handler of the request. */
  run(req: FrontRequest, upgrade: Upgrade): void {
    const [version, origin, host, via] = [
      req.getHeader('sec-websocket-version'),
      req.getHeader('origin'),
      req.getHeader('host'),
      req.getHeader(LOOP_FIELD),
    ];
    whenIn(this.#context, req, this.#reply, () => {
      if (version !== VERSION) {
        const fields: Field[] = [['Sec-WebSocket-Version', VERSION]];
        this.#reply.text(426, `expected WebSocket of version ${VERSION}`, 'moovedge; detail=version', fields);
      } else if (!this.#context.cors.allowsPage(origin, host)) {
        const message = `pages of ${origin} may not read this: it is not among http.cors.origins`;
        this.#reply.text(403, message, 'moovedge; detail=origin', []);
      } else this.#find(via, upgrade);
    });
  }

  #find(via: string, upgrade: Upgrade): void {
    const found = findStream(this.#port, this.#target.stream, via);
    if (!(found instanceof Promise)) {
      this.#begin(found, upgrade);
      return;
    }
    this.#reply.suspend();
    void found.then(stream => {
      if (!this.#reply.over) this.#reply.cork(() => this.#begin(stream, upgrade));
    });
  }

  #begin(stream: WatchedStream | undefined, upgrade: Upgrade): void {
    if (stream === undefined) {
      this.#reply.fail(new EdgeError('not_found', `there is no live stream ${this.#target.stream}`));
      return;
    }
    this.#stream = stream;
    this.#reply.switched();
    upgrade(this);
  }

  /** The front end has begun to speak the protocol. */
  open(socket: FrontSocket): void {
    const direct = this.#descriptor !== 0 && !this.#isSecure;
    const way = direct
      ? new DirectMessageSocket(socket, this.#descriptor, this.#port.sendToAll)
      : new FrontEndMessageSocket(socket);
    if (this.#descriptor !== 0) this.#port.limitUnsent(this.#descriptor, UNSENT);
    const viewer = new Viewer(way, 'websocket', this.#target.start === 'segment' ? 'newest' : this.#target.start);
    this.#viewer = viewer;
    // What is sent past the front end would come before its answer.
    setImmediate(() => {
      if (!this.#reply.over) this.#port.viewing.watch(this.#stream!, viewer);
    });
  }

  /** The front end has closed it, whoever wanted that. */
  closed(): void {
    const bytes = this.sent;
    this.left();
    this.#context.stats.responseBytes += bytes;
    this.#reply.ended(bytes);
  }

  left(): void {
    if (this.#viewer !== undefined) this.#stream?.remove(this.#viewer);
  }
}
