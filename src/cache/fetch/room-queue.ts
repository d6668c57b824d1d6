import { type InFlight, type Waiter, Waiters } from './waiters.js';

/** Milliseconds between two looks. */
const INTERVAL = 200;

/**
 * Where readers wait that find neither room for a fill nor a free stream past the cache: they look again every now and
 * then.
 */
export class RoomQueue implements InFlight {
  readonly kind = 'origin';
  readonly #waiters = new Waiters();
  #timer: NodeJS.Timeout | undefined;

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.#timer ??= setTimeout(() => this.wakeAll(), INTERVAL);
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  wakeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiters.wakeAll();
  }
}
