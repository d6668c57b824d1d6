import { type Feed, type Follower, Followers } from './waiters.js';

/** Milliseconds between two looks. */
const INTERVAL = 200;

/** Where readers wait that find neither room for a fill nor a free stream past the cache: they look again every now and then. */
export class RoomQueue implements Feed {
  readonly kind = 'origin';
  readonly #followers = new Followers();
  #timer: NodeJS.Timeout | undefined;

  join(follower: Follower): void {
    this.#followers.add(follower);
    this.#timer ??= setTimeout(() => this.wakeAll(), INTERVAL);
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower);
  }

  wakeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#followers.wakeAll();
  }
}
