import { BLOCK_SIZE, type ObjectId } from '../../base/block.js';
import { EdgeError } from '../../base/errors.js';
import { type Log, silentLog } from '../../base/log.js';
import { expectConstants, type NativeTier, native } from '../../base/native.js';
import type { Pieces } from '../../base/pieces.js';
import { ADMIT_NONE, type Admission } from './admission.js';
import { BLOCK_CLASSES, BlockWaits, blockClass } from './block-waits.js';
import { defaultMemorySize } from './memory-size.js';
import { ABSENT, type BlockWaiter, type Claim, GENERATIONS, type MemoryTier } from './memory-tier.js';
import { type MemoryTierStats, tierStats } from './memory-tier-stats.js';
import { SharedFill } from './shared-fill.js';

/** Options of `SharedMemoryTier`. */
export interface SharedMemoryTierOptions {
  /** Path of the cache file, on a tmpfs, hugetlbfs or any other filesystem. */
  readonly file: string;
  /** Worker: an open descriptor of the file, which is used instead of its name, for the name may be gone. */
  readonly descriptor?: number | undefined;
  /** The supervisor makes the file and is the only one of its kind on it; workers attach to what it made. */
  readonly role: 'supervisor' | 'worker';
  /** Supervisor: bytes of blocks. Undefined: those of the file that is there, else `defaultMemorySize`. */
  readonly size?: number | undefined;
  /** Supervisor: opens the file although another supervisor has it, which then sees `isHolder` false. */
  readonly takeOver?: boolean;
  /** Share of the blocks that fills may use, 0 to 1. */
  readonly fillShare: number;
  /** Milliseconds without progress after which a fill is no longer followed; default `FOLLOW_TIMEOUT`. */
  readonly followTimeout?: number;
  /** When the checksum of a block is verified: on its first use after an unclean stop, or on every use. */
  readonly verify: 'unclean' | 'always';
  /** Whether `acquire`, `isWorthRoom`, `finish` and `leave` note who watches what; default false. */
  readonly notesDemand?: boolean;
  /** By which of its policies `isWorthRoom` answers: by `lru`, the default, whatever is read is worth room. */
  readonly policy?: MemoryPolicy;
  /**
   * Supervisor: reserves the space of a new file; default true. Without it a full filesystem is a SIGBUS: for tests and
   * benches only.
   */
  readonly reserve?: boolean;
  readonly log?: Log;
}

/** Which blocks leave memory first: those used least recently, or those that are wanted least. */
export type MemoryPolicy = 'lru' | 'demand';

/** Milliseconds for which a fill without progress is followed where no origin is allowed to be silent for longer. */
export const FOLLOW_TIMEOUT = 15_000;

/** A block that will be evicted soon. */
export interface ColdBlock {
  readonly id: ObjectId;
  readonly block: number;
  /** Bytes. */
  readonly length: number;
}

/** Blocks of a window, as a power of two: windows are of 4 GiB. */
const WINDOW_SHIFT = 14;
const WINDOW_MASK = (1 << WINDOW_SHIFT) - 1;

// Words of the registers.
const ARGUMENT = 5;
const SLOT = 6;
const WATERMARK = 7;

const CLAIMS: readonly (Claim | undefined)[] = [undefined, 'following', 'present', 'full'];
expectConstants({
  blockSize: BLOCK_SIZE,
  windowSize: BLOCK_SIZE * (1 << WINDOW_SHIFT),
  mailClasses: BLOCK_CLASSES,
  generations: GENERATIONS,
  absent: ABSENT,
  claimFilling: CLAIMS.indexOf(undefined),
  claimFollowing: CLAIMS.indexOf('following'),
  claimPresent: CLAIMS.indexOf('present'),
  claimFull: CLAIMS.indexOf('full'),
});

/**
 * The memory tier in a file that all processes of the machine map; see native/shm_layout.h. Survives every process that
 * uses it.
 */
export class SharedMemoryTier implements MemoryTier {
  /** Bytes of all blocks. */
  readonly capacity: number;
  /** The file's descriptor, which workers inherit. */
  readonly descriptor: number;
  /** Random text, kept with the file and by those that take its place, which no other user knows. */
  readonly secret: string;
  /** True when this was the first process to open the file; `clean` tells whether the last stop was a clean one. */
  readonly first: boolean;
  readonly clean: boolean;
  readonly #native: NativeTier;
  readonly #registers: Uint32Array;
  readonly #pin: Uint32Array;
  readonly #generations: Uint32Array;
  readonly #mail: Uint32Array;
  readonly #windows: ArrayBuffer[] = [];
  readonly #received = (count: number): Uint8Array => this.#bytesOf(this.#registers[WATERMARK]!, count);
  readonly #waits: BlockWaits;
  readonly #notesDemand: boolean;
  readonly #policy: MemoryPolicy;
  #closed = false;
  /** Readable bytes of the pinned block; `ABSENT` while none is pinned. */
  #readable = ABSENT;

  /** @throws EdgeError `cache_file` when the file can't be used; the message says why and what to do */
  constructor(options: SharedMemoryTierOptions) {
    const tier = open(options, () => this.#fetchMail());
    this.#native = tier;
    this.#notesDemand = options.notesDemand ?? false;
    this.#policy = options.policy ?? 'lru';
    this.capacity = tier.capacity;
    this.descriptor = tier.descriptor;
    this.secret = tier.seed;
    this.first = tier.first;
    this.clean = tier.clean;
    this.#registers = new Uint32Array(tier.registers);
    this.#pin = new Uint32Array(tier.pin);
    this.#generations = new Uint32Array(tier.generations);
    this.#mail = new Uint32Array(tier.mail);
    this.#waits = new BlockWaits({
      watch: (id, block, seen) => {
        this.#name(id, block, seen);
        return tier.watch();
      },
      reap: () => tier.reap(),
    });
    const { file, role, log = silentLog } = options;
    if (tier.created !== '') log.info({ file, reason: tier.created, capacity: tier.capacity }, 'made a new cache file');
    else if (tier.first) log.info({ file, clean: tier.clean, capacity: tier.capacity }, 'opened the cache file');
    else log.debug({ file, role }, 'attached to the cache file');
  }

  acquire(id: ObjectId, block: number, counted = true): number {
    this.#name(id, block, counted ? 1 : 0);
    this.#readable = this.#native.acquire();
    return this.#readable;
  }

  view(from: number, to: number): Uint8Array {
    if (from < 0 || to < from || to > this.#readable) throw new RangeError('the view leaves the readable bytes');
    return this.#bytesOf(from, to - from);
  }

  /** Bytes of the slot that a call has told of. */
  #bytesOf(from: number, length: number): Uint8Array {
    const slot = this.#registers[SLOT]!;
    // A product, since a shift has 32 bits.
    return new Uint8Array(this.#window(slot >>> WINDOW_SHIFT), (slot & WINDOW_MASK) * BLOCK_SIZE + from, length);
  }

  release(): void {
    this.#readable = ABSENT;
    // Atomic, so that no read of the block is moved past it.
    Atomics.store(this.#pin, 0, 0);
  }

  gather(id: ObjectId, reached: number, { offsets, begins }: Pieces, at: number, target: Uint8Array): number {
    // -1 becomes the greatest number, which no block has.
    this.#name(id, reached >>> 0, 0);
    return this.#native.gather(offsets, begins, at, target);
  }

  layOut(id: ObjectId, block: number, from: number, most: number, counted: boolean): number {
    this.#name(id, block, counted ? 1 : 0);
    return this.#native.layOut(from, most);
  }

  letGo(taken: number): void {
    this.#native.letGo(taken);
  }

  get gatheredOf(): number {
    return this.#registers[WATERMARK]!;
  }

  has(id: ObjectId, block: number): boolean {
    this.#name(id, block, 0);
    return this.#native.has();
  }

  claim(id: ObjectId, block: number, length: number, onDisk = false): Claim {
    if (!(Number.isInteger(length) && length > 0 && length <= BLOCK_SIZE)) {
      throw new RangeError(`a block has 1 to ${BLOCK_SIZE} bytes, not ${length}`);
    }
    this.#name(id, block, length);
    const registers = this.#registers;
    const claim = CLAIMS[this.#native.claim(onDisk ? 1 : 0)];
    if (claim !== undefined) return claim;
    return new SharedFill(
      this.#native,
      this.#received,
      this.#waits,
      blockClass(id, block),
      registers[SLOT]!,
      registers[WATERMARK]!,
      length,
    );
  }

  isWorthRoom(id: ObjectId, block: number, whole: boolean): boolean {
    if (!this.#notesDemand) return true;
    this.#name(id, block, whole ? 1 : 0);
    return this.#native.isWorthRoom() || this.#policy === 'lru';
  }

  finish(id: ObjectId, block: number): void {
    if (!this.#notesDemand) return;
    this.#name(id, block, 0);
    this.#native.finish();
  }

  leave(id: ObjectId, block: number): void {
    if (!this.#notesDemand) return;
    this.#name(id, block, 0);
    this.#native.leave();
  }

  /** Keeps an answer that the gate gives by itself, as `NativeTier.keepReady`, out of blocks of this object. */
  keepReady(id: ObjectId, start: Uint8Array, end: Uint8Array, numbers: Float64Array): number {
    this.#name(id, 0, 0);
    return this.#native.keepReady(start, end, numbers);
  }

  waitFor(id: ObjectId, block: number, seen: number, waiter: BlockWaiter): void {
    this.#waits.add(id, block, seen, waiter);
  }

  cancelWait(id: ObjectId, block: number, waiter: BlockWaiter): void {
    this.#waits.cancel(id, block, waiter);
  }

  generation(index: number): number {
    return Atomics.load(this.#generations, index % GENERATIONS);
  }

  bumpGeneration(index: number): void {
    Atomics.add(this.#generations, index % GENERATIONS, 1);
  }

  close(): void {
    this.#closed = true;
    this.#waits.close();
    this.#readable = ABSENT;
    this.#native.close();
  }

  /**
   * Ends the fills of processes that have died, so that others take over at once. To be called when a worker has
   * exited; those who wait for a fill look for the dead by themselves, but not as soon.
   * @returns number of processes that had died
   */
  reap(): number {
    const died = this.#native.reap();
    if (died > 0) this.#waits.anyChanged();
    return died;
  }

  /** Uses that a block may expect within so many seconds, wherever it is. */
  expectedUses(id: ObjectId, block: number, seconds: number): number {
    this.#name(id, block, Math.ceil(seconds));
    return this.#native.expectedUses();
  }

  /** Which blocks go first from now on: those used least recently, as at first, or those that are wanted least. */
  evictBy(policy: MemoryPolicy): void {
    this.#native.evictByDemand(policy === 'demand');
  }

  /**
   * Evicts the coldest blocks until `freeShare` (0 to 0.5) of the blocks is free, so that fills find room at once.
   * Blocks that are worth a place on disk and are not there are spared for `coldest`; none are without a disk tier.
   * @returns number of blocks evicted
   */
  evictAhead(freeShare: number, { minViews, minUses, seconds }: Admission = ADMIT_NONE): number {
    return this.#native.evictAhead(permille(freeShare), minViews, thousandths(minUses), Math.ceil(seconds));
  }

  /**
   * Blocks that are about to be evicted and are worth a place on disk: whole, and not known to be there. At most
   * `limit`. `freeShare` as for `evictAhead`.
   */
  coldest(freeShare: number, { minViews, minUses, seconds }: Admission, limit: number): ColdBlock[] {
    const free = permille(freeShare);
    const words = this.#native.coldest(free, minViews, thousandths(minUses), Math.ceil(seconds), limit);
    const blocks: ColdBlock[] = [];
    for (let at = 0; at < words.length; at += 6) {
      blocks.push({ id: words.slice(at, at + 4) as ObjectId, block: words[at + 4]!, length: words[at + 5]! });
    }
    return blocks;
  }

  /**
   * Copies a whole block to the start of `target` after verifying its checksum, without counting a use.
   * @returns its length; undefined when it is not there, not whole, damaged (then it is dropped) or larger than
   *   `target`
   */
  copyBlock(id: ObjectId, block: number, target: Uint8Array): number | undefined {
    this.#name(id, block, 0);
    const length = this.#native.copy(target);
    return length < 0 ? undefined : length;
  }

  /** Lets a block go, unless somebody fills or reads it. Returns whether it did. */
  drop(id: ObjectId, block: number): boolean {
    this.#name(id, block, 0);
    return this.#native.drop();
  }

  /** Notes whether the disk tier holds the block. Returns false when the block is not in memory. */
  markOnDisk(id: ObjectId, block: number, onDisk = true): boolean {
    this.#name(id, block, onDisk ? 1 : 0);
    return this.#native.markOnDisk();
  }

  /**
   * Verifies the checksums of about `bytes` bytes of blocks, going on where the last call stopped; bad blocks are
   * dropped and counted.
   * @returns bytes verified
   */
  scrub(bytes: number): number {
    return this.#native.scrub(bytes);
  }

  /** Figures of the whole file, of all processes together. */
  stats(): MemoryTierStats {
    return tierStats(this.#native.stats());
  }

  /** False when another supervisor has taken the file over. */
  get isHolder(): boolean {
    return this.#native.isHolder();
  }

  /** False when somebody has cut the file off: whoever touches what is missing is ended by SIGBUS. */
  get isWhole(): boolean {
    return this.#native.isWhole();
  }

  #window(index: number): ArrayBuffer {
    this.#windows[index] ??= this.#native.window(index);
    return this.#windows[index]!;
  }

  #name(id: ObjectId, block: number, argument: number): void {
    if (block >>> 0 !== block) throw new RangeError(`a block's number has 32 bits, found ${block}`);
    const registers = this.#registers;
    registers[0] = id[0]!;
    registers[1] = id[1]!;
    registers[2] = id[2]!;
    registers[3] = id[3]!;
    registers[4] = block;
    registers[ARGUMENT] = argument;
  }

  #fetchMail(): void {
    if (this.#closed) return;
    this.#native.fetchMail();
    const mail = this.#mail;
    for (let word = 0; word < BLOCK_CLASSES / 32; word++) {
      for (let bits = mail[word]!; bits !== 0; bits &= bits - 1)
        this.#waits.changed(word * 32 + 31 - Math.clz32(bits & -bits));
    }
  }
}

function permille(share: number): number {
  return thousandths(Math.min(1, Math.max(0, share)));
}

function thousandths(number: number): number {
  return Math.round(number * 1000);
}

function open(options: SharedMemoryTierOptions, rung: () => void): NativeTier {
  const { file, descriptor = -1, size } = options;
  const supervisor = options.role === 'supervisor';
  try {
    return native.openMemoryTier(
      {
        file,
        descriptor,
        supervisor,
        bytes: size ?? (supervisor ? defaultMemorySize(file) : 0),
        keepSize: size === undefined,
        takeOver: options.takeOver ?? false,
        reserve: options.reserve ?? true,
        fillPermille: permille(options.fillShare),
        followTimeout: options.followTimeout ?? FOLLOW_TIMEOUT,
        verifyAlways: options.verify === 'always',
        notesDemand: options.notesDemand ?? false,
      },
      rung,
    );
  } catch (error) {
    if (error instanceof EdgeError || (error as { kind?: string }).kind === undefined) throw error;
    throw new EdgeError('cache_file', (error as Error).message, { cause: error });
  }
}
