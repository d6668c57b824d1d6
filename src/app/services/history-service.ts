import type { Config } from '../../config/schema.js';
import { History } from '../../observe/history.js';
import type { MetricsSnapshot } from '../../observe/metrics.js';
import type { Service } from '../../supervisor/service.js';

/** Remembers what the edge has done, so that the dashboard shows it as soon as it is opened. */
export class HistoryService implements Service<Config> {
  readonly name = 'history';
  readonly past = new History();

  sample(snapshot: MetricsSnapshot, time: number): void {
    this.past.add(snapshot, time);
  }

  stop(): void {}
}
