import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SharedMemoryTierOptions } from '../../../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { told } from '../../../support/told.js';

/** What a tier process is told to do; the blocks are of one object, and their bytes follow from their number. */
export type Order =
  | { do: 'claim'; block: number }
  | { do: 'append'; block: number; to: number }
  | { do: 'read'; block: number }
  | { do: 'wait'; block: number; seen: number }
  | { do: 'pin'; block: number }
  /** Once the process ends by itself, has its doorbell rung by a change of the block. */
  | { do: 'ring at the end'; block: number }
  | { do: 'hammer'; blocks: number; seed: number }
  | { do: 'close' };

/** A process with a tier of its own, told what to do by messages. */
export class TierProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(fields: Omit<SharedMemoryTierOptions, 'fillShare' | 'verify'>): Promise<TierProcess> {
    const options: SharedMemoryTierOptions = { ...DEFAULTS.memoryTier, ...fields };
    const child = fork(fileURLToPath(new URL('./tier-process-main.ts', import.meta.url)), [JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const started = new TierProcess(child);
    await started.#answer();
    return started;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with what the order came to. */
  async tell(order: Order): Promise<unknown> {
    this.#child.send(order);
    return this.#answer();
  }

  /** Ends the process as the kernel would; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }

  /** Lets the process end by itself, without closing its tier. */
  async exit(): Promise<number> {
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    return (await gone)[0] as number;
  }

  /** Exit code, once it has ended by itself. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async #answer(): Promise<unknown> {
    const message = await told<{ error?: string; result: unknown }>(this.#child);
    if (message.error !== undefined) throw new Error(message.error);
    return message.result;
  }
}
