import type { EventEmitter } from 'node:events';
import type { EdgeError } from '../base/errors.js';
import type { ExitStatus } from '../base/exit-status.js';
import type { Log } from '../base/log.js';
import type { Metrics, MetricsSnapshot } from '../observe/metrics.js';

/**
 * Something that is done once for all workers, such as writing the disk tier. Services start in the order of their
 * list and stop in the opposite one; what fails while they run is logged and ends no edge.
 */
export interface Service<Config> {
  /** Where its figures stand in `/stats`. */
  readonly name: string;
  /** Descriptors that workers inherit. */
  readonly inherited?: readonly number[];
  /**
   * Called when no other edge uses the same files: before the first workers start, or after an older edge has handed
   * over.
   * @throws EdgeError that people should read
   */
  start?(): void | Promise<void>;
  /**
   * Looks at a configuration that a reload has brought, before anything is changed.
   * @throws EdgeError `bad_config` when it asks for what only a start can do
   */
  accepts?(config: Config): void;
  /** A reload brought another configuration, whose workers serve by now. */
  reconfigure?(config: Config): void | Promise<void>;
  /** The edge has been told to stop: it serves on for a while, but nobody should be sent to it any more. */
  leave?(): void;
  /**
   * Takes all metrics of all processes, every five seconds.
   * @param time milliseconds since 1970
   */
  sample?(snapshot: MetricsSnapshot, time: number): void;
  /** Plain data for `/stats`; undefined when there is nothing to tell. */
  stats?(): object | undefined;
  /** Lets go of all files. Called when the last worker is gone, or when a newer edge takes over. */
  stop(): void | Promise<void>;
}

/** Events that every supervisor gives to its services: name and arguments. */
export interface SupervisorEvents {
  /** A worker is gone; what it was doing is for others. */
  workerGone: [exit: ExitStatus];
}

/** Constraint of the events of one kind of edge: those of every supervisor and its own, each with its arguments. */
export type ServiceEvents<Events> = SupervisorEvents & Record<keyof Events, unknown[]>;

/** What services are made from. */
export interface ServiceContext<Config, Events extends ServiceEvents<Events>> {
  readonly config: Config;
  readonly log: Log;
  /** Metrics of the supervisor's process, to add to. */
  readonly metrics: Metrics;
  /** What happens to workers, and what they tell by `WorkerLink.emit`. */
  readonly events: EventEmitter<Events>;
  /** Of this program. */
  readonly version: string;
  /** True when an older edge still uses the same files, until `start`. */
  readonly takeOver: boolean;
  /**
   * Tells all workers something, as an event that they take by `WorkerLink.on`; those that start later are told the
   * last of each name. The arguments travel as JSON.
   */
  tell<Name extends keyof Events & string>(name: Name, ...args: Events[Name] & unknown[]): void;
  /** True while a worker has answered lately. */
  alive(): boolean;
  /** Aborted when all is to end at once, whatever is lost. */
  readonly hurry: AbortSignal;
  /** To be called when the edge can't go on and has to be started again. */
  hopeless(error: EdgeError): void;
}

/** Makes the services, before the first worker starts. */
export type ServicesFactory<Config, Events extends ServiceEvents<Events>> = (
  context: ServiceContext<Config, Events>,
) => Promise<readonly Service<Config>[]>;
