import type { PurgeRequest, PurgeResult } from '../admin/purge-request.js';
import type { ObjectId } from '../base/block.js';
import type { EdgeError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Config } from '../config/schema.js';
import type { Metrics } from '../observe/metrics.js';

/**
 * What the supervisor does for all workers beside looking after them, such as writing the disk tier. Failing services
 * are logged and never end the edge.
 */
export interface Services {
  /**
   * Called when the workers serve and no other edge uses the same files: after the start, or when an older edge has
   * handed over. What can be done before the workers start is done by the factory, unless an older edge is in the way.
   * @throws EdgeError that people should read
   */
  activate(): Promise<void>;
  /**
   * Looks at a configuration that a reload has brought, before anything is changed.
   * @throws EdgeError `bad_config` when it asks for what only a start can do
   */
  accepts(config: Config): void;
  /** A reload brought another configuration, whose workers serve by now. */
  reconfigure(config: Config): Promise<void>;
  /**
   * Purges; resolves when it has taken effect in every worker.
   * @throws EdgeError
   */
  purge(request: PurgeRequest): Promise<PurgeResult>;
  /**
   * A worker is gone: what it was filling is for others. `how` is the signal that ended it, or its exit code in words.
   */
  workerGone(how: string): void;
  /** A worker has read a damaged block on disk, which is to be removed and counted. */
  damagedBlock(id: ObjectId, block: number): void;
  /** Descriptors that workers inherit, in the order in which their link tells them. */
  inherited(): readonly number[];
  /** Plain data for `/stats`. */
  stats(): object;
  /** Stops and lets go of all files. Called when the last worker is gone, or when a newer edge takes over. */
  close(): Promise<void>;
}

/** What services are made from. */
export interface ServicesOptions {
  readonly config: Config;
  readonly log: Log;
  /** Metrics of the supervisor's process, to add to. */
  readonly metrics: Metrics;
  /** True when an older edge still uses the same files, until `activate`. */
  readonly takeOver: boolean;
  /** To be called when the edge can't go on and has to be started again. */
  hopeless(error: EdgeError): void;
}

/** Makes the services, before the first worker starts. */
export type ServicesFactory = (options: ServicesOptions) => Promise<Services>;
