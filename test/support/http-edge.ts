import { after } from 'node:test';
import { native } from '../../src/base/native.js';
import { ClientAddresses } from '../../src/http/client-address.js';
import { Gate } from '../../src/http/gate.js';
import { NodeFrontEnd, type NodeFrontEndOptions } from '../../src/http/node/node-front-end.js';
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  type ListenOptions,
} from '../../src/http/server.js';
import { SeekViews } from '../../src/view/seek/seek-views.js';
import { Views } from '../../src/view/views.js';
import { DEFAULTS } from './defaults.js';
import { FakeContent, plainPackager, plainPlanner } from './fake-content.js';

/** Those of the product. */
const SEEKS = new Views([new SeekViews('off')]);

/** An HTTP server over content in memory. */
export interface HttpEdge {
  readonly server: HttpServer;
  readonly content: FakeContent;
  readonly port: number;
}

/** What a server listens with. */
export type Engine = 'uws' | 'node';
export const ENGINES: readonly Engine[] = ['uws', 'node'];

/** Room for everybody. */
const BOUNDS = { connections: 10_000, perClient: 0, requests: 0, loopback: false, unsentBytes: 128 * 1024 };

const LIMITS = { head: 30_000, idle: 75_000, streams: 100 };

/** How to listen with an engine. */
export function listening(engine: Engine, options: Partial<NodeFrontEndOptions> = {}): ListenOptions {
  const { tls, clients = ClientAddresses.ofPeers() } = options;
  if (engine === 'uws') return { tls, clients };
  return {
    tls,
    clients,
    engine(handler) {
      const frontEnd = new NodeFrontEnd(handler, {
        addon: native,
        bounds: BOUNDS,
        limits: LIMITS,
        clients,
        ...options,
      });
      return { frontEnd, guard: frontEnd.guard };
    },
  };
}

/** Starts a server on a free port; it is closed after the tests of the file. */
export async function startEdge(options: Partial<HttpServerOptions> = {}, how: ListenOptions = {}): Promise<HttpEdge> {
  const content = new FakeContent();
  const server = createHttpServer({
    ...DEFAULTS.http,
    content,
    planner: plainPlanner,
    packager: plainPackager,
    views: SEEKS,
    gate: Gate.open(native),
    ...options,
  });
  const port = await server.listen('127.0.0.1', 0, how);
  after(() => server.close());
  return { server, content, port };
}
