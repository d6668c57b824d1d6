import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { catalogFolders } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import { pulledFolder, ringsIn } from '../../live/publish/ring-files.js';
import type { StreamPlace } from '../../live/ring/stream-place.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import type { IngestProcess } from './ingest-process.js';
import { liveCluster, type StreamNames } from './live-peers.js';
import { LiveTotals } from './live-totals.js';

/** Folder of the rings, within the folder of what is recent. */
const FOLDER = 'live';

/** Milliseconds within which changes of who has which stream are told at once. */
const TOGETHER = 20;

/** Live streams: the process that takes them from publishers, and what workers are told of them. */
export class LiveService implements Service<Config> {
  readonly name = 'live';
  readonly #context: ServiceContext<Config, EdgeEvents>;
  readonly #folder: string;
  readonly #totals = new LiveTotals();
  readonly #self = `moovedge-${randomUUID()}`;
  readonly #cluster: StreamNames | undefined;
  #holders: NodeJS.Timeout | undefined;
  #config: Config;
  #ingest: IngestProcess | undefined;
  #isStarted = false;
  #isLeaving = false;

  /**
   * @param secret of the memory tier
   * @param cluster where streams have names that are this edge's alone
   */
  constructor(context: ServiceContext<Config, EdgeEvents>, secret: string, cluster?: StreamNames) {
    this.#cluster = cluster;
    this.#context = context;
    this.#config = context.config;
    this.#folder = join(catalogFolders(context.config, secret).recent, FOLDER);
    this.#totals.describe(context.metrics);
    context.events.on('liveAudiences', (process, audiences) => this.#totals.watched(process, audiences));
    // Beside an older edge, whose streams these are until it hands over, workers serve those who watch from the start.
    if (isLive(context.config)) {
      const pulled = ringsIn(pulledFolder(this.#folder)).map(place => ({ ...place, isPulled: true }));
      this.#tell([...ringsIn(this.#folder), ...pulled]);
    }
    context.events.on('liveWanted', streams => this.#ingest?.want(streams));
    if (cluster !== undefined)
      cluster.streams = { changed: () => this.#tellHolders(), lost: name => this.#ingest?.lose(name) };
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    const settings = this.#config.live;
    if (!isLive(this.#config)) {
      for (const folder of [this.#folder, pulledFolder(this.#folder)]) rmSync(folder, { recursive: true, force: true });
      return;
    }
    // An edge without live streams loads nothing of it.
    const { IngestProcess } = await import('./ingest-process.js');
    this.#ingest = new IngestProcess({
      settings,
      folder: this.#folder,
      self: this.#self,
      cluster: liveCluster(this.#config),
      log: this.#context.log,
      streams: streams => this.#tell(streams),
      holders: () => this.#cluster?.streamHolders ?? new Map(),
      names: this.#cluster?.claims,
      missing: name => this.#context.tell('liveMissing', name),
      stats: stats => this.#totals.update(stats),
      died: () => this.#totals.restart(),
    });
    await this.#ingest.start();
  }

  async reconfigure(config: Config): Promise<void> {
    this.#config = config;
    const settings = config.live;
    if (!this.#isStarted) return;
    if (!isLive(config)) {
      await this.#ingest?.stop('end');
      this.#ingest = undefined;
      this.#totals.restart();
      this.#tell([]);
    } else if (this.#ingest === undefined) await this.start();
    else this.#ingest.configure(settings);
  }

  leave(): void {
    this.#isLeaving = true;
    this.#ingest?.requestReconnects();
  }

  stats(): LiveTotals['streams'] | undefined {
    return this.#ingest && this.#totals.streams;
  }

  async stop(): Promise<void> {
    // An edge that hands over has not been told to leave: the streams go on in the next one.
    await this.#ingest?.stop(this.#isLeaving ? 'end' : 'leave');
  }

  #tellHolders(): void {
    this.#holders ??= setTimeout(() => {
      this.#holders = undefined;
      this.#ingest?.tellHolders();
    }, TOGETHER).unref();
  }

  #tell(streams: readonly StreamPlace[]): void {
    this.#context.tell('liveStreams', { streams, self: this.#self });
  }
}

/** Whether an edge has live streams. */
export function isLive({ live }: Config): boolean {
  return live.rtmp !== undefined || live.pull.length > 0;
}
