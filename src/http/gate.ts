import { expectConstants, type NativeGate } from '../base/native.js';
import type { Scatter } from '../delivery/scatter.js';
import type { FrontRequest, Guard } from './front-end.js';
import { NotedRequest } from './noted-request.js';
import { ReadyRecords } from './ready-records.js';
import { SocketScatter } from './socket-scatter.js';

/** What the native addon offers for the gate between the system's sockets and the front end. */
export interface GateAddon {
  /**
   * Puts the gate in front of the front end's module, once and for the whole process; undefined when that module is not
   * one it works with.
   */
  openGate(): NativeGate | undefined;
  /** Guards this process's listeners on `port`; returns how many there are. */
  guardPort(port: number, options: PortBounds & { readonly plain: boolean }): number;
  /** The answer on a connection has ended for which something is held back: that is read when its turn comes. */
  readAgain(socket: number): void;
  /** Forgets all ready answers. */
  forgetReady(): void;
  /**
   * What was refused since the last call: status, milliseconds since 1970, address of the client, one after the other.
   * From the first call on refusals are noted, at most a thousand between two calls.
   */
  takeRefusals(): (number | string)[];
}

/** Bounds of one port in this process. */
export interface PortBounds {
  /** Most connections; when they are reached accepting pauses. */
  readonly connections: number;
  /**
   * Most connections of one client, which is an IPv4 address or an IPv6 /64; 0 is an even share when less than a
   * quarter of the places is free.
   */
  readonly perClient: number;
  /** Most requests under way of one client; 0 is no bound. */
  readonly requests: number;
  /** Clients on this machine are bounded, too. */
  readonly loopback: boolean;
  /** Bytes that the kernel takes of an answer beyond what it has sent; 0 is as much as it likes. */
  readonly unsentBytes: number;
  /** Networks of proxies, whose connections are bounded by places alone, since many clients share them. */
  readonly trusted?: readonly string[];
}

/** Bits of a connection's state, as in native/gate.cc. */
const ANSWERING = 1;
const HELD = 2;
const LAST = 4;
const UPGRADED = 8;
/** Words, as in native/gate.cc. */
const CURRENT = 0;
const CURRENT_FLAGS = 1;
const CURRENT_FIELDS = 2;
/** A bit of the flags: the same has been asked for before, and a ready answer would be of use. */
const WANTS_READY = 32;
const REFUSALS: readonly (readonly [word: number, status: number])[] = [
  [3, 400],
  [4, 414],
  [5, 429],
  [6, 431],
  [7, 505],
  [8, 503],
];
const PAUSES = 9;
const RECORDED = 10;
expectConstants({
  gateAnswering: ANSWERING,
  gateHeld: HELD,
  gateLast: LAST,
  gateUpgraded: UPGRADED,
  gateCurrent: CURRENT,
  gateCurrentFlags: CURRENT_FLAGS,
  gateCurrentFields: CURRENT_FIELDS,
  gateWantsReady: WANTS_READY,
  gateFirstRefusal: REFUSALS[0]![0],
  gatePauses: PAUSES,
  gateRecorded: RECORDED,
});

/** Refused requests after which a connection is closed. */
const FAULTS_MAX = 8;
/** Milliseconds between two lots of refusals that are told. */
const TELL_INTERVAL = 1000;

/** A request or connection that was refused before the front end saw it. */
export interface GateRefusal {
  readonly status: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Address of the client. */
  readonly client: string;
}

/**
 * The gate between the system's sockets and the front end (native/gate.cc): strict heads in normal form, one at a time,
 * bounds for clients, and a connection that is half-closed stays one. Calls for each request are reads and writes of
 * shared memory.
 */
export class Gate implements Guard {
  readonly #addon: GateAddon | undefined;
  readonly #states: Uint8Array;
  readonly #faults: Uint8Array;
  readonly #words: Uint32Array;
  /** Bits of the fields that are noted, by their names. */
  readonly #fields: ReadonlyMap<string, number>;
  readonly #scatter: Scatter | undefined;
  /** Of each place for a ready answer: answers, bytes of their bodies, and nanoseconds that they took. */
  readonly readyCounts: Float64Array;
  /** Of ready answers that the access log is to tell of; undefined where there are none. */
  readonly records: ReadyRecords | undefined;

  private constructor(addon: GateAddon | undefined, shared: NativeGate | undefined) {
    this.#addon = shared && addon;
    this.#states = new Uint8Array(shared?.states ?? new ArrayBuffer(1));
    this.#faults = new Uint8Array(shared?.faults ?? new ArrayBuffer(1));
    this.#words = new Uint32Array(shared?.words ?? new ArrayBuffer(64));
    this.#fields = new Map(shared?.fields.map((name, i) => [name, 1 << i]));
    this.#scatter = shared && SocketScatter.open();
    this.readyCounts = new Float64Array(shared?.ready ?? new ArrayBuffer(0));
    this.records = shared?.records && new ReadyRecords(shared.records, this.#words, RECORDED);
  }

  /** Opens the gate; to be called before any server listens. */
  static open(addon: GateAddon): Gate {
    return new Gate(addon, addon.openGate());
  }

  /** A gate that guards nothing. */
  static none(): Gate {
    return new Gate(undefined, undefined);
  }

  /** Whether ports can be guarded. */
  get works(): boolean {
    return this.#addon !== undefined;
  }

  /**
   * Guards the listener on `port`.
   * @param plain false where it speaks TLS
   */
  guard(port: number, bounds: PortBounds, plain: boolean): void {
    this.#addon?.guardPort(port, { ...bounds, plain });
  }

  /** The connection whose request is being handled; to be called within the handler. 0 when it is not guarded. */
  get socket(): number {
    return this.#words[CURRENT]!;
  }

  /** A request that is being handled, as the gate has seen it; as it is where that has not. */
  noted(req: FrontRequest): FrontRequest {
    if (this.socket === 0) return req;
    const flags = this.#words[CURRENT_FLAGS]!;
    return new NotedRequest(req, this.#fields, this.#words[CURRENT_FIELDS]!, (flags & 8) !== 0, (flags & 16) !== 0);
  }

  /** Whether a ready answer would be of use for the request that is being handled. */
  get wantsReady(): boolean {
    return this.socket !== 0 && (this.#words[CURRENT_FLAGS]! & WANTS_READY) !== 0;
  }

  /** Forgets all ready answers. */
  forgetReady(): void {
    this.#addon?.forgetReady();
  }

  /** Whether that connection is to be closed after the answer. */
  get isLast(): boolean {
    return (this.#words[CURRENT_FLAGS]! & 1) !== 0;
  }

  /** Sends pieces on that connection from where they lie; undefined where they are encrypted first. */
  get scatter(): Scatter | undefined {
    return this.socket !== 0 && !this.isSecure ? this.#scatter : undefined;
  }

  /** Whether it speaks TLS. */
  get isSecure(): boolean {
    return this.socket !== 0 && (this.#words[CURRENT_FLAGS]! & 4) !== 0;
  }

  /** Whether its client speaks HTTP/1.0 and knows no chunks, as far as the gate has seen its request. */
  get isOld(): boolean {
    return this.socket !== 0 && (this.#words[CURRENT_FLAGS]! & 2) !== 0;
  }

  /** The answer on a connection has ended: the next request may come, or the connection be closed. */
  answered(socket: number): void {
    const state = this.#states[socket]!;
    this.#states[socket] = state & ~ANSWERING;
    if ((state & (HELD | LAST)) !== 0) this.#addon!.readAgain(socket);
  }

  /** A connection speaks another protocol from here on: its bytes go on to the front end as they come. */
  upgraded(socket: number): void {
    if (socket === 0) return;
    const state = this.#states[socket]!;
    this.#states[socket] = (state & HELD) | UPGRADED;
    if ((state & HELD) !== 0) this.#addon!.readAgain(socket);
  }

  /** The socket owes the rest of a frame: nothing is read, and so nothing answered, until `answered`. */
  withinFrame(socket: number): void {
    this.#states[socket]! |= ANSWERING;
  }

  /** Nothing more is wanted of a connection: it is closed in a later turn. No harm where it is closed already. */
  finish(socket: number): void {
    if (this.#addon === undefined || socket === 0) return;
    this.#states[socket] = (this.#states[socket]! & ~ANSWERING) | LAST;
    this.#addon.readAgain(socket);
  }

  /** Tells `listener` each second what was refused; returns what ends that. */
  watchRefusals(listener: (refusal: GateRefusal) => void): () => void {
    const addon = this.#addon;
    if (addon === undefined) return () => {};
    const tell = () => {
      const facts = addon.takeRefusals();
      for (let at = 0; at < facts.length; at += 3) {
        const [status, time, client] = facts.slice(at, at + 3) as [number, number, string];
        listener({ status, time, client });
      }
    };
    addon.takeRefusals();
    const timer = setInterval(tell, TELL_INTERVAL).unref();
    return () => {
      clearInterval(timer);
      tell();
    };
  }

  /**
   * Counts a request that was refused; returns whether the connection is closed after this answer: at once when the
   * request was not understood, otherwise when it has had enough of them.
   */
  refuses(socket: number, isUnderstood: boolean): boolean {
    if (socket === 0) return !isUnderstood;
    if (isUnderstood && ++this.#faults[socket]! < FAULTS_MAX) return false;
    this.#states[socket]! |= LAST;
    return true;
  }

  /** How many requests and connections were refused here, by status, since the process began. */
  *refusals(): Iterable<readonly [status: number, count: number]> {
    for (const [word, status] of REFUSALS) if (this.#words[word]! > 0) yield [status, this.#words[word]!];
  }

  /** How often accepting has paused for want of descriptors. */
  get pauses(): number {
    return this.#words[PAUSES]!;
  }
}
