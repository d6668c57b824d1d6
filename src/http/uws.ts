import './header-limit.js';
import type * as FrontEndModule from 'uWebSockets.js';

export type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';

/** An optional package, which is not there on every machine, so that its types are not either. */
const UPSTREAM: string = 'uwebsockets-upstream';

/**
 * The front end: that which tests and benchmarks know best, or on a Node.js that it has no binary for, the one of those
 * who make it, which wants a newer system. src/check-node.mjs has told who can have neither.
 */
async function load(): Promise<{ module: typeof FrontEndModule; isUpstream: boolean }> {
  try {
    return { module: await import('uWebSockets.js'), isUpstream: false };
  } catch (cause) {
    try {
      return { module: await import(UPSTREAM), isUpstream: true };
    } catch {
      throw cause;
    }
  }
}

const { module: frontEnd, isUpstream } = await load();

export { isUpstream };

// Upstream's package is CommonJS: its names stand under `default`.
const uWS = ('default' in frontEnd ? frontEnd.default : frontEnd) as typeof frontEnd;
export const { App, SSLApp, us_listen_socket_close: closeListenSocket, us_socket_local_port: localPort } = uWS;

// Answers don't name the library; they keep their Date.
(uWS as unknown as { _cfg(option: 'silent'): void })._cfg('silent');
