import './header-limit.js';
import * as frontEnd from 'uWebSockets.js';

export type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';

// Upstream's package, which a user may put in place of the pinned one, is CommonJS: its names stand under `default`.
const uWS = ('default' in frontEnd ? frontEnd.default : frontEnd) as typeof frontEnd;
export const { App, SSLApp, us_listen_socket_close: closeListenSocket, us_socket_local_port: localPort } = uWS;

// Answers don't name the library; they keep their Date.
(uWS as unknown as { _cfg(option: 'silent'): void })._cfg('silent');
