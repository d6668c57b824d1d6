import { createRequire } from 'node:module';
import { EdgeError } from './errors.js';

/** Options of `openMemoryTier`; all are required. Sizes in bytes, times in milliseconds. */
export interface NativeTierOptions {
  file: string;
  /** An open descriptor of the file, as a worker inherits it; -1: the file is opened by its name. */
  descriptor: number;
  supervisor: boolean;
  bytes: number;
  keepSize: boolean;
  takeOver: boolean;
  reserve: boolean;
  /** Thousandths. */
  fillPermille: number;
  followTimeout: number;
  verifyAlways: boolean;
  /** Whether who watches what is noted. */
  notesDemand: boolean;
}

/** Figures of a cache file. Blocks are counted in slots. */
export interface NativeTierStats {
  capacity: number;
  used: number;
  filling: number;
  pinned: number;
  processes: number;
  hits: number;
  misses: number;
  evictedToDisk: number;
  dropped: number;
  checksumFailures: number;
  repairs: number;
  /** Milliseconds since 1970; 0 when the cache is empty. */
  oldestUse: number;
  /** Seconds that a block stays at the pace at which blocks are evicted. */
  residency: number;
  /** Seconds until the next use that is expected of blocks that go by demand; 0 while none has. */
  partedWait: number;
  knownObjects: number;
}

/** What `inspectMemoryTier` finds. Times are in milliseconds since 1970. */
export interface NativeInspection extends NativeTierStats {
  fileSize: number;
  createdAt: number;
  openedAt: number;
  clean: boolean;
  whole: number;
  partial: number;
  damaged: number;
  onDisk: number;
  bytes: number;
  objects: number;
  /** Blocks that somebody is on the way to, others that are likely to be used before they go, and the rest. */
  awaited: number;
  wanted: number;
  unwanted: number;
  attached: { pid: number; role: 'supervisor' | 'worker'; since: number }[];
}

/**
 * An open cache file. The calls made for each block take their arguments from `registers`, eight 32-bit words: 0 to 3
 * the object's id, 4 the block, 5 one more argument; results are in 6 (slot, or handle of a fill) and 7 (watermark).
 */
export interface NativeTier {
  readonly registers: ArrayBuffer;
  /** 4096 bits, written by `fetchMail`. */
  readonly mail: ArrayBuffer;
  /** One word: not 0 while any block is pinned. Storing 0 with `Atomics.store` is the release. */
  readonly pin: ArrayBuffer;
  readonly generations: ArrayBuffer;
  /** Bytes of all blocks. */
  readonly capacity: number;
  /** True when no other process had the file open. */
  readonly first: boolean;
  /** True when the file was left by a clean stop. */
  readonly clean: boolean;
  /** The file's descriptor, for processes to inherit. */
  readonly descriptor: number;
  /** Random, in hexadecimal digits: kept with the file, and by those that take its place. Nobody else can know it. */
  readonly seed: string;
  /** Why the file was made anew; empty when it was there. */
  readonly created: string;
  /** Argument: whether this is a new view. Returns readable bytes, or -1. */
  acquire(): number;
  /**
   * `gatherPieces` out of the object's blocks in memory, one after the other. Register 4: the block in which the reader
   * is already, which is no new view. Result 7: readable bytes of the last block that gave some.
   */
  gather(offsets: Float64Array, begins: Float64Array, at: number, target: Uint8Array): number;
  /**
   * Pins the blocks that lie in memory from byte `from` of one on, one after the other, and has the beginning of the
   * stand-in stand for their bytes, at most `most`, until `letGo`. Argument: whether this is a new view of the first.
   * Result 7: readable bytes of the last. Returns how many bytes it stands for.
   */
  layOut(from: number, most: number): number;
  /** Ends their pins, and counts views of those behind the first of which the first `taken` bytes have some. */
  letGo(taken: number): void;
  has(): boolean;
  /** Argument: length. Returns 0 when the fill is the caller's, 1 following, 2 present, 3 full. */
  claim(onDisk: number): number;
  /** Returns 0 appended, 1 complete, 2 the fill was lost, 3 too long. */
  append(fill: number, chunk: Uint8Array): number;
  /**
   * Reads what a socket has, at most `most` bytes, into the block behind its watermark, where nobody sees it before it
   * is appended. Results: slot and watermark. Returns the number of bytes, 0 when there is nothing or the other side
   * has closed, `receiveLost`, or an error as a negative number.
   */
  receive(fill: number, socket: number, most: number): number;
  abandon(fill: number, discard: number): void;
  /** Argument: bytes seen. True when it is worth waiting; `rung` will be called. */
  watch(): boolean;
  /** To be called once for each call of `rung`. */
  fetchMail(): boolean;
  reap(): number;
  /** Uses are given in thousandths; with 0 seconds they are not asked for. */
  evictAhead(freePermille: number, minViews: number, minUses: number, seconds: number): number;
  /** Six words per block: id, block, length. */
  coldest(freePermille: number, minViews: number, minUses: number, seconds: number, limit: number): Uint32Array;
  /** Argument: within how many seconds. */
  expectedUses(): number;
  /** Argument: whether its reader has all of it at once. Notes that somebody reads a block that is elsewhere. */
  isWorthRoom(): boolean;
  /**
   * One of the 4 GiB of blocks, slot after slot. V8 takes such a buffer for memory of its own and collects garbage when
   * it is made, so that it should not be made before it is used.
   */
  window(index: number): ArrayBuffer;
  /** Whether what is wanted least is evicted first from now on, or what was used least recently. */
  evictByDemand(byDemand: boolean): void;
  /**
   * Keeps a ready answer out of the object's blocks, for the Host and the target of the head at hand; see
   * native/ready_answers.h. `numbers`: bytes of the object, milliseconds since 1970 at which the origin vouched for it
   * and at which the answer is good no more, two shared counters, each with its value, and 1 when a record is to be
   * made of each answer, else 0. Returns its place, or -1.
   */
  keepReady(start: Uint8Array, end: Uint8Array, numbers: Float64Array): number;
  /** Register 4: the block whose reader has all of it, or reads no further. */
  finish(): void;
  leave(): void;
  /** Returns the length, or -1. */
  copy(target: Uint8Array): number;
  drop(): boolean;
  /** Argument: whether it is on disk. */
  markOnDisk(): boolean;
  scrub(budget: number): number;
  stats(): NativeTierStats;
  isHolder(): boolean;
  /** False when the file has been cut off: touching what is missing ends the process. */
  isWhole(): boolean;
  close(): void;
}

/**
 * The values of a disk tier, read and verified. `key` names a block in the calls that follow: its key in the table.
 * Results: 1 found, 0 not there, -1 it would have to wait for the disk, -2 damaged, -3 the system can't read it.
 */
export interface NativeDiskBlocks {
  /** The buffers; bytes of the block in the first begin at `start`, those in the others `stride` bytes further each. */
  readonly memory: ArrayBuffer;
  readonly start: number;
  readonly stride: number;
  /** 28 bytes. */
  readonly key: ArrayBuffer;
  /** Reads a block of so many bytes into a buffer, unless it would have to wait. */
  read(buffer: number, length: number): number;
  /** Reads it by another thread. Called back from the event loop; the buffer is not to be used until then. */
  load(buffer: number, length: number, done: (result: number) => void): void;
  /** Whether a block is in memory; -1: it is not. */
  isNear(length: number): number;
  /** Has the kernel read a block ahead, by another thread. */
  bring(length: number, done: (result: number) => void): void;
  /** To be called once it is of no more use. Loads under way end. */
  close(): void;
}

/**
 * Memory that native/gate.cc shares with JavaScript: a byte for each descriptor, and the words that are numbered there.
 */
export interface NativeGate {
  readonly states: ArrayBuffer;
  readonly faults: ArrayBuffer;
  readonly words: ArrayBuffer;
  /** Names of the fields that are noted of each head, in the order of their bits. */
  readonly fields: readonly string[];
  /** Of each place for a ready answer: answers, bytes of their bodies, and nanoseconds that they took. */
  readonly ready: ArrayBuffer;
  /** Room for records of ready answers, as in native/ready_records.h; undefined when there is no memory. */
  readonly records?: ArrayBuffer;
}

/**
 * A connection to another edge. Tells what happens on it: 0, so many bytes lie in the buffer, and true is returned to
 * read on; 1, it has been closed, or by that error number; 2, carrying is over; 3, the player's socket takes nothing
 * any more.
 */
export interface NativeWire {
  /** Returns how many characters, an octet each, were taken; -1 when the connection is lost. */
  send(text: string): number;
  /** Reads on, at most so many bytes at a time. */
  read(room: number): void;
  /**
   * Hands the next bytes on to a player's socket, which the gate guards and which owes nothing. Returns 0 when it
   * can't, 1 when it is under way, 2 when it is over, 3 when that socket takes nothing any more.
   */
  carry(socket: number, bytes: number): number;
  /** Bytes that the player's socket has taken of those that were carried last. */
  carried(): number;
  /** Carrying waits for the player. */
  isHeld(): boolean;
  close(): void;
}

/** The ring of a live stream, for its one writer. */
export interface NativeRingWriter {
  /** False when they are too large. */
  setHeaders(
    metadata: Uint8Array | undefined,
    video: Uint8Array | undefined,
    audio: Uint8Array | undefined,
    extra: Uint8Array | undefined,
    hasVideo: boolean,
    hasAudio: boolean,
  ): boolean;
  /** Returns 0 appended, 1 dropped, 2 the ring has another writer. */
  append(type: number, timestamp: number, keyFrame: boolean, pieces: readonly Uint8Array[]): number;
  /** 1 publishing, 2 waiting, 3 ended. */
  setState(state: number): void;
  newEpoch(): void;
  beginNumbers(segment: number, discontinuity: number): void;
  timestamp(): number;
  /** Sequence behind the newest tag. */
  head(): number;
  /** Milliseconds since the newest tag came. */
  age(): number;
  close(remove: boolean): void;
}

/** The ring of a live stream, for a reader; numbers of `facts` are those of src/live/ring/ring-reader.ts. */
export interface NativeRingReader {
  readonly facts: Float64Array;
  /** The data, twice in a row, so that no run of tags is broken. Writing to it ends the process. */
  readonly data: ArrayBuffer;
  /** Bytes of the data, once. */
  readonly size: number;
  /** Milliseconds of media that are kept, and of a segment. */
  readonly keep: number;
  readonly segment: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Reads how the ring stands; false when the file makes no sense. */
  refresh(): boolean;
  /** Reads what the index tells of a tag; false when it is gone. */
  look(sequence: number): boolean;
  /** Finds the tags from `first` on, before `end`, that have at most `most` bytes; false when the first is gone. */
  run(first: number, end: number, most: number): boolean;
  /** To be asked after a copy: false when tag `first` may have been overwritten before. */
  holds(first: number): boolean;
  /** Copies; undefined when the version is gone. */
  headers(version: number):
    | {
        readonly metadata?: Uint8Array;
        readonly video?: Uint8Array;
        readonly audio?: Uint8Array;
        readonly extra?: Uint8Array;
        readonly hasVideo: boolean;
        readonly hasAudio: boolean;
      }
    | undefined;
  /** False when the writer has died, or the file was cut off. */
  hasWriter(): boolean;
  close(): void;
}

/** Options of `guardPort`: counts, and bytes that the kernel takes beyond what it has sent; 0 is no bound. */
export interface NativePortOptions {
  readonly plain: boolean;
  readonly connections: number;
  readonly perClient: number;
  readonly requests: number;
  readonly loopback: boolean;
  readonly unsentBytes: number;
}

/** Numbers that the addon and its users both know. Sizes in bytes. */
export interface NativeConstants {
  readonly blockSize: number;
  readonly windowSize: number;
  readonly mailClasses: number;
  readonly generations: number;
  /** What `claim` returns. */
  readonly claimFilling: number;
  readonly claimFollowing: number;
  readonly claimPresent: number;
  readonly claimFull: number;
  /** What `append` returns. */
  readonly appendAppended: number;
  readonly appendComplete: number;
  readonly appendEnded: number;
  readonly appendTooLong: number;
  /** What `receive` returns when the fill has lost its block. */
  readonly receiveLost: number;
  /** What `acquire` returns when there is nothing. */
  readonly absent: number;
  /** What reads of `DiskBlocks` return. */
  readonly diskFound: number;
  readonly diskAbsent: number;
  readonly diskWaits: number;
  readonly diskDamaged: number;
  readonly diskFailed: number;
  /** Bits of a connection's state in the gate. */
  readonly gateAnswering: number;
  readonly gateHeld: number;
  readonly gateLast: number;
  readonly gateUpgraded: number;
  /** Numbers of its words. */
  readonly gateCurrent: number;
  readonly gateCurrentFlags: number;
  readonly gateCurrentFields: number;
  readonly gateWantsReady: number;
  /** Numbers that are counted of each ready answer. */
  readonly gateReadyCounts: number;
  readonly gateFirstRefusal: number;
  readonly gatePauses: number;
  readonly gateRecorded: number;
  /** Numbers at the beginning of the record of a ready answer. */
  readonly gateRecordNumbers: number;
  readonly gateSecureReads: number;
}

/** The functions of the addon in native/. Errors of the memory tier have a `kind`. */
export interface NativeAddon {
  readonly constants: NativeConstants;
  /** `rung` is called from the event loop when a watched block has changed. */
  openMemoryTier(options: NativeTierOptions, rung: () => void): NativeTier;
  /** @throws Error when it is no file of LMDB or can't be read */
  readonly DiskBlocks: new (
    path: string,
    table: string,
    buffers: number,
  ) => NativeDiskBlocks;
  inspectMemoryTier(file: string): NativeInspection;
  /**
   * Looks at the first `count` blocks of an object version, and at what is in memory of the rest; eight numbers each:
   * readable bytes, 0 where it is not in memory; views; whether it is on disk, as far as memory knows; whether it has
   * been chosen to go; last use in milliseconds since 1970; viewers on the way who come while a block stays; views a
   * second of those who have not begun; uses a second that keeping it brings, infinite while somebody reads it.
   */
  inspectObject(file: string, id: Uint8Array, count: number): Float64Array;
  /** Opens a socket that listens with SO_REUSEPORT at an IP address; returns its descriptor. @throws Error */
  openListener(address: string, port: number): number;
  /** Opens a Unix socket that listens under `path`, in the place of another; returns its descriptor. @throws Error */
  openUnixListener(path: string, mode: number): number;
  /**
   * Takes the lock of one byte of a file, far past its end, for as long as the file is open; other indices than 0 to
   * 1023 are refused. Without waiting. @returns false when another open file has it
   */
  tryLockByte(fd: number, index: number, exclusive: boolean): boolean;
  unlockByte(fd: number, index: number): void;
  /** Sends a text to a service manager's socket, as sd_notify(3) does; `@` begins an abstract name. @throws Error */
  notifyManager(socket: string, text: string): void;
  /** Makes a ring in a new file, or with a file alone goes on with that of a dead writer. Errors have a `kind`. */
  readonly NativeRingWriter: {
    new (file: string): NativeRingWriter;
    /** @param createdAt milliseconds since 1970; now when undefined */
    new (
      file: string,
      bytes: number,
      milliseconds: number,
      segment: number,
      createdAt: number | undefined,
    ): NativeRingWriter;
  };
  readonly NativeRingReader: { new (file: string): NativeRingReader };
  /** For a connected socket, of which it has a descriptor of its own. Errors are those of the system. */
  readonly NativeWire: {
    new (socket: number, buffer: Uint8Array, told: (event: number, value: number) => boolean): NativeWire;
  };
  /**
   * Sends `prefix` and `payload`, without their first `skip` bytes, to the first `count` of `sockets`; `taken` receives
   * how many bytes each has taken, -1 when it is gone. Returns how many have not taken all.
   */
  sendToAll(
    sockets: Int32Array,
    count: number,
    prefix: Uint8Array,
    payload: Uint8Array,
    skip: number,
    taken: Int32Array,
  ): number;
  /** Bounds what the kernel takes of a socket beyond what it has sent (TCP_NOTSENT_LOWAT), in bytes. */
  limitUnsent(socket: number, bytes: number): void;
  /**
   * Makes all durable that was written in the file system of an open file, by another thread; `done` is told what
   * failed since that file was opened, nothing when nothing did (Linux 5.8). @throws Error when it is not open
   */
  syncFileSystem(descriptor: number, done: (failure: string) => void): void;
  /** CRC32C of `bytes` after what `crc` covers (0 at the start). */
  crc32c(crc: number, bytes: Uint8Array): number;
  /**
   * Writes the entries in `source`, of `size` bytes each, to `target`, of the same length, with `delta` added, modulo
   * 2^32, to the big-endian 32-bit word at byte `word` of each. `target` may be `source`, and does not overlap it
   * otherwise.
   */
  addToWords(source: Uint8Array, target: Uint8Array, size: number, word: number, delta: number): void;
  /**
   * Puts bytes of pieces of an object from byte `at` of them on into `target`: as many as lie without a break in the
   * pieces in `run`, whose first is byte `base` of the object, and as `target` holds. Returns how many; 0 when byte
   * `at` is none of the run's.
   * @param offsets first byte of each piece in the object, ascending
   * @param begins bytes of the pieces before each, and of all
   */
  gatherPieces(
    offsets: Float64Array,
    begins: Float64Array,
    at: number,
    run: Uint8Array,
    base: number,
    target: Uint8Array,
  ): number;
  /** Memory that can't be read, which stands for others in what is sent; undefined when it was given before. */
  openStandIn(): ArrayBuffer | undefined;
  /**
   * Has the beginning of the stand-in stand for pieces: for as many bytes from byte `at` of them on as lie without a
   * break in `run`, as `gatherPieces` has it, and at most `most`, until `forgetPieces`. Returns how many.
   */
  scatterPieces(
    offsets: Float64Array,
    begins: Float64Array,
    at: number,
    run: Uint8Array,
    base: number,
    most: number,
  ): number;
  forgetPieces(): void;
  /**
   * Cuts samples from `from` on into segments. Returns `count`, or the number of the sample to go on with when `rows`
   * and `keys` have more room.
   * @param rules and `state`: as native/segment_rows.h has them; `state` begins as zeros
   * @param places seconds, rising, at which segments are to begin
   * @param rows receives five columns of rows one after the other, `keys` three of sync samples
   */
  cutRows(
    sizes: Uint32Array,
    durations: Uint32Array,
    compositions: Int32Array,
    flags: Uint32Array,
    count: number,
    from: number,
    rules: Float64Array,
    places: Float64Array,
    state: Float64Array,
    rows: Float64Array,
    keys: Float64Array,
  ): number;
  /** Writes what is left when all samples have been taken in: two rows at most, for which `rows` must have room. */
  endRows(rules: Float64Array, state: Float64Array, rows: Float64Array): void;
  /**
   * Writes the values of the runs in `entries` (`stts`, `ctts`) to `values` from `from` on, at most up to `count`.
   * Returns where they end.
   */
  expandRuns(entries: Uint8Array, values: Uint32Array | Int32Array, from: number, count: number): number;
  /** Writes the first `count` big-endian words of `bytes` to `values`. */
  readWords(bytes: Uint8Array, values: Uint32Array, count: number): void;
  /**
   * Adds entries of tables, of which `from` is the number of the first, to `sums`, which are those of native/tables.h
   * in their order; what is summed before entries 0, `stride`, 2 × `stride` … is written to `before`, where that has
   * room. `sumChunks` returns what is wrong, 0 for nothing; `sumSizes` the sum.
   */
  sumRuns(
    entries: Uint8Array,
    from: number,
    stride: number,
    sums: Float64Array,
    samplesBefore: Float64Array,
    ticksBefore: Float64Array,
  ): void;
  sumOffsets(entries: Uint8Array, from: number, size: number, sums: Float64Array): void;
  sumChunks(
    entries: Uint8Array,
    from: number,
    stride: number,
    rules: Float64Array,
    sums: Float64Array,
    before: Float64Array,
  ): number;
  sumSizes(entries: Uint8Array, from: number, stride: number, sum: number, before: Float64Array): number;
  /**
   * Makes the listeners of this process on `port` refuse new connections; returns how many there are, -1 without the
   * right to.
   */
  refuseConnections(port: number): number;
  /** The same without that right, for the moment before they are closed. */
  refuseByHops(port: number): void;
  /**
   * New connections to `port` go to the `count` listeners, of all processes that share it, that began to listen after
   * the first `first`; with a count of 0 the kernel chooses again.
   */
  steerConnections(port: number, first: number, count: number): void;
  /**
   * Puts the gate between the system's sockets and uWebSockets.js; undefined when its module is not one that this works
   * with.
   */
  openGate(): NativeGate | undefined;
  /** Guards this process's listeners on `port`; returns how many there are. */
  guardPort(port: number, options: NativePortOptions): number;
  /** Has a connection read whose answer has ended while something was held back. */
  readAgain(socket: number): void;
  /** Forgets all ready answers. */
  forgetReady(): void;
  /** Status, time and client of refusals since the last call; from the first on they are noted. */
  takeRefusals(): (number | string)[];
  /** Descriptors that this process may have open. */
  descriptorLimit(): number;
  /** Connections to `port` that wait to be accepted by this process. */
  waitingConnections(port: number): number;
}

/**
 * Holds what a module knows of the addon against the addon, which may have been built from other sources.
 * @throws EdgeError `internal` when they differ
 */
export function expectConstants(known: Partial<NativeConstants>): void {
  for (const [name, value] of Object.entries(known)) {
    const found = native.constants?.[name as keyof NativeConstants];
    if (found === value) continue;
    throw new EdgeError(
      'internal',
      `the native addon is of another version: expected ${name} ${value}, found ${found}; build it with: npm run install`,
    );
  }
}

/** The addon: as it was built here, else as the package brings it. Paths are the same from src/base/ and dist/base/. */
export const native: NativeAddon = load(
  '../../native/build/Release/moovedge.node',
  `../../native/prebuilt/${process.platform}-${process.arch}/moovedge.node`,
);

function load(...paths: readonly string[]): NativeAddon {
  const failures: string[] = [];
  for (const path of paths) {
    try {
      return createRequire(import.meta.url)(path);
    } catch (cause) {
      failures.push((cause as Error).message.split('\n')[0]!);
    }
  }
  throw new EdgeError(
    'internal',
    `the native addon can not be loaded (${failures.join('; ')}); build it in the folder of the package, with g++, make and python3: npm run install`,
  );
}
