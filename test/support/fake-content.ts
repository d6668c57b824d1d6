import { setImmediate as nextTurn } from 'node:timers/promises';
import { BLOCK_SIZE, type ObjectId } from '../../src/base/block.js';
import type { CacheOutcome } from '../../src/base/cache-outcome.js';
import { EdgeError } from '../../src/base/errors.js';
import { native } from '../../src/base/native.js';
import { type Pieces, placeOf } from '../../src/base/pieces.js';
import type { BlockReader, ReaderListener } from '../../src/cache/read/block-reader.js';
import type { Content, ContentRequest, OpenObject, OpenStream } from '../../src/catalog/content.js';
import type { StoredObject } from '../../src/catalog/stored-object.js';
import type { MediaPackager } from '../../src/media/packaging/media-package.js';
import type { MediaPlanner } from '../../src/media/seek/media.js';
import { Views } from '../../src/view/views.js';

/** A planner for which every file is plain. */
export const plainPlanner: MediaPlanner = { seek: () => undefined, whole: () => undefined };

function unpackaged(): never {
  throw new EdgeError('unplayable', 'nothing can be packaged here');
}

/** A packager that refuses all. */
export const plainPackager: MediaPackager = {
  package: unpackaged,
  samples: unpackaged,
  keyFrames: unpackaged,
  points: unpackaged,
};

/** What a server takes that answers with objects as they are. */
export const plainFiles = { planner: plainPlanner, packager: plainPackager, views: new Views([]) };

/** A copy, where a Buffer's own `slice` would be a view. */
function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

let objects = 0;

/** An object of a `FakeContent`. Its bytes are at hand up to `available`, and fail from `failAt` on. */
export class FakeObject {
  readonly object: StoredObject;
  age = 0;
  outcome: CacheOutcome | undefined;
  failAt = Infinity;
  error: unknown = new EdgeError('origin_unavailable', 'the origin is down');
  /** How the block at an offset was come by. */
  outcomeAt: (offset: number) => CacheOutcome = () => 'memory';
  /** Readers that are open, and calls that broke the rules of `BlockReader`. */
  readonly readers = new Set<FakeReader>();
  readonly faults: string[] = [];
  /** Ends of the runs that were wanted, by their offset. */
  readonly wants: [offset: number, end: number][] = [];
  releases = 0;
  /** Whether readers lay out bytes of several blocks; the last of them, and how many of each were taken. */
  laysOut = false;
  laidOut: Uint8Array | undefined;
  readonly taken: number[] = [];
  #available = Infinity;

  constructor(
    readonly bytes: Uint8Array,
    fields: Partial<StoredObject> = {},
  ) {
    const id = Uint32Array.of(++objects, 2, 3, 4) as ObjectId;
    this.object = {
      key: `object ${objects}`,
      id,
      size: bytes.length,
      etag: `"v${objects}"`,
      validator: { etag: `"v${objects}"`, lastModified: undefined },
      lastModified: Date.UTC(2025, 0, 2, 3, 4, 5),
      contentType: 'video/mp4',
      fields: [['Cache-Control', 'max-age=60']],
      ...fields,
    };
  }

  get available(): number {
    return this.#available;
  }

  /** Lets bytes up to `offset` be at hand, and tells the readers that want one of them. */
  set available(offset: number) {
    this.#available = offset;
    for (const reader of this.readers) reader.wake();
  }

  /** Makes bytes from `offset` on fail, and tells the readers that want one of them. */
  fail(offset: number, error?: unknown): void {
    this.failAt = offset;
    if (error !== undefined) this.error = error;
    for (const reader of this.readers) reader.wake();
  }

  open(): OpenObject {
    let released = false;
    return {
      kind: 'object',
      object: this.object,
      age: this.age,
      outcome: this.outcome,
      reader: () => new FakeReader(this),
      source: () => ({
        size: this.bytes.length,
        read: (offset, length) => copyOf(this.bytes, offset, offset + length),
      }),
      cachedUpTo: (start, end) => Math.max(start, Math.min(end, this.available)),
      release: () => {
        if (!released) this.releases++;
        released = true;
      },
    };
  }
}

/** A reader that hands out copies and spoils them at release, so that a late use shows as wrong bytes. */
class FakeReader implements BlockReader {
  outcome: CacheOutcome = 'memory';
  #pin: Uint8Array | undefined;
  #want: { offset: number; listener: ReaderListener } | undefined;
  #closed = false;

  constructor(readonly owner: FakeObject) {
    owner.readers.add(this);
  }

  read(offset: number, end: number): Uint8Array | undefined {
    const { owner } = this;
    if (this.#closed) owner.faults.push('read after close');
    if (this.#pin) owner.faults.push('read while a view is out');
    if (offset < 0 || end <= offset || end > owner.bytes.length) owner.faults.push(`read ${offset} to ${end}`);
    const blockEnd = (Math.floor(offset / BLOCK_SIZE) + 1) * BLOCK_SIZE;
    const to = Math.min(end, blockEnd, owner.available, owner.failAt);
    if (to <= offset) return undefined;
    this.outcome = owner.outcomeAt(offset);
    this.#pin = copyOf(owner.bytes, offset, to);
    return this.#pin;
  }

  gather(pieces: Pieces, at: number, end: number, target: Uint8Array): number {
    let put = 0;
    while (put < target.length) {
      const place = placeOf(pieces, at + put);
      const chunk = this.read(place, end);
      if (chunk === undefined) break;
      put += native.gatherPieces(pieces.offsets, pieces.begins, at + put, chunk, place, target.subarray(put));
      this.release();
    }
    return put;
  }

  layOut(offset: number, end: number, most: number): number {
    const { owner } = this;
    if (!owner.laysOut) return 0;
    if (this.#closed) owner.faults.push('laid out after close');
    if (this.#pin) owner.faults.push('laid out while a view is out');
    if (most > end - offset) owner.faults.push('more than is wanted is laid out');
    const to = Math.min(offset + most, owner.available, owner.failAt);
    if (to <= offset) return 0;
    this.outcome = owner.outcomeAt(offset);
    this.#pin = owner.laidOut = copyOf(owner.bytes, offset, to);
    return to - offset;
  }

  release(taken = 0): void {
    if (this.owner.laidOut !== undefined && this.#pin === this.owner.laidOut) this.owner.taken.push(taken);
    if (!this.#pin) this.owner.faults.push('release without a view');
    this.#pin?.fill(0xee);
    this.#pin = undefined;
  }

  want(offset: number, end: number, listener: ReaderListener): void {
    if (this.#closed) this.owner.faults.push('want after close');
    if (this.#pin) this.owner.faults.push('want while a view is out');
    this.owner.wants.push([offset, end]);
    this.#want = { offset, listener };
    void nextTurn().then(() => this.wake());
  }

  /** Tells the listener when what it wants is there, or will not come. */
  wake(): void {
    const want = this.#want;
    if (this.#closed || want === undefined) return;
    if (want.offset >= this.owner.failAt) {
      this.#want = undefined;
      want.listener.failed(this.owner.error);
    } else if (want.offset < this.owner.available) {
      this.#want = undefined;
      want.listener.readable();
    }
  }

  close(): void {
    if (this.#pin) this.owner.faults.push('close while a view is out');
    this.#closed = true;
    this.owner.readers.delete(this);
  }
}

/** Content held in memory: objects, streams and errors by path. */
export class FakeContent implements Content {
  readonly requests: ContentRequest[] = [];
  /** What a path opens to; a function is called at each request. */
  readonly paths = new Map<string, FakeObject | OpenStream | EdgeError | (() => FakeObject | OpenStream)>();
  /** Opens take this promise to settle, when set. */
  gate: Promise<unknown> | undefined;

  open(request: ContentRequest): OpenObject | OpenStream | Promise<OpenObject | OpenStream> {
    this.requests.push(request);
    if (this.gate === undefined) return this.#find(request.path);
    return this.gate.then(() => this.#find(request.path));
  }

  #find(path: string): OpenObject | OpenStream {
    let found = this.paths.get(path);
    if (typeof found === 'function') found = found();
    if (found === undefined) throw new EdgeError('not_found', 'no such file');
    if (found instanceof EdgeError) throw found;
    return found instanceof FakeObject ? found.open() : found;
  }
}
