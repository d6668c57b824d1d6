/**
 * An `Origin` inside the process, without sockets, for deterministic tests: its bodies are those of ./content.ts, its
 * chunks come one per turn of the event loop, and every request is kept.
 *
 *   const origin = new FakeOrigin();
 *   origin.put('/film.mp4', { size: 10_000_000 });          // version 'v1'; put again to change it in place
 *   origin.next = { failAfter: 1000 };                      // faults of the next fetch; `every` for all that follow
 *   origin.hold(); … origin.go();                           // no events meanwhile
 *   origin.requests, origin.timesSent('/film.mp4')          // what was asked, how many bytes of each block were sent
 */
import { BLOCK_SIZE } from '../../src/base/block.js';
import { EdgeError, type ErrorCode } from '../../src/base/errors.js';
import type { Origin, OriginAnswer, OriginFetch, OriginRequest, OriginSink } from '../../src/origin/origin.js';
import { contentAt } from './content.js';

/** An object of the fake origin. */
export interface FakeObject {
  readonly size: number;
  /** Default 'v1'; decides content and validators. */
  readonly version?: string;
  /** Undefined for one made of the version, null for none. */
  readonly etag?: string | null;
  readonly lastModified?: string | null;
  /** Further fields, names in lower case. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** How a fetch goes wrong. */
export interface FakeFault {
  /** Fails before the head, with a refusing head when there is a status. */
  readonly fail?: { code: ErrorCode; status?: number; fields?: Record<string, string>; size?: number };
  /** Fails after so many bytes of body. */
  readonly failAfter?: number;
  /** Ends in order after so many bytes of body. */
  readonly endAfter?: number;
  /** So many bytes beyond the body. */
  readonly extra?: number;
  /** Sends nothing more after so many bytes, until cancelled. */
  readonly stallAfter?: number;
  /** Answers 200 with the whole object. */
  readonly ignoreRange?: boolean;
  /** 200 without length or size. */
  readonly noLength?: boolean;
  /** Replaces parts of the head. */
  readonly head?: Partial<OriginAnswer>;
}

/** A request as it was seen. */
export interface FakeRequest extends OriginRequest {
  /** Bytes of body delivered. */
  sent: number;
  /** First byte of the body. */
  from: number;
  cancelled: boolean;
  done: boolean;
}

/** See the head of this file. */
export class FakeOrigin implements Origin {
  readonly requests: FakeRequest[] = [];
  /** Faults of the next fetch, and of every fetch. */
  next: FakeFault | undefined;
  every: FakeFault | undefined;
  /** Bytes per chunk. */
  chunk = 64 * 1024;
  /** Fields that every object has. */
  fields: Record<string, string> = {};
  /** Clock of the answers, milliseconds since 1970. */
  now: () => number = Date.now;
  readonly #objects = new Map<string, FakeObject>();
  #held = false;
  #waiting: (() => void)[] = [];
  #watchers: (() => void)[] = [];

  constructor(readonly name = 'fake') {}

  put(path: string, object: FakeObject): void {
    this.#objects.set(path, object);
  }

  delete(path: string): void {
    this.#objects.delete(path);
  }

  /** Stops all events until `go`. */
  hold(): void {
    this.#held = true;
  }

  go(): void {
    this.#held = false;
    for (const step of this.#waiting.splice(0)) setImmediate(step);
  }

  /** Settles when `condition` holds; looked at after each event. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise(resolve => {
      const watcher = () => {
        if (!condition()) return;
        this.#watchers = this.#watchers.filter(other => other !== watcher);
        resolve();
      };
      this.#watchers.push(watcher);
    });
  }

  /** Bytes of each block that were delivered, divided by the block's length. */
  timesSent(path: string): number[] {
    const size = this.#objects.get(path)?.size ?? 0;
    const sent = new Array<number>(Math.ceil(size / BLOCK_SIZE)).fill(0);
    for (const request of this.requests) {
      if (request.path !== path) continue;
      for (let at = request.from; at < request.from + request.sent; ) {
        const block = Math.floor(at / BLOCK_SIZE);
        const to = Math.min((block + 1) * BLOCK_SIZE, request.from + request.sent);
        if (block < sent.length) sent[block]! += (to - at) / Math.min(BLOCK_SIZE, size - block * BLOCK_SIZE);
        at = to;
      }
    }
    return sent;
  }

  get bytesSent(): number {
    return this.requests.reduce((sum, request) => sum + request.sent, 0);
  }

  fetch(request: OriginRequest, sink: OriginSink): OriginFetch {
    const fault = { ...this.every, ...this.next };
    this.next = undefined;
    const seen: FakeRequest = { ...request, sent: 0, from: 0, cancelled: false, done: false };
    this.requests.push(seen);
    let paused = false;
    let parked: (() => void) | undefined;
    const step = (work: () => void) => {
      setImmediate(() => {
        const run = () => {
          if (seen.cancelled || seen.done) return;
          if (this.#held) {
            this.#waiting.push(run);
            return;
          }
          if (paused) {
            parked = run;
            return;
          }
          work();
          for (const watcher of [...this.#watchers]) watcher();
        };
        run();
      });
    };
    step(() => this.#answer(request, seen, sink, fault, step));
    for (const watcher of [...this.#watchers]) watcher();
    return {
      pause: () => {
        paused = true;
      },
      resume: () => {
        paused = false;
        const run = parked;
        parked = undefined;
        if (run !== undefined) setImmediate(run);
      },
      cancel: () => {
        seen.cancelled = true;
        for (const watcher of [...this.#watchers]) setImmediate(watcher);
      },
    };
  }

  async close(): Promise<void> {}

  #answer(
    request: OriginRequest,
    seen: FakeRequest,
    sink: OriginSink,
    fault: FakeFault,
    step: (work: () => void) => void,
  ): void {
    const fail = (code: ErrorCode, status?: number, size?: number, fields: Record<string, string> = {}) => {
      seen.done = true;
      const error = new EdgeError(code, `fake ${code}`);
      if (status === undefined) sink.failed(error);
      else sink.failed(error, { status, fields, size });
    };
    if (fault.fail !== undefined) {
      fail(fault.fail.code, fault.fail.status, fault.fail.size, fault.fail.fields);
      return;
    }
    const object = this.#objects.get(request.path);
    if (object === undefined) {
      fail('not_found', 404);
      return;
    }
    const version = object.version ?? 'v1';
    const validator = {
      etag: object.etag === undefined ? `"${version}"` : (object.etag ?? undefined),
      lastModified:
        object.lastModified === undefined ? 'Mon, 05 Jan 2026 10:00:00 GMT' : (object.lastModified ?? undefined),
    };
    const same =
      request.condition !== undefined &&
      (request.condition.validator.etag === undefined || validator.etag === undefined
        ? request.condition.validator.lastModified === validator.lastModified
        : request.condition.validator.etag === validator.etag);
    if (request.condition?.kind === 'same' && !same) {
      fail('object_changed', 412);
      return;
    }
    const { range } = request;
    if (range !== undefined && range.start >= object.size && !fault.ignoreRange && !fault.noLength) {
      fail('range_not_satisfiable', 416, object.size);
      return;
    }
    const whole = range === undefined || fault.ignoreRange === true || fault.noLength === true;
    const start = whole ? 0 : range.start;
    const end = whole ? object.size : Math.min(range.end, object.size);
    const fields: Record<string, string> = { 'content-type': 'video/mp4', ...this.fields, ...object.fields };
    if (validator.etag !== undefined) fields.etag = validator.etag;
    if (validator.lastModified !== undefined) fields['last-modified'] = validator.lastModified;
    const head = { validator, fields, requestTime: this.now(), responseTime: this.now() };
    if (request.condition?.kind === 'changed' && same) {
      seen.done = true;
      sink.answered({ ...head, status: 304, offset: 0, length: undefined, size: undefined, ...fault.head });
      return;
    }
    seen.from = fault.head?.offset ?? start;
    const length = fault.noLength ? undefined : end - start;
    const size = fault.noLength ? undefined : object.size;
    sink.answered({ ...head, status: whole ? 200 : 206, offset: start, length, size, ...fault.head });
    const bodyEnd = end + (fault.extra ?? 0);
    const advance = (at: number) => {
      step(() => {
        const done = at - start;
        if (fault.stallAfter !== undefined && done >= fault.stallAfter) return;
        if (fault.failAfter !== undefined && done >= fault.failAfter) {
          fail('origin_unavailable');
        } else if (at >= bodyEnd || (fault.endAfter !== undefined && done >= fault.endAfter)) {
          seen.done = true;
          sink.ended();
        } else {
          const limits = [fault.stallAfter, fault.failAfter, fault.endAfter].map(limit => start + (limit ?? Infinity));
          const to = Math.min(bodyEnd, at + this.chunk, ...limits);
          seen.sent += to - at;
          sink.bytes(contentAt(request.path, version, at, to));
          advance(to);
        }
      });
    };
    advance(start);
  }
}
