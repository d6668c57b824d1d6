import { spawn } from 'node:child_process';
import { EdgeError } from '../base/errors.js';

const TAKE_OVER = '--take-over';

/** The program as it is installed now, started with the command line of this process to take over from it. */
export class Successor {
  /**
   * Resolves with its process id when it serves; rejects with an EdgeError `system` when it ends instead, and this
   * process goes on.
   */
  readonly serving: Promise<number>;
  #isServing!: () => void;

  /** @param environment what it gets beside this process's own */
  constructor(environment: Readonly<Record<string, string>>) {
    const [, ...command] = process.argv;
    const args = command.includes(TAKE_OVER) ? command : [...command, TAKE_OVER];
    const child = spawn(process.execPath, [...process.execArgv, ...args], {
      // In a group of its own: it outlives this process, whose terminal may be told to end all that it started.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    });
    child.unref();
    this.serving = new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(new EdgeError('system', `the installed version does not take over (${why}): see the log`));
      this.#isServing = () => resolve(child.pid!);
      child.once('error', error => fail(error.message));
      child.once('exit', (code, signal) => fail(`it ended with ${code ?? signal}`));
    });
    this.serving.catch(() => {});
  }

  /** It serves, and has asked this process to let go. */
  succeed(): void {
    this.#isServing();
  }
}
