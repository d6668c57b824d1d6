import type { Socket } from 'node:net';
import type { Log } from '../../base/log.js';
import { type EndReason, RtmpError } from '../rtmp/rtmp-error.js';
import { type PublishRules, refusalOf } from './authorisation.js';
import type { Applicant, PublishHook } from './hook.js';
import { Publisher } from './publisher.js';
import type { StreamRequest } from './stream-name.js';
import type { StreamOwner, StreamRegistry } from './stream-registry.js';

/** Milliseconds that a client may take to read why it is refused. */
const LAST_WORDS = 2000;
/** Bytes that are not read by the peer at which no more is read from it. */
const UNREAD_MAX = 64 * 1024;

/** What all connections of a server share. */
export interface ConnectionOptions {
  /** Texts of PEM files; undefined for a port that speaks plain RTMP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly streams: StreamRegistry;
  readonly hook: PublishHook;
  readonly rules: () => PublishRules;
  /** Milliseconds in which a connection must have come to publish. */
  readonly arrival: number;
  /**
   * Milliseconds without a byte after which a publisher is given up; after a third of it, it is asked whether it is
   * there.
   */
  readonly silence: number;
  readonly log: Log;
}

/** A publisher, in `/stats`. */
export interface ConnectionStats {
  readonly stream: string;
  readonly address: string;
  readonly program: string | undefined;
  readonly tls: boolean;
  readonly seconds: number;
}

/** Told what becomes of a connection. */
export interface ConnectionEvents {
  received(bytes: number): void;
  accepted(): void;
  ended(reason: EndReason): void;
  /** It has never published. @param fields for the log */
  turnedAway(fields: object): void;
}

/** One connection: the socket of a publisher, from its first byte to the line in the log that says how it ended. */
export class RtmpConnection implements StreamOwner {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #publisher: Publisher;
  readonly #address: string;
  /** `performance.now()` at which it connected, or finished publishing. */
  #since = performance.now();
  #heardAt = performance.now();
  #hasAsked = false;
  /** `performance.now()` since which it publishes. */
  #publishesSince: number | undefined;
  #applicant: Applicant | undefined;
  /** URL of the hook that let it in. */
  #hook: string | undefined;
  /** Whether it waits to be let in: nothing more is read meanwhile. */
  #isAsking = false;
  #hasPublished = false;
  #hasEnded = false;
  readonly closed: Promise<void>;

  constructor(socket: Socket, number: number, options: ConnectionOptions, events: ConnectionEvents) {
    this.#socket = socket;
    this.#number = number;
    this.#options = options;
    this.#events = events;
    this.#address = socket.remoteAddress ?? '';
    this.#publisher = new Publisher({
      send: bytes => this.#send(bytes),
      admit: request => this.#admit(request),
      finished: message => this.#finish('finished', message),
      fail: error => this.#fail(error),
    });
    this.closed = new Promise(resolve => socket.once('close', () => resolve()));
    socket.on('data', bytes => this.#receive(bytes));
    socket.on('drain', () => {
      if (!this.#isAsking) socket.resume();
    });
    socket.on('end', () => this.end('gone', 'the connection was closed'));
    socket.on('error', error =>
      this.end('gone', `the connection broke: ${(error as NodeJS.ErrnoException).code ?? error.message}`),
    );
    socket.on('close', () => this.end('gone', 'the connection was closed'));
  }

  get isPublishing(): boolean {
    return this.#publishesSince !== undefined;
  }

  /** Whether it has not come to publish yet. */
  get isNew(): boolean {
    return !this.isPublishing && !this.#hasEnded;
  }

  get stats(): ConnectionStats | undefined {
    if (this.#publishesSince === undefined || this.#applicant === undefined) return undefined;
    return {
      stream: this.#applicant.stream,
      address: this.#address,
      program: this.#publisher.program,
      tls: this.#options.tls !== undefined,
      seconds: Math.round((performance.now() - this.#publishesSince) / 1000),
    };
  }

  requestReconnect(): void {
    if (this.isPublishing) this.#publisher.requestReconnect();
  }

  /** Looks whether it has been silent for too long. @param now `performance.now()` */
  look(now: number): void {
    const { arrival, silence: most } = this.#options;
    const silence = now - this.#heardAt;
    if (!this.isPublishing) {
      if (now - this.#since > arrival) this.end('silent', `expected a stream within ${arrival / 1000} s`);
    } else if (silence > most) {
      this.end('silent', `nothing came for ${most / 1000} s`);
    } else if (silence > most / 3 && !this.#hasAsked) {
      this.#hasAsked = true;
      this.#publisher.ping(Math.round(now));
    }
  }

  end(reason: EndReason, message: string): void {
    if (this.#hasEnded) return;
    this.#tellPeer(reason, message);
    this.#hasEnded = true;
    if (this.isPublishing) this.#finish(reason, message);
    else if (!this.#hasPublished) this.#turnAway(reason, message);
    this.#socket.end();
    // A peer that sends on is not read, and is cut off.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), LAST_WORDS);
    void this.closed.then(() => clearTimeout(timer));
  }

  #receive(bytes: Buffer): void {
    if (this.#hasEnded) return;
    this.#heardAt = performance.now();
    this.#hasAsked = false;
    this.#events.received(bytes.length);
    try {
      this.#publisher.receive(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #send(bytes: Uint8Array): void {
    if (this.#hasEnded || this.#socket.destroyed) return;
    this.#socket.write(bytes);
    if (this.#socket.writableLength > UNREAD_MAX) this.#socket.pause();
  }

  async #admit(request: StreamRequest) {
    const { rules, hook, streams, log } = this.#options;
    const applicant = {
      ...request,
      address: this.#address,
      connection: this.#number,
      tls: this.#options.tls !== undefined,
    };
    const { hook: url } = rules();
    this.#isAsking = true;
    this.#socket.pause();
    const refusal = await refusalOf(applicant, rules(), hook).finally(() => {
      this.#isAsking = false;
    });
    if (refusal !== undefined) throw new RtmpError('refused', refusal);
    this.#applicant = applicant;
    this.#hook = url;
    try {
      if (this.#hasEnded) throw new RtmpError('gone', 'the connection was closed');
      this.#isAsking = true;
      const publication = await streams.claim(request.stream, this).finally(() => {
        this.#isAsking = false;
      });
      if (this.#hasEnded) {
        streams.release(request.stream, this);
        throw new RtmpError('gone', 'the connection was closed');
      }
      this.#publishesSince = performance.now();
      this.#heardAt = performance.now();
      this.#events.accepted();
      log.info(
        { stream: request.stream, address: this.#address, program: this.#publisher.program },
        'a publisher has come',
      );
      this.#socket.resume();
      return publication;
    } catch (error) {
      // The hook has let somebody in who does not publish.
      this.#tellHook(error instanceof RtmpError ? error.reason : 'server');
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (error instanceof RtmpError) {
      this.end(error.reason, error.message);
      return;
    }
    this.#options.log.error({ error, ...this.#place }, 'a defect: a publisher is cut off');
    this.end('server', 'the server failed');
  }

  #tellPeer(reason: EndReason, message: string): void {
    if (reason === 'gone' || reason === 'finished') return;
    const code = reason === 'refused' ? 'Denied' : this.isPublishing ? 'Failed' : 'BadName';
    this.#publisher.refuse(`NetStream.Publish.${code}`, message);
  }

  /** It publishes no more. */
  #finish(reason: EndReason, message: string): void {
    const { streams, log } = this.#options;
    streams.release(this.#applicant!.stream, this);
    const isUsual = reason === 'finished' || reason === 'server' || reason === 'replaced';
    log[isUsual ? 'info' : 'warn'](this.#described(reason, message), 'a publisher has gone');
    this.#tellHook(reason);
    this.#events.ended(reason);
    this.#publishesSince = undefined;
    this.#applicant = undefined;
    this.#hasPublished = true;
    this.#since = performance.now();
  }

  /** It ends without ever having published. */
  #turnAway(reason: EndReason, message: string): void {
    const fields = this.#described(reason, message);
    // Somebody who looks whether the port is open.
    if (reason === 'gone' && this.#publisher.received === 0) this.#options.log.debug(fields, 'a connection was closed');
    else this.#events.turnedAway(fields);
    this.#events.ended(reason);
  }

  #tellHook(reason: EndReason): void {
    if (this.#hook === undefined || this.#applicant === undefined) return;
    const seconds = this.isPublishing ? (performance.now() - this.#publishesSince!) / 1000 : 0;
    void this.#options.hook.tell(this.#hook, this.#applicant, { reason, bytes: this.#publisher.received, seconds });
    this.#hook = undefined;
  }

  get #place() {
    return { stream: this.#publisher.request?.stream, address: this.#address, connection: this.#number };
  }

  #described(reason: EndReason, message: string) {
    return { ...this.#place, reason, why: message, bytes: this.#publisher.received };
  }
}
