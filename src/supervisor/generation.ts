import { EdgeError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { SupervisedConfig } from './supervised-config.js';
import { type SlotOptions, WorkerSlot } from './worker-slot.js';

/** Milliseconds after its deadline at which a worker that drains is killed. */
const OVERTIME = 1000;

/** What all generations of an edge have in common. */
export interface GenerationOptions extends SlotOptions {
  /** Module that calls `runWorker`. */
  readonly entry: string;
}

/** The workers that serve one reading of the configuration. */
export class Generation<Config extends SupervisedConfig> {
  readonly number: number;
  readonly config: Config;
  readonly slots: readonly WorkerSlot[];
  readonly #log: Log;
  state: 'starting' | 'serving' | 'draining' | 'gone' = 'starting';
  #drained: Promise<void> | undefined;
  #killTimer: NodeJS.Timeout | undefined;

  /** Starts `workers` processes. */
  constructor(number: number, config: Config, workers: number, { entry, ...slot }: GenerationOptions) {
    this.number = number;
    this.config = config;
    this.#log = slot.log;
    this.slots = Array.from(
      { length: workers },
      (_, index) => new WorkerSlot({ entry, config, index, workers, generation: number }, slot),
    );
  }

  /**
   * Resolves when every worker serves.
   * @param timeout milliseconds
   * @throws EdgeError of the first worker that can't, or when it takes too long; the caller then drains the generation
   */
  async ready(timeout: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new EdgeError('internal', `expected all workers to be ready within ${timeout / 1000} s`);
      timer = setTimeout(() => reject(error), timeout);
    });
    try {
      await Promise.race([late, Promise.all(this.slots.map(slot => slot.ready))]);
      if (this.state === 'starting') this.state = 'serving';
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Finishes within `deadline` milliseconds and kills what is left then. A later call may only shorten it. Resolves
   * when no process is left.
   */
  drain(deadline: number): Promise<void> {
    this.state = 'draining';
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.kill(), Math.min(deadline + OVERTIME, 2 ** 31 - 1));
    const drained = Promise.all(this.slots.map(slot => slot.drain(deadline)));
    this.#drained ??= drained.then(() => {
      clearTimeout(this.#killTimer);
      this.state = 'gone';
    });
    return this.#drained;
  }

  /** Ends every process at once. */
  kill(): void {
    for (const { worker } of this.slots) {
      if (worker.state === 'gone') continue;
      this.#log.warn(
        { worker: worker.index, generation: this.number, workerPid: worker.pid },
        'a worker did not end and is killed',
      );
      worker.kill();
    }
  }
}
