import type { LinkPlace, LinkPlaces } from '../http/live-port.js';
import type { Link } from '../live/relay/link-table.js';
import type { WorkerLink } from '../supervisor/worker-link.js';
import type { EdgeEvents } from './services/edge-events.js';

/** Milliseconds in which the supervisor answers; one that does not has gone, and this worker ends soon. */
const PATIENCE = 2000;

/** Places for other edges, which one table for all workers has: a worker asks it when a link begins. */
export class WorkerLinks implements LinkPlaces {
  readonly #emit: WorkerLink<EdgeEvents>['emit'];
  /** Those who wait for an answer, by the keys of their links. */
  readonly #asked = new Map<string, (others: readonly string[] | undefined) => void>();
  #links = 0;

  constructor({ on, emit }: Pick<WorkerLink<EdgeEvents>, 'on' | 'emit'>) {
    this.#emit = emit;
    on('liveLinkAnswered', (key, others) => this.#asked.get(key)?.(others ?? undefined));
  }

  async ask(stream: string, peer: string): Promise<LinkPlace | readonly string[]> {
    const link: Link = { stream, peer, key: `${process.pid}.${++this.#links}` };
    const others = await this.#answer(link);
    return others ?? { leave: () => this.#emit('liveLinkLeft', link) };
  }

  #answer(link: Link): Promise<readonly string[] | undefined> {
    return new Promise(resolve => {
      const settle = (others: readonly string[] | undefined) => {
        clearTimeout(timer);
        this.#asked.delete(link.key);
        resolve(others);
      };
      const timer = setTimeout(() => settle([]), PATIENCE);
      this.#asked.set(link.key, settle);
      this.#emit('liveLinkAsked', link);
    });
  }
}
