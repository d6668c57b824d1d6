import { constants, type ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';

/** Milliseconds between two looks. */
const LOOK = 500;
/**
 * Bytes that a client may send at once, and in a second on average, besides requests and what tells that it has read:
 * settings, pings, priorities.
 */
const AT_ONCE = 256 * 1024;
const PER_SECOND = 16 * 1024;
/** Bytes that a request may have. */
const REQUEST = 16 * 1024;
/** One byte for so many that were sent to it may tell that it has read them. */
const READ_SHARE = 64;
/**
 * Why a connection ends: a number is an error too, and what stands in the last frame (RFC 9113 section 7), which the
 * types don't know.
 */
export const ENOUGH = constants.NGHTTP2_ENHANCE_YOUR_CALM as unknown as Error;

/** A socket of Node, as far as it counts. */
type Counting = Duplex & { readonly bytesRead?: number; readonly bytesWritten?: number };

interface Watched {
  readonly socket: Counting;
  read: number;
  written: number;
  left: number;
  asked: number;
  silence: number;
}

/**
 * Ends connections of HTTP/2 whose clients send much and ask for little: floods of settings, pings, priorities,
 * windows, frames that are unknown, or heads that are refused while they come, of which the front end is told nothing.
 * It also ends those that have gone silent, among them all on which the parser has ended the conversation by itself,
 * and then reads no more.
 */
export class SessionWatch {
  readonly #silence: number;
  readonly #watched = new Map<ServerHttp2Session, Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** @param silence milliseconds after which a client is asked whether it is there; it then has as long to answer */
  constructor(silence: number) {
    this.#silence = silence;
  }

  /** @param socket the one below the session's own, which sees every byte */
  add(session: ServerHttp2Session, socket: Duplex): void {
    const counting: Counting = socket;
    const { bytesRead: read = 0, bytesWritten: written = 0 } = counting;
    this.#watched.set(session, { socket: counting, read, written, left: AT_ONCE, asked: 0, silence: 0 });
    session.once('close', () => this.#forget(session));
    this.#timer ??= setInterval(() => this.#look(), LOOK).unref();
  }

  /** A request has come. */
  asked(session: ServerHttp2Session): void {
    const watched = this.#watched.get(session);
    if (watched !== undefined) watched.asked++;
  }

  #forget(session: ServerHttp2Session): void {
    this.#watched.delete(session);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [session, watched] of this.#watched) {
      if (session.destroyed) this.#forget(session);
      else if (!this.#isWell(session, watched)) session.destroy(ENOUGH);
    }
  }

  #isWell(session: ServerHttp2Session, watched: Watched): boolean {
    const { bytesRead: read = 0, bytesWritten: written = 0 } = watched.socket;
    const came = read - watched.read;
    const useful = watched.asked * REQUEST + (written - watched.written) / READ_SHARE;
    watched.left = Math.min(AT_ONCE, watched.left + (PER_SECOND * LOOK) / 1000) - Math.max(0, came - useful);
    const before = watched.silence;
    watched.silence = came > 0 ? 0 : before + LOOK;
    watched.read = read;
    watched.written = written;
    watched.asked = 0;
    if (before < this.#silence && watched.silence >= this.#silence) session.ping(() => {});
    return watched.left >= 0 && watched.silence < 2 * this.#silence;
  }
}
