import type { Log } from '../base/log.js';
import type { Config } from '../config/schema.js';
import { type AdminRoutes, AdminServer } from './admin-server.js';

/**
 * Milliseconds that answers under way may take when the port is another one: that to whoever asked for the reload comes
 * when all workers have been replaced.
 */
const MOVE_GRACE = 10 * 60_000;

/** The admin port as the configuration wants it, through reloads. */
export class AdminPort {
  readonly #routes: AdminRoutes;
  readonly #log: Log;
  #settings: Config['admin'] | undefined;
  #server: AdminServer | undefined;

  constructor(routes: AdminRoutes, log: Log) {
    this.#routes = routes;
    this.#log = log;
  }

  /**
   * Listens as `settings` say. When that can't be, what was before stays.
   * @throws EdgeError `port`
   */
  async apply(settings: Config['admin']): Promise<void> {
    const before = this.#settings;
    if (before === undefined) {
      this.#server = await this.#open(settings);
    } else if (before.host === settings.host && before.port === settings.port) {
      this.#server!.token = settings.token;
    } else if (before.port !== settings.port) {
      const next = await this.#open(settings);
      void this.#server?.close(MOVE_GRACE);
      this.#server = next;
    } else {
      // The addresses may overlap, so the old one has to go first.
      void this.#server?.close(MOVE_GRACE);
      this.#server = await this.#open(settings).catch(async error => {
        this.#server = await this.#open(before);
        throw error;
      });
    }
    this.#settings = settings;
  }

  async close(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    this.#settings = undefined;
  }

  async #open({ host, port, token }: Config['admin']): Promise<AdminServer> {
    const server = new AdminServer({ host, port, token, routes: this.#routes, log: this.#log });
    await server.listen();
    return server;
  }
}
