import type { Log } from '../base/log.js';
import { native } from '../base/native.js';

/** Names of environment variables by which a service manager says how it is told; see sd_notify(3). */
const SOCKET = 'NOTIFY_SOCKET';
const WATCHDOG = 'WATCHDOG_USEC';
const WATCHDOG_PID = 'WATCHDOG_PID';

/**
 * Tells a service manager, such as systemd, how the edge is. Does nothing where there is none. Other processes of the
 * edge don't inherit how: they have nothing to tell.
 */
export class ServiceManager {
  /** What an edge that takes over needs in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #socket: string | undefined;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param env of this process, out of which is taken what the manager put in */
  constructor(env: NodeJS.ProcessEnv, log: Log) {
    this.#log = log;
    const given = [SOCKET, WATCHDOG, WATCHDOG_PID].map(name => [name, env[name]] as const);
    for (const [name] of given) delete env[name];
    const known = given.filter(([name, value]) => name !== WATCHDOG_PID && value !== undefined);
    this.environment = Object.fromEntries(known) as Record<string, string>;
    this.#socket = this.environment[SOCKET];
    // Whoever takes over has the manager's watchdog without being the process that it was begun for: no WATCHDOG_PID.
    const pid = given.find(([name]) => name === WATCHDOG_PID)?.[1];
    const microseconds = Number(this.environment[WATCHDOG]);
    if (this.#socket !== undefined && microseconds > 0 && (pid === undefined || Number(pid) === process.pid)) {
      this.#timer = setInterval(() => this.#tell('WATCHDOG=1'), microseconds / 2000).unref();
    }
  }

  /** Players are served, or a reload is over. @param status for people */
  ready(status: string): void {
    this.#tell('READY=1', `STATUS=${status}`);
  }

  reloading(): void {
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, 'STATUS=reloading');
  }

  /** @param status for people */
  stopping(status: string): void {
    this.#tell('STOPPING=1', `STATUS=${status}`);
  }

  /** This process is the service from here on; the one before is about to end. */
  takeOver(): void {
    this.#tell(`MAINPID=${process.pid}`);
  }

  /** Another process is the service from here on, and has the watchdog. */
  handOver(): void {
    clearInterval(this.#timer);
  }

  #tell(...lines: readonly string[]): void {
    if (this.#socket === undefined) return;
    try {
      native.notifyManager(this.#socket, lines.join('\n'));
    } catch (error) {
      this.#log.debug({ error }, 'the service manager was not told');
    }
  }
}
