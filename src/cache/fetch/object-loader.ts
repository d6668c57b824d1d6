import type { Asker } from '../../base/asker.js';
import { BLOCK_SIZE, blockLength, blockOf, type ObjectId } from '../../base/block.js';
import type { EdgeError } from '../../base/errors.js';
import { Askers } from '../../origin/askers.js';
import { hasValidator } from '../../origin/fields.js';
import type { OriginFetch, OriginSink } from '../../origin/origin.js';
import type { BlockFill } from '../memory/memory-tier.js';
import type { BlockLoader, Running } from './block-loader.js';
import { lost, versionGone } from './body-check.js';
import type { Bypass } from './bypass.js';
import { BypassStream } from './bypass-stream.js';
import { DiskLoad } from './disk-load.js';
import type { FetchHost } from './fetch-host.js';
import { RangeFill } from './range-fill.js';
import type { SourceObject } from './source-object.js';
import type { Demand, InFlight } from './waiters.js';

/** Most streams past the cache for one cacheable object. */
const BYPASS_MAX = 32;

/** Milliseconds for which the disk tier is not asked again for a block that it could not bring. */
const DISK_PAUSE = 5000;

/**
 * Why a block can't be brought by anything in flight in this process: it is filled by another one, has come meanwhile,
 * or there is no room.
 */
export type NotBrought = 'following' | 'present' | 'full' | 'lost';

/**
 * What is under way in this process for one version of one object: its origin fetches, its loads from disk, and who
 * wants what.
 */
export class ObjectLoader implements FetchHost {
  readonly loader: BlockLoader;
  readonly object: SourceObject;
  readonly blocks: number;
  /** Made when there is something to hold, as those below: each object in memory has a loader. */
  #bypassStreams: Set<Bypass> | undefined;
  readonly #demands = new Set<Demand>();
  #loads: Map<number, DiskLoad> | undefined;
  /**
   * Blocks that the disk tier claims to have but could not bring, and until when (`performance.now()`) it is not asked
   * for them.
   */
  #unreadable: Map<number, number> | undefined;
  /** Fields and query of the next fetches; those of the object unless set. */
  fields: Readonly<Record<string, string>>;
  query: string;
  #runs: RangeFill[] = [];
  #retired: EdgeError | undefined;

  /** To be kept and shared by the object's readers: it is what collapses their demands in this process. */
  constructor(loader: BlockLoader, object: SourceObject) {
    this.loader = loader;
    this.object = object;
    this.fields = object.fields;
    this.query = object.query;
    this.blocks = Math.ceil(object.size / BLOCK_SIZE);
  }

  get id(): ObjectId {
    return this.object.id;
  }

  get size(): number {
    return this.object.size;
  }

  /** Registers a demand; it keeps fills going until it is withdrawn. */
  demand(demand: Demand): void {
    this.#demands.add(demand);
  }

  withdraw(demand: Demand): void {
    this.#demands.delete(demand);
  }

  demandFrom(block: number): number {
    let end = 0;
    for (const demand of this.#demands) {
      const wanted = demand.wantedUpTo(block);
      if (wanted > end) end = wanted;
    }
    return Math.min(end, this.blocks);
  }

  /** The origin no longer has this version: what is not cached will not come. Fetches under way may end. */
  retire(error: EdgeError = versionGone(this.object)): void {
    this.#retired ??= error;
  }

  /** Why nothing more is fetched; undefined while this version is the origin's and the edge is not stopping. */
  get refusal(): EdgeError | undefined {
    return this.#retired ?? this.loader.stopping;
  }

  originChanged(error: EdgeError): void {
    this.retire(error);
    this.object.changed();
  }

  /** What brings `block` within reasonable time, if anything of this process does. */
  inFlightOf(block: number): InFlight | undefined {
    const load = this.#loads?.get(block);
    if (load !== undefined) return load;
    for (const run of this.#runs) if (run.soonAt(block)) return run;
    return undefined;
  }

  /**
   * Begins to bring `block`: from disk, or by an origin request for it and the missing blocks that follow, up to
   * `limit`. Not called while `inFlightOf` finds something.
   * @param asker for whom
   */
  bring(block: number, limit: number, asker: Asker): InFlight | NotBrought {
    const { tier } = this.loader;
    if (this.#onDisk(block)) return this.#load(block);
    if (this.object.oneFetch !== undefined && !tier.has(this.id, block)) {
      this.originChanged(lost(this.object));
      return 'lost';
    }
    const claim = tier.claim(this.id, block, blockLength(this.size, block));
    return typeof claim === 'string' ? claim : this.#run(block, limit, claim, asker);
  }

  /**
   * The whole of a block that is not in memory, from disk, if it can be had without waiting; valid until the next call.
   * It is kept in memory, too, where that is worth it: by the policy, for a part that others will follow, and for a
   * reader that comes back since its socket has not taken all.
   * @param isNew whether its reader has just come to the block
   * @param whole whether it means to have all of it
   */
  readDisk(block: number, isNew: boolean, whole: boolean): Uint8Array | undefined {
    const { disk, tier } = this.loader;
    if (disk === undefined || this.refusal !== undefined || this.#isUnreadable(block)) return undefined;
    const length = blockLength(this.size, block);
    const held = disk.held(this.id, block, length);
    const bytes = held ?? disk.read(this.id, block, length);
    if (bytes === undefined || (held !== undefined && !isNew)) return bytes;
    if (isNew && !tier.isWorthRoom(this.id, block, whole)) return bytes;
    const claim = tier.claim(this.id, block, length, true);
    if (typeof claim === 'object') claim.append(claim.watermark === 0 ? bytes : bytes.subarray(claim.watermark));
    return bytes;
  }

  /**
   * Has the blocks `[from, to)` brought ahead of need, in so far as they are missing and nothing is on its way. Begins
   * one origin request at most; when that nears its end it asks on by itself.
   * @param asker for whom
   * @returns the block up to which all is there or seen to; less than `to` when it is worth asking again
   */
  bringAhead(from: number, to: number, asker: Asker): number {
    const { tier } = this.loader;
    if (this.refusal !== undefined || !this.object.cacheable) return to;
    for (let block = from; block < to; block++) {
      if (tier.has(this.id, block) || this.#loads?.has(block)) continue;
      const run = this.#runs.find(run => run.covers(block));
      if (run !== undefined) {
        if (!run.nearEnd) return to;
        block = run.end - 1;
        continue;
      }
      if (this.#onDisk(block)) {
        if (!this.loader.disk!.ahead(this.id, block, blockLength(this.size, block))) return block;
        continue;
      }
      // Whoever fills the block before, in another process, goes on to this one if it is wanted there.
      if (block > 0 && !this.#isOurs(block - 1)) return block;
      if (this.object.oneFetch !== undefined) return to;
      const brought = this.bring(block, to, asker);
      if (brought === 'full') return block;
      if (typeof brought === 'object' && brought.kind === 'origin') return to;
    }
    return to;
  }

  /**
   * Takes over an origin fetch whose head has come and whose body begins with block `first`, at its first byte.
   * @param end block to end before, unless `rangeless`: then the body is the whole object
   * @param askers of the fetch
   * @returns undefined when the first block is there or on its way already, so that the fetch is of no use; 'full' when
   *   there is no room
   */
  adopt(
    fetch: OriginFetch,
    first: number,
    end: number,
    rangeless: boolean,
    askers: Askers,
  ): RangeFill | 'full' | undefined {
    const claim = this.loader.tier.claim(this.id, first, blockLength(this.size, first));
    if (claim === 'full') return claim;
    if (typeof claim === 'string') return undefined;
    const run = new RangeFill(this, first, Math.min(end, this.blocks), claim, askers);
    this.#runs.push(run);
    run.adopt(fetch, rangeless || this.object.oneFetch !== undefined);
    return run;
  }

  /** True when every block is there, or on its way in this process. */
  get isWhole(): boolean {
    for (let block = 0; block < this.blocks; block++) {
      if (!this.#isOurs(block) && !this.#onDisk(block)) return false;
    }
    return true;
  }

  /** End of the bytes that are in a tier from `start` on without a gap, at most `end`. */
  cachedUpTo(start: number, end: number): number {
    let at = start;
    for (let block = blockOf(start); at < end && (this.loader.tier.has(this.id, block) || this.#onDisk(block)); block++)
      at = (block + 1) * BLOCK_SIZE;
    return Math.min(at, end);
  }

  /**
   * False when so many of the object's readers go past the cache already that one more must wait: a filler that stalls
   * must not turn its waiters into as many requests.
   */
  get mayBypass(): boolean {
    return (this.#bypassStreams?.size ?? 0) < BYPASS_MAX;
  }

  /** A stream past the cache of bytes `[start, end)`, for somebody. */
  bypassStream(start: number, end: number, asker: Asker): BypassStream {
    const stream = new BypassStream(this, start, end, new Askers(asker));
    this.#bypassStreams ??= new Set();
    this.#bypassStreams.add(stream);
    stream.begin();
    return stream;
  }

  bypassEnded(stream: Bypass): void {
    this.#bypassStreams?.delete(stream);
  }

  fetch(start: number, end: number, sink: OriginSink, askers: Askers): OriginFetch {
    const { fields, query } = this;
    const { origin, path, validator } = this.object;
    const condition = hasValidator(validator) ? ({ kind: 'same', validator } as const) : undefined;
    return origin.fetch({ path, query, fields, range: { start, end }, condition, askers }, sink);
  }

  fillEnded(run: Running): void {
    this.#runs = this.#runs.filter(other => other !== run);
    this.loader.running.delete(run);
  }

  loadEnded(block: number, found: boolean): void {
    this.#loads?.delete(block);
    if (found) return;
    this.#unreadable ??= new Map();
    this.#unreadable.set(block, performance.now() + DISK_PAUSE);
  }

  #onDisk(block: number): boolean {
    const { disk } = this.loader;
    return disk?.has(this.id, block) === true && !this.#isUnreadable(block);
  }

  #isUnreadable(block: number): boolean {
    const until = this.#unreadable?.get(block);
    return until !== undefined && until > performance.now();
  }

  #isOurs(block: number): boolean {
    const isComing = this.#loads?.has(block) || this.#runs.some(run => run.covers(block));
    return isComing || this.loader.tier.has(this.id, block);
  }

  #load(block: number): DiskLoad {
    const load = new DiskLoad(this, block);
    this.#loads ??= new Map();
    this.#loads.set(block, load);
    load.begin();
    return load;
  }

  #run(block: number, limit: number, fill: BlockFill, asker: Asker): RangeFill {
    const { tier, maxRun } = this.loader;
    const last = Math.min(limit, this.blocks, block + maxRun);
    let end = block + 1;
    while (end < last && !tier.has(this.id, end) && !this.#onDisk(end) && this.inFlightOf(end) === undefined) end++;
    for (const run of this.#runs) if (run.covers(block)) run.endBefore(block);
    const run = new RangeFill(this, block, end, fill, new Askers(asker));
    this.#runs.push(run);
    run.begin();
    return run;
  }
}
