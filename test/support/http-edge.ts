import { after } from 'node:test';
import { native } from '../../src/base/native.js';
import { Gate } from '../../src/http/gate.js';
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
