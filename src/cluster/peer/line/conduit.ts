import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { type NativeWire, native } from '../../../base/native.js';

/** Told what happens on a connection; nothing is told from within a call of the conduit. */
export interface ConduitListener {
  connected(): void;
  /** So many bytes lie in the buffer; returns whether it may be read on. */
  received(bytes: number): boolean;
  /** Carrying is over. @param isLost the player's socket takes nothing any more */
  carried(isLost: boolean): void;
  /** It is gone. Told once, as the last. */
  closed(error: Error): void;
}

/** How carrying begins: not at all, or it is under way, or over already; or the player's socket takes nothing. */
export type Carrying = 'refused' | 'underWay' | 'over' | 'lost';

/** Bytes on their way to a player's socket; see `Carriage` of the HTTP stage. */
export interface CarriedSoFar {
  readonly bytes: number;
  /** The player's socket takes no more for now. */
  readonly isHeld: boolean;
}

/** Where nothing is on its way. */
export const NOTHING_CARRIED: CarriedSoFar = { bytes: 0, isHeld: false };

/** A connection to another edge, which is read into one buffer. */
export interface Conduit {
  /** @param text a character for each octet */
  write(text: string): void;
  /** Reads on after `received` has returned false. */
  readOn(): void;
  /** Hands the next bytes on to the socket of a player, which must owe nothing; nothing is received meanwhile. */
  carry(socket: number, bytes: number): Carrying;
  /** How far it has come with what was carried last. */
  carriage(): CarriedSoFar;
  destroy(reason?: Error): void;
}

/** Where another edge listens. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

const CLOSED = 'the connection was closed';

/** What native/wire.cc tells, and how its carrying begins. */
const READ = 0;
const ENDED = 1;
const CARRIED = 2;
const CARRYING: readonly Carrying[] = ['refused', 'underWay', 'over', 'lost'];

/** A connection whose bytes the addon reads and hands on (native/wire.cc); the stream of Node only makes it. */
export class WireConduit implements Conduit {
  readonly #socket: Socket;
  readonly #listener: ConduitListener;
  readonly #room: number;
  #wire: NativeWire | undefined;

  constructor(address: PeerAddress, buffer: Uint8Array, listener: ConduitListener) {
    this.#listener = listener;
    this.#room = buffer.length;
    this.#socket = connectTcp({ ...address, noDelay: true });
    // What is paused before it is connected never reads.
    this.#socket.pause();
    watch(this.#socket, listener, () => this.#wire?.close());
    this.#socket.once('connect', () => {
      try {
        this.#wire = new native.NativeWire(descriptorOf(this.#socket), buffer, (event, value) =>
          this.#told(event, value),
        );
        listener.connected();
      } catch (error) {
        this.destroy(error as Error);
      }
    });
  }

  write(text: string): void {
    // An idle connection takes a request whole, or is lost.
    if (this.#wire?.send(text) !== text.length) this.destroy(systemError('ECONNRESET'));
  }

  readOn(): void {
    this.#wire?.read(this.#room);
  }

  carry(socket: number, bytes: number): Carrying {
    return CARRYING[this.#wire?.carry(socket, bytes) ?? 0]!;
  }

  carriage(): CarriedSoFar {
    return { bytes: this.#wire?.carried() ?? 0, isHeld: this.#wire?.isHeld() ?? false };
  }

  destroy(reason?: Error): void {
    this.#wire?.close();
    this.#socket.destroy(reason);
  }

  #told(event: number, value: number): boolean {
    if (event === READ) return this.#listener.received(value);
    if (event === ENDED) this.destroy(value === 0 ? new Error(CLOSED) : systemError(getSystemErrorName(-value)));
    else this.#listener.carried(event !== CARRIED);
    return true;
  }
}

/** A connection that a stream of Node reads: what is encrypted can't be handed on as it comes. */
export class SecureConduit implements Conduit {
  readonly #socket: Socket;

  constructor(address: PeerAddress, secureContext: SecureContext, buffer: Uint8Array, listener: ConduitListener) {
    const onread = { buffer, callback: (bytes: number) => listener.received(bytes) };
    // Who is asked is known by the authority of its certificate, whatever address it has.
    const options = { ...address, noDelay: true, secureContext, checkServerIdentity: () => undefined, onread };
    this.#socket = connectTls(options as never);
    this.#socket.once('secureConnect', () => listener.connected());
    watch(this.#socket, listener, () => {});
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  readOn(): void {
    this.#socket.resume();
  }

  carry(): Carrying {
    return 'refused';
  }

  carriage(): CarriedSoFar {
    return NOTHING_CARRIED;
  }

  destroy(reason?: Error): void {
    this.#socket.destroy(reason);
  }
}

function watch(socket: Socket, listener: ConduitListener, closed: () => void): void {
  let error: Error | undefined;
  socket.on('error', cause => {
    error = cause;
  });
  socket.once('close', () => {
    closed();
    listener.closed(error ?? new Error(CLOSED));
  });
}

/** @throws Error when the stream does not tell it */
function descriptorOf(socket: Socket): number {
  const { fd } = (socket as unknown as { _handle?: { fd?: number } })._handle ?? {};
  if (fd === undefined || fd < 0) throw new Error('this version of Node does not tell the descriptor of a connection');
  return fd;
}

function systemError(code: string): Error {
  return Object.assign(new Error(CLOSED), { code });
}
