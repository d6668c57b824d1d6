import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { programPath } from '../packages.mjs';
import { freePort } from './ports.js';
import { isStopped } from './processes.js';
import { until } from './until.js';

/** Redis on loopback, whose files go with `end`. */
export class RedisServer {
  readonly url: string;
  readonly #port: number;
  readonly #folder = mkdtempSync('/dev/shm/moovedge-redis-');
  #child: ChildProcess | undefined;
  isStopped = false;

  private constructor(port: number) {
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}`;
    process.on('exit', () => this.#child?.kill('SIGKILL'));
  }

  /** Starts one and waits until it answers. */
  static async start(): Promise<RedisServer> {
    const redis = new RedisServer(await freePort());
    await redis.resume();
    return redis;
  }

  /** Starts it again, with what it had on disk. */
  async resume(): Promise<void> {
    const place = ['--bind', '127.0.0.1', '--port', String(this.#port), '--dir', this.#folder];
    this.#child = spawn(programPath('redis-server')!, [...place, '--appendonly', 'yes', '--save', ''], {
      stdio: 'ignore',
    });
    await until('Redis to answer', () => this.#answers());
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** SIGSTOP, as a network that is cut; nothing is answered any more when this is done. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.#child!.kill('SIGSTOP');
    await until('Redis to stop', () => isStopped(this.#child!.pid!));
  }

  goOn(): void {
    this.#child!.kill('SIGCONT');
    this.isStopped = false;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const socket = connect(this.#port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.write('PING\r\n');
      const [answer] = await once(socket, 'data');
      return String(answer).startsWith('+PONG');
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }
}
