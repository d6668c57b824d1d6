import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Log } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';

/** Milliseconds between two looks at the file. */
const INTERVAL = 1000;
/** What is put behind the name of a file that is renamed. */
const STAMP = /^\.\d{8}T\d{6}Z(?:-\d+)?$/;

/** Renames the file of the access log when it is large or old, and removes those that are older than is wanted. */
export class AccessLogService implements Service<Config> {
  readonly name = 'accessLog';
  readonly #log: Log;
  readonly #tell: () => void;
  #config: Config['log'];
  #timer: NodeJS.Timeout | undefined;
  #rotations = 0;
  /** What went wrong last, told once. */
  #failure = '';

  constructor({ config, log, tell }: Pick<ServiceContext<Config, EdgeEvents>, 'config' | 'log' | 'tell'>) {
    this.#config = config.log;
    this.#log = log;
    this.#tell = () => tell('accessLogRenamed');
  }

  start(): void {
    clearInterval(this.#timer);
    const { size, every } = this.#config.accessRotate;
    if (this.#file === undefined || (size === 'none' && every === 'none')) return;
    this.#timer = setInterval(() => this.look(Date.now()), INTERVAL).unref();
  }

  reconfigure(config: Config): void {
    this.#config = config.log;
    this.start();
  }

  stats(): object | undefined {
    return this.#timer && { rotations: this.#rotations };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param now milliseconds since 1970 */
  look(now: number): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      if (!this.#isDue(file, now)) return;
      renameSync(file, freeName(file, now));
      this.#rotations++;
      this.#tell();
      for (const old of renamed(file).slice(0, -this.#config.accessRotate.keep || undefined)) rmSync(old);
      this.#failure = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) this.#log.warn({ file, error: message }, 'the access log can not be rotated');
      this.#failure = message;
    }
  }

  #isDue(file: string, now: number): boolean {
    const { size, every } = this.#config.accessRotate;
    const status = statSync(file, { throwIfNoEntry: false });
    if (status === undefined || status.size === 0 || !status.isFile()) return false;
    const isOld = every !== 'none' && Math.floor(now / every) > Math.floor(status.birthtimeMs / every);
    return isOld || (size !== 'none' && status.size >= size);
  }

  get #file(): string | undefined {
    const { access } = this.#config;
    return access === 'off' || access === 'stdout' ? undefined : access;
  }
}

function freeName(file: string, now: number): string {
  const name = `${file}.${new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, '')}`;
  for (let i = 0; ; i++) {
    const free = i === 0 ? name : `${name}-${i}`;
    if (statSync(free, { throwIfNoEntry: false }) === undefined) return free;
  }
}

/** Files that the log was renamed to, the oldest first. */
function renamed(file: string): string[] {
  const name = basename(file);
  return readdirSync(dirname(file))
    .filter(each => each.startsWith(name) && STAMP.test(each.slice(name.length)))
    .sort()
    .map(each => join(dirname(file), each));
}
