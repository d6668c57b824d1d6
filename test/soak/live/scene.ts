import type { LiveEdge } from '../../support/live-edge.js';
import { until } from '../../support/until.js';
import type { EdgeLog } from '../edge-log.js';
import type { Random } from '../random.js';
import type { Tally } from '../tally.js';
import { Player } from './player.js';
import type { SoakStream } from './stream.js';
import { Watcher } from './watcher.js';

/** What a soak of live streams goes on in: an edge, a stream, and those who watch it. */
export class Scene {
  readonly live: LiveEdge;
  readonly log: EdgeLog;
  readonly random: Random;
  readonly tally: Tally;
  /** The stream that is harmed. */
  readonly stream: SoakStream;
  /** Viewers who stay: nothing but the death of their worker may end them. */
  readonly watchers: Watcher[] = [];
  readonly players: Player[] = [];
  /** All viewers of FLV that there have been. */
  seen = { watchers: 0, pictures: 0, gaps: 0, bytes: 0 };

  constructor(live: LiveEdge, log: EdgeLog, random: Random, tally: Tally, stream: SoakStream) {
    this.live = live;
    this.log = log;
    this.random = random;
    this.tally = tally;
    this.stream = stream;
  }

  readonly violation = (text: string) => this.tally.violation(text);

  watch(name = this.stream.name): Watcher {
    this.seen.watchers++;
    return Watcher.open(`${this.live.edge.url}/live/${name}.flv`, this.violation);
  }

  play(name = this.stream.name): Player {
    return new Player(`${this.live.edge.url}/live/${name}/hls/`, this.violation);
  }

  /** A viewer leaves, and what it has seen is counted. */
  dismiss(watcher: Watcher): void {
    watcher.leave();
    this.seen.pictures += watcher.pictures;
    this.seen.gaps += watcher.gaps;
    this.seen.bytes += watcher.bytes;
  }

  /** @param watchers by FLV @param players by HLS */
  async gather(watchers: number, players: number): Promise<void> {
    while (this.watchers.length < watchers) this.watchers.push(this.watch());
    while (this.players.length < players) this.players.push(this.play());
    await this.settled();
  }

  /** Everybody sees what is published from now on. */
  async settled(): Promise<void> {
    const from = this.stream.pictures;
    const isThere = ({ picture, isOver }: Watcher) => isOver || picture >= from;
    await until('all viewers of FLV', () => this.watchers.every(isThere));
    await until('all players of HLS', () => this.players.every(({ picture }) => picture >= from));
  }

  /** Counts viewers that have been ended without a reason, and lets others come. @param mayEnd there was a reason */
  replace(mayEnd: boolean): void {
    for (const [at, watcher] of this.watchers.entries()) {
      if (!watcher.isOver) continue;
      if (!mayEnd) this.violation(`a viewer was ended at picture ${watcher.picture}`);
      this.dismiss(watcher);
      this.watchers[at] = this.watch();
    }
  }

  async leave(): Promise<void> {
    for (const watcher of this.watchers.splice(0)) this.dismiss(watcher);
    await Promise.all(this.players.splice(0).map(player => player.leave()));
  }
}
