import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/base/log.js';
import type { PublishRules } from '../../src/live/publish/authorisation.js';
import { PublishHook } from '../../src/live/publish/hook.js';
import { RtmpServer } from '../../src/live/publish/rtmp-server.js';
import { StreamRegistry } from '../../src/live/publish/stream-registry.js';
import { FakeRing } from './fake-ring.js';
import { freePort } from './ports.js';

/** A line of the log. */
export interface Line {
  readonly level: keyof Log;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** What an RTMP server of a test does. */
export interface RtmpHostOptions {
  readonly rules?: PublishRules;
  readonly maxPublishers?: number;
  readonly takeover?: boolean;
  /** Milliseconds. */
  readonly grace?: number;
  readonly arrival?: number;
  readonly silence?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** An RTMP server in this process, whose streams go into rings that keep everything. */
export class RtmpHost {
  readonly folder = mkdtempSync(join(tmpdir(), 'moovedge-rings-'));
  /** Rings that were made, by the file they would have. */
  readonly rings = new Map<string, FakeRing>();
  readonly lines: Line[] = [];
  /** Names that are told to be this server's, and whether they are published. */
  readonly names = new Map<string, boolean>();
  /** Asks others whether a name is free. */
  reserve: (name: string) => Promise<void> = async () => {};
  readonly streams: StreamRegistry;
  readonly server: RtmpServer;
  rules: PublishRules;

  private constructor(
    readonly port: number,
    {
      rules,
      maxPublishers = 100,
      takeover = true,
      grace = 60_000,
      tls,
      arrival = 60_000,
      silence = 60_000,
    }: RtmpHostOptions,
  ) {
    this.rules = rules ?? { keys: {}, hook: undefined };
    const log = Object.fromEntries(
      (['debug', 'info', 'warn', 'error'] as const).map(level => [
        level,
        (fields: Line['fields'], text: string) => this.lines.push({ level, fields, text }),
      ]),
    ) as unknown as Log;
    this.streams = new StreamRegistry({
      folder: this.folder,
      log,
      now: () => performance.now(),
      rings: { create: file => this.#ring(file), open: file => this.#ring(file) },
      grace: () => grace,
      maxPublishers: () => maxPublishers,
      takeover: () => takeover,
      record: () => undefined,
      resume: () => undefined,
      changed: () => {},
      reserve: name => this.reserve(name),
      inherit: () => undefined,
      named: (names, all) => {
        if (all) this.names.clear();
        for (const [name, isPublished] of names) this.names.set(name, isPublished);
      },
      dropped: name => this.names.delete(name),
    });
    this.server = new RtmpServer({
      host: '127.0.0.1',
      port,
      tls,
      streams: this.streams,
      hook: new PublishHook(log),
      rules: () => this.rules,
      arrival,
      silence,
      log,
    });
  }

  static async start(options: RtmpHostOptions = {}): Promise<RtmpHost> {
    const host = new RtmpHost(await freePort(), options);
    await host.server.listen();
    return host;
  }

  /** The ring of a stream that there is. */
  ring(name: string): FakeRing | undefined {
    const place = this.streams.places.find(each => each.name === name);
    return place && this.rings.get(place.file);
  }

  /** Why connections have ended, in order. */
  get ends(): unknown[] {
    return this.lines.flatMap(({ fields }) => fields.reason ?? []);
  }

  async stop(): Promise<void> {
    await Promise.all([this.streams.stop('end'), this.server.stop()]);
    rmSync(this.folder, { recursive: true });
  }

  #ring(file: string): FakeRing {
    const ring = new FakeRing();
    this.rings.set(file, ring);
    return ring;
  }
}
