import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CLIENT_CORE, LEASH } from './server.js';

const SCRIPT = fileURLToPath(new URL('./paused-players.py', import.meta.url));

/** How many players read on, were given up by the server, or waited for bytes in vain. */
export interface ReadOn {
  whole: number;
  dropped: number;
  stuck: number;
}

/**
 * Players, in a process of their own, that ask for a file, read its beginning, and then nothing until they are told to.
 */
export class PausedPlayers {
  readonly #process: ChildProcess;
  readonly #answers: Interface;
  #complaint = '';

  constructor(port: number, path: string) {
    this.#process = spawn('setpriv', [
      ...LEASH,
      'taskset',
      '-c',
      String(CLIENT_CORE),
      'python3',
      SCRIPT,
      String(port),
      path,
    ]);
    this.#answers = createInterface(this.#process.stdout!);
    this.#process.stderr!.setEncoding('utf8').on('data', text => {
      this.#complaint = (this.#complaint + text).slice(-1000);
    });
    // A process that has ended says so by ending its output.
    this.#process.stdin!.on('error', () => {});
  }

  /** Connects `count` more players; returns when each has got the first bytes of its answer. */
  async start(count: number): Promise<void> {
    await this.#tell(`start ${count}`);
  }

  /** Has each player read `bytes` more. */
  async readOn(bytes: number): Promise<ReadOn> {
    return (await this.#tell(`read ${bytes}`)) as ReadOn;
  }

  /** Disconnects all players. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.stdin!.end();
    await gone;
  }

  async #tell(command: string): Promise<unknown> {
    const answer = Promise.race([once(this.#answers, 'line'), once(this.#answers, 'close')]);
    this.#process.stdin!.write(`${command}\n`);
    const [line] = await answer;
    if (line === undefined) throw new Error(`the players can't '${command}': ${this.#complaint}`);
    return JSON.parse(line);
  }
}
