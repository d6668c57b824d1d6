import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RingReader } from '../../src/live/ring/ring-reader.js';
import { Edge, type EdgeOptions } from './edge.js';
import { freePort } from './ports.js';
import { commandLine } from './processes.js';

/** The bundled clips: an origin for edges whose films are not what is tested. */
const SAMPLES = fileURLToPath(new URL('../../src/samples', import.meta.url));

/** A stream in `/stats`. */
export interface StreamStats {
  readonly name: string;
  readonly state: string;
  readonly video?: string;
  readonly audio?: string;
  readonly bytes?: number;
  readonly publisher?: { readonly program?: string };
}

/** An edge with an RTMP port. */
export class LiveEdge {
  private constructor(
    readonly edge: Edge,
    readonly rtmpPort: number,
  ) {}

  /** @param live more of the settings of `live`, as YAML flow without braces */
  static async start(live = '', options: Partial<EdgeOptions> = {}): Promise<LiveEdge> {
    const port = await freePort();
    const edge = await Edge.start({ origin: SAMPLES, ...options, settings: LiveEdge.settings(port, live) });
    return new LiveEdge(edge, port);
  }

  /** The section of a configuration. */
  static settings(port: number, live = '', rtmp = ''): string {
    return `live: {rtmp: {host: 127.0.0.1, port: ${port}${rtmp}}${live === '' ? '' : `, ${live}`}}`;
  }

  url(stream: string): string {
    return `rtmp://127.0.0.1:${this.rtmpPort}/${stream}`;
  }

  /** Process id of the ingest; undefined while there is none. */
  get ingestPid(): number | undefined {
    return this.edge.pids.find(pid => commandLine(pid).includes('ingest-main'));
  }

  async streams(): Promise<readonly StreamStats[]> {
    const { services } = await this.edge.stats();
    return (services as { live?: readonly StreamStats[] }).live ?? [];
  }

  /** Files of the rings. */
  get rings(): string[] {
    try {
      const folder = join(`${this.edge.memoryFile}.catalog`, 'live');
      return readdirSync(folder).map(name => join(folder, name));
    } catch {
      return [];
    }
  }
}

/** What stands in a ring. */
export function readRing(file: string) {
  const ring = new RingReader(file);
  try {
    if (!ring.refresh()) throw new Error(`${file} makes no sense`);
    const tags: { type: number; timestamp: number; isKeyFrame: boolean }[] = [];
    for (let sequence = ring.tail; sequence < ring.head; sequence++) {
      if (!ring.look(sequence) || ring.isHeader) continue;
      tags.push({ type: ring.type, timestamp: ring.timestamp, isKeyFrame: ring.isKeyFrame });
    }
    return { state: ring.state, head: ring.head, tags, headers: ring.headers(ring.version) };
  } finally {
    ring.close();
  }
}
