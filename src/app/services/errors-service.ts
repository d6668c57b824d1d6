import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { BadEnd, EdgeEvents } from './edge-events.js';

/** Warnings that are kept. */
const KEPT = 100;

/** The latest answers that ended badly, with their reasons, for people. */
export class ErrorsService implements Service<Config> {
  readonly name = 'errors';
  readonly #recent: BadEnd[] = [];
  #count = 0;

  constructor({ events }: Pick<ServiceContext<Config, EdgeEvents>, 'events'>) {
    events.on('badEnd', end => {
      this.#count++;
      this.#recent.unshift(end);
      if (this.#recent.length > KEPT) this.#recent.pop();
    });
  }

  /** The newest first. */
  stats(): object {
    return { lines: this.#count, recent: this.#recent.map(({ fields, ...end }) => ({ ...end, ...fields })) };
  }

  stop(): void {}
}
