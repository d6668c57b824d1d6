import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../base/errors.js';
import type { ExitStatus } from '../../base/exit-status.js';
import type { Log } from '../../base/log.js';
import type { WantedStream } from '../../live/delivery/wanted-streams.js';
import type { StreamPlace } from '../../live/ring/stream-place.js';
import { Backoff } from '../../supervisor/backoff.js';
import { ChildProcess } from '../../supervisor/child-process.js';
import type { LogReport } from '../../supervisor/parent.js';
import { listenFailure } from '../../supervisor/port.js';
import type { IngestSettings, IngestStats } from './ingest.js';
import type { LiveCluster, StreamNames, StreamPeers } from './live-peers.js';

/** What the ingest's process is told. Not by its arguments, which everybody on the machine may read. */
export type IngestOrder =
  /** @param isRestart true after a death: then nobody waits, and it goes on trying */
  | {
      readonly kind: 'start';
      readonly settings: IngestSettings;
      readonly folder: string;
      readonly self: string;
      readonly cluster: LiveCluster | undefined;
      readonly peers: StreamPeers;
      readonly isRestart: boolean;
    }
  | { readonly kind: 'configure'; readonly settings: IngestSettings }
  /** Streams that viewers want, or watch still. */
  | { readonly kind: 'want'; readonly streams: readonly WantedStream[] }
  /** There are other edges, or other streams at these. */
  | { readonly kind: 'peers'; readonly peers: StreamPeers }
  /** Whether a name may be published here; `keeper` is who has it instead. */
  | { readonly kind: 'taken'; readonly number: number; readonly keeper: string | undefined }
  /** Another edge publishes this stream now. */
  | { readonly kind: 'lose'; readonly name: string }
  /** Publishers that know how to come back are asked to. */
  | { readonly kind: 'reconnect' }
  | { readonly kind: 'stop'; readonly how: 'end' | 'leave' };

/** What the ingest's process says. */
export type IngestReport =
  | { readonly kind: 'here' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'streams'; readonly streams: readonly StreamPlace[] }
  /** Nobody has a stream that was wanted. */
  | { readonly kind: 'missing'; readonly name: string }
  /** Somebody wants to publish here. */
  | { readonly kind: 'take'; readonly number: number; readonly name: string; readonly replaces: boolean }
  /** Names that this edge has, and whether each is published or waits; `all` when it has no others. */
  | { readonly kind: 'names'; readonly names: ReadonlyMap<string, boolean>; readonly all: boolean }
  | { readonly kind: 'drop'; readonly name: string }
  | { readonly kind: 'stats'; readonly stats: IngestStats }
  | LogReport;

type NameReport = Extract<IngestReport, { readonly kind: 'take' | 'names' | 'drop' }>;

/** What an ingest is started with. */
export interface IngestProcessOptions {
  readonly settings: IngestSettings;
  /** Folder of the rings. */
  readonly folder: string;
  /** This edge among those that requests have gone through. */
  readonly self: string;
  readonly cluster: LiveCluster | undefined;
  readonly log: Log;
  /** The other edges, and which streams they have. */
  peers(): StreamPeers;
  /** Names in the cluster; undefined for an edge on its own. */
  readonly names: StreamNames['claims'] | undefined;
  /** There are other streams. */
  streams(streams: readonly StreamPlace[]): void;
  stats(stats: IngestStats): void;
  /** Nobody has a stream that was wanted. */
  missing(name: string): void;
  /** It has died, and is started again: what it counted begins anew. */
  died(): void;
}

/** Milliseconds. */
const RESTART_FIRST = 100;
const RESTART_LONGEST = 10_000;
/** An ingest that has lived for so many milliseconds is taken to be well. */
const WELL_AFTER = 10_000;
/** Milliseconds in which one that was told to stop has to be gone. */
const STOP_TIMEOUT = 10_000;

/**
 * The supervisor's handle on the process that publishers are connected to. It has a process of its own because each
 * byte that comes there is a stranger's, and so that workers may come and go while streams run.
 */
export class IngestProcess {
  readonly #options: IngestProcessOptions;
  #settings: IngestSettings;
  #child: ChildProcess<IngestOrder, IngestReport> | undefined;
  readonly #backoff = new Backoff({ early: WELL_AFTER, first: RESTART_FIRST, longest: RESTART_LONGEST, free: 1 });
  #isStopping = false;

  constructor(options: IngestProcessOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it listens. @throws EdgeError `port` when it can't */
  start(): Promise<void> {
    return new Promise((resolve, reject) => this.#spawn(false, { resolve, reject }));
  }

  configure(settings: IngestSettings): void {
    this.#settings = settings;
    this.#child?.send({ kind: 'configure', settings });
  }

  want(streams: readonly WantedStream[]): void {
    this.#child?.send({ kind: 'want', streams });
  }

  tellPeers(): void {
    this.#child?.send({ kind: 'peers', peers: this.#options.peers() });
  }

  /** Another edge publishes a stream now. */
  lose(name: string): void {
    this.#child?.send({ kind: 'lose', name });
  }

  requestReconnects(): void {
    this.#child?.send({ kind: 'reconnect' });
  }

  /** Ends all streams, or lets go of them for another process; resolves when it is gone. */
  async stop(how: 'end' | 'leave'): Promise<void> {
    this.#isStopping = true;
    this.#backoff.cancel();
    await this.#child?.stop(STOP_TIMEOUT, { kind: 'stop', how });
    if (how === 'end') this.#options.names?.reset(new Map());
  }

  #spawn(isRestart: boolean, waiter?: { resolve(): void; reject(error: EdgeError): void }): void {
    const { log, folder, self, cluster } = this.#options;
    const main = fileURLToPath(new URL(`../ingest-main${extname(import.meta.url)}`, import.meta.url));
    const child = new ChildProcess<IngestOrder, IngestReport>({
      entry: main,
      serialization: 'advanced',
      prints: false,
      message: report => {
        if (report.kind === 'here')
          child.send({
            ...{ kind: 'start', settings: this.#settings, folder, self, cluster, isRestart },
            peers: this.#options.peers(),
          });
        else if (report.kind === 'ready') waiter?.resolve();
        else if (report.kind === 'failed') waiter?.reject(this.#failure(report));
        else if (report.kind === 'streams') this.#options.streams(report.streams);
        else if (report.kind === 'missing') this.#options.missing(report.name);
        else if (report.kind === 'stats') this.#options.stats(report.stats);
        else if (report.kind === 'log') log[report.level](report.fields, report.text);
        else this.#name(report, child);
      },
      exited: exit => {
        waiter?.reject(new EdgeError('system', 'the process that publishers connect to ended before it was ready'));
        if (this.#child === child) this.#child = undefined;
        if (!this.#isStopping) this.#died(exit, Date.now() - child.startedAt);
      },
    });
    this.#child = child;
  }

  /** What the process says of names in the cluster. */
  #name(report: NameReport, child: ChildProcess<IngestOrder, IngestReport>): void {
    const { names } = this.#options;
    if (report.kind === 'take') {
      const { number, name, replaces } = report;
      void (names?.take(name, replaces) ?? Promise.resolve(undefined)).then(keeper =>
        child.send({ kind: 'taken', number, keeper }),
      );
    } else if (report.kind === 'drop') names?.drop(report.name);
    else if (report.all) names?.reset(report.names);
    else for (const [name, isActive] of report.names) names?.set(name, isActive);
  }

  #died({ code: status, signal }: ExitStatus, lived: number): void {
    this.#options.died();
    const delay = this.#backoff.replace(lived, () => this.#spawn(true));
    this.#options.log.error(
      { status, signal, delay },
      'the process that publishers connect to has died; it is started again',
    );
  }

  #failure({ code, message }: IngestReport & { kind: 'failed' }): EdgeError {
    const { host, port } = this.#settings.rtmp!;
    return new EdgeError(
      'port',
      `live.rtmp: ${listenFailure(host, port, Object.assign(new Error(message), { code }))}`,
    );
  }
}
