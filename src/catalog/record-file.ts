import { Environment, type EnvironmentOptions } from '../store/environment.js';
import type { FaultLatch } from '../store/fault-latch.js';
import { FifoRecords } from './fifo-records.js';

/** What a `RecordFile` is opened with. */
export interface RecordFileOptions {
  readonly environment: EnvironmentOptions;
  /** Most bytes of the records on disk. */
  readonly capacity: number;
  readonly fault: FaultLatch;
}

/** Records in an environment of their own, through the changes of its file. */
export class RecordFile {
  readonly #options: RecordFileOptions;
  #environment: Environment;
  #records: FifoRecords;

  /** @throws EdgeError `store` when the environment can't be opened */
  constructor(options: RecordFileOptions) {
    this.#options = options;
    this.#environment = Environment.open(options.environment);
    this.#records = new FifoRecords(this.#environment, options.capacity, options.fault);
  }

  get environment(): Environment {
    return this.#environment;
  }

  get records(): FifoRecords {
    return this.#records;
  }

  /**
   * Goes over to the environment that the owner has begun in place of this one, if it has.
   * @param owner whether this process is the owner by now
   */
  reopen(owner: boolean): void {
    if (!this.#environment.replaced) return;
    const { environment, capacity, fault } = this.#options;
    try {
      const before = this.#environment;
      this.#environment = Environment.open({ ...environment, owner });
      this.#records = new FifoRecords(this.#environment, capacity, fault);
      void before.close();
    } catch (error) {
      fault.raise(error);
    }
  }

  close(): Promise<void> {
    return this.#environment.close();
  }
}
