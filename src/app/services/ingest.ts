import { readFileSync } from 'node:fs';
import type { Log } from '../../base/log.js';
import type { LiveSettings } from '../../config/live-schema.js';
import { LOOP_FIELD } from '../../live/delivery/link-fields.js';
import { WATCHED_INTERVAL, type WantedStream } from '../../live/delivery/wanted-streams.js';
import { PublishHook } from '../../live/publish/hook.js';
import type { LiveStreamStats } from '../../live/publish/live-stream.js';
import { pulledFolder } from '../../live/publish/ring-files.js';
import type { ConnectionStats } from '../../live/publish/rtmp-connection.js';
import { RtmpServer, type RtmpServerStats } from '../../live/publish/rtmp-server.js';
import { StreamRegistry } from '../../live/publish/stream-registry.js';
import { finishRecordings, recordingOf } from '../../live/record/recordings.js';
import { resumeRecording } from '../../live/record/resumed-recording.js';
import { PULL_TIMES } from '../../live/relay/pull.js';
import { type PulledStats, Pulls } from '../../live/relay/pulls.js';
import { RingWriter } from '../../live/ring/ring-writer.js';
import type { StreamPlace } from '../../live/ring/stream-place.js';
import { RtmpError } from '../../live/rtmp/rtmp-error.js';
import { shiftIndexOf } from '../../live/shift/shift-index.js';
import type { LivePeers, StreamPeers } from './live-peers.js';

/** Milliseconds in which a connection must have come to publish. */
const ARRIVAL = 15_000;
/** Milliseconds without a byte after which a publisher is given up. */
const SILENCE = 30_000;
/** Milliseconds for which a stream is pulled after its last viewer. */
const LINGER = 10_000;

/** Milliseconds for which a publisher waits for what another edge has of its stream, and for the last of it. */
const BRING = 2000;
const LAST_TAGS = 1000;

/** Without an RTMP port streams are only pulled. */
export type IngestSettings = LiveSettings;

/** Where an ingest stands among other edges. */
export interface IngestPlace {
  /** This edge among those that requests have gone through. */
  readonly self: string;
  /** The other edges of its cluster; undefined for an edge on its own. */
  readonly peers: LivePeers | undefined;
}

/** Who is told of what happens to streams. */
export interface IngestEvents {
  /** There are other streams. */
  changed(streams: readonly StreamPlace[]): void;
  /** Nobody has a stream that was wanted. */
  missing(name: string): void;
  /** Names that this edge has in its cluster, and whether each is published or waits. @param all it has no others */
  names(names: ReadonlyMap<string, boolean>, all: boolean): void;
  /** It has this one no more. */
  drop(name: string): void;
  /**
   * Takes a name for this edge.
   * @param replaces whether also from an edge to which it is published
   * @returns the id of the edge that keeps it; undefined when it is this one's
   */
  take(name: string, replaces: boolean): Promise<string | undefined>;
}

/** What an ingest tells of itself. */
export interface IngestStats {
  readonly server: RtmpServerStats | undefined;
  readonly streams: readonly (LiveStreamStats & { readonly publisher: ConnectionStats | undefined })[];
  readonly pulled: readonly PulledStats[];
}

/** Takes streams from publishers into rings, for as long as it is not stopped. */
export class Ingest {
  #settings: IngestSettings;
  readonly #log: Log;
  readonly #hook: PublishHook;
  readonly #streams: StreamRegistry;
  readonly #pulls: Pulls;
  readonly #peers: LivePeers | undefined;
  readonly #events: IngestEvents;
  #server: RtmpServer | undefined;

  /**
   * @param folder of the rings
   */
  constructor(settings: IngestSettings, folder: string, { self, peers }: IngestPlace, log: Log, events: IngestEvents) {
    this.#events = events;
    this.#peers = peers;
    this.#settings = settings;
    this.#log = log;
    this.#hook = new PublishHook(log);
    const resumed = new Set<string>();
    this.#streams = new StreamRegistry({
      folder,
      log,
      now: () => performance.now(),
      rings: {
        create: file => RingWriter.create(file, this.#ringOptions),
        open: file => RingWriter.open(file),
      },
      grace: () => this.#settings.grace,
      maxPublishers: () => this.#settings.rtmp?.maxPublishers ?? 0,
      takeover: () => this.#settings.publish.takeover === 'authorised',
      record: (name, file) => {
        const { path: folder, format } = this.#settings.record;
        return folder === undefined ? undefined : recordingOf(name, { folder, format, index: shiftIndexOf(file) }, log);
      },
      resume: file => {
        const { path, format } = this.#settings.record;
        const recording = path === undefined || format !== 'flv' ? undefined : resumeRecording(file, log);
        if (recording !== undefined) resumed.add(recording.path);
        return recording;
      },
      reserve: name => this.#reserve(name),
      inherit: name => this.#pulls.handOver(name, folder),
      named: (names, all) => {
        if (peers !== undefined) events.names(names, all);
      },
      dropped: name => {
        if (peers !== undefined) events.drop(name);
      },
      changed: () => {
        // Whoever publishes here comes before those elsewhere.
        for (const { name } of this.#streams.places) this.#pulls.drop(name);
        changed();
      },
    });
    if (settings.record.path !== undefined) finishRecordings(settings.record.path, log, resumed);
    const changed = () => events.changed([...this.#streams.places, ...this.#pulls.places]);
    this.#pulls = new Pulls({
      folder: pulledFolder(folder),
      sources: (name, via) => [
        ...(peers?.sources(name) ?? []),
        ...this.#settings.pull.map(base => ({
          url: `${base}${name}.flv?start=segment`,
          fields: { ...this.#settings.pullHeaders, [LOOP_FIELD]: via === '' ? self : `${via}, ${self}` },
        })),
      ],
      create: (file, createdAt) => RingWriter.create(file, { ...this.#ringOptions, ...(createdAt && { createdAt }) }),
      grace: () => this.#settings.grace,
      linger: LINGER + WATCHED_INTERVAL,
      times: PULL_TIMES,
      log,
      changed,
      missing: name => events.missing(name),
    });
    this.#server = this.#makeServer(settings);
    changed();
  }

  get stats(): IngestStats {
    const publishers = new Map((this.#server?.publishers ?? []).map(each => [each.stream, each]));
    return {
      server: this.#server?.stats,
      streams: this.#streams.stats.map(each => ({ ...each, publisher: publishers.get(each.name) })),
      pulled: this.#pulls.stats,
    };
  }

  /** @throws Error of the system when the port can't be listened on */
  async listen(): Promise<void> {
    await this.#server?.listen();
  }

  /** Brings streams from elsewhere, and keeps those that are watched. */
  want(streams: readonly WantedStream[]): void {
    const here = new Set(this.#streams.places.map(({ name }) => name));
    for (const { name, via } of streams) if (!here.has(name)) this.#pulls.want(name, via);
  }

  /** There are other edges than before, or other streams at these. */
  tellPeers(known: StreamPeers): void {
    if (this.#peers === undefined) return;
    const before = this.#peers.known;
    this.#peers.known = known;
    for (const [name, id] of known.holders) if (before.holders.get(name) !== id) this.#pulls.moved(name, id);
    for (const id of before.peers.keys()) if (!known.peers.has(id)) this.#pulls.lost(id);
  }

  /** Another edge publishes a stream now: those who watch it here get it from there. */
  lose(name: string): void {
    const left = this.#streams.yield(name);
    if (left !== undefined) this.#pulls.adopt(left);
  }

  /** Reserves a name, and brings what another edge has of the stream. */
  async #reserve(name: string): Promise<void> {
    if (this.#peers === undefined) return;
    const isElsewhere = this.#peers.known.holders.has(name);
    if (isElsewhere) await this.#pulls.bring(name, BRING);
    const keeper = await this.#events.take(name, this.#settings.publish.takeover === 'authorised');
    if (keeper !== undefined) {
      throw new RtmpError(
        'refused',
        `the stream has a publisher at the edge ${keeper}, and live.publish.takeover is never`,
      );
    }
    if (isElsewhere) await this.#pulls.complete(name, LAST_TAGS);
  }

  /** What a reload brings. Publishers stay, unless port or TLS are others. @throws Error, as `listen` */
  async configure(settings: IngestSettings): Promise<void> {
    const before = this.#settings.rtmp;
    const { rtmp } = settings;
    this.#settings = settings;
    const isSecure = rtmp?.tls.certificate !== undefined;
    if (isSecure && before?.tls.certificate !== undefined) this.#renewTls(rtmp.tls);
    const isSamePort = rtmp?.host === before?.host && rtmp?.port === before?.port;
    if (isSamePort && isSecure === (before?.tls.certificate !== undefined)) return;
    this.#server?.requestReconnects();
    await this.#server?.stop();
    this.#server = this.#makeServer(settings);
    await this.#server?.listen();
  }

  /** The files were right when the reload began, and may be others by now. */
  #renewTls(files: NonNullable<IngestSettings['rtmp']>['tls']): void {
    try {
      this.#server?.renewTls(readPair(files)!);
    } catch (error) {
      this.#log.error({ error, ...files }, 'publishers see the certificate from before: the new one can not be used');
    }
  }

  /** Publishers that know how to come back by another connection are asked to. */
  requestReconnects(): void {
    this.#server?.requestReconnects();
  }

  /** Ends all streams, or lets go of them for another process. */
  async stop(how: 'end' | 'leave'): Promise<void> {
    if (how === 'leave') this.#server?.requestReconnects();
    this.#pulls.stop(how);
    await Promise.all([this.#streams.stop(how), this.#server?.stop()]);
  }

  get #ringOptions() {
    const { bufferMax, buffer, hls } = this.#settings;
    // Segments stay for as long as a playlist may have had them (RFC 8216 section 6.2.2).
    const kept = hls.window === 0 ? 0 : 2 * (hls.window + hls.segment);
    return { bytes: bufferMax, milliseconds: Math.max(buffer, kept), segment: hls.segment };
  }

  #makeServer({ rtmp }: IngestSettings): RtmpServer | undefined {
    if (rtmp === undefined) return undefined;
    return new RtmpServer({
      host: rtmp.host,
      port: rtmp.port,
      tls: readPair(rtmp.tls),
      streams: this.#streams,
      hook: this.#hook,
      rules: () => ({ keys: this.#settings.publish.keys, hook: this.#settings.publish.hook }),
      arrival: ARRIVAL,
      silence: SILENCE,
      log: this.#log,
    });
  }
}

function readPair({ certificate, key }: NonNullable<IngestSettings['rtmp']>['tls']) {
  if (certificate === undefined || key === undefined) return undefined;
  return { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
}
